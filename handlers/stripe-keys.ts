import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api, Auth } from "./api.ts";
import type { EnvironmentName, Tested } from "./define.ts";
import { oauth, password, text } from "./fields.ts";

/** A key of the account itself, or of a Connect platform that the account lets act for it. */
export const keyFields = {
  secretKey: password({
    label: "Secret or restricted key",
    placeholder: "sk_test_…",
    help: "Stripe Dashboard, Developers, API keys. A restricted key needs write access to Payment Intents, Refunds, Customers, Checkout Sessions and Invoices, and read access to Balance. Test keys belong to the sandbox, live keys to production.",
    helpUrl: "https://dashboard.stripe.com/apikeys",
    pattern: "^(sk|rk)_(test|live)_[A-Za-z0-9]+$",
    message: "A Stripe key starts sk_test_, sk_live_, rk_test_ or rk_live_",
    example: "sk_test_00000000000000000000000000",
  }),
  platformClientId: text({
    label: "Connect client ID",
    placeholder: "ca_…",
    help: "Of your Connect platform: Dashboard, Settings, Connect, Onboarding options, OAuth. Test and live mode have their own. Add the redirect URL below to its redirects.",
    helpUrl: "https://dashboard.stripe.com/settings/connect/onboarding-options/oauth",
    pattern: "^ca_[A-Za-z0-9]+$",
    message: "A Connect client ID starts ca_",
    example: "ca_00000000000000000000000000000000",
  }),
  platformKey: password({
    label: "Platform's secret key",
    placeholder: "sk_test_…",
    help: "The secret key of the platform's own account, of the same mode as the client ID.",
    helpUrl: "https://dashboard.stripe.com/apikeys",
    pattern: "^sk_(test|live)_[A-Za-z0-9]+$",
    message: "A secret key starts sk_test_ or sk_live_",
    example: "sk_test_11111111111111111111111111",
  }),
  connect: oauth({
    label: "Connect with Stripe",
    help: "Saved first, then connected: you sign in at Stripe, choose the account that takes the payments, and come back here.",
    helpUrl: "https://docs.stripe.com/connect/oauth-standard-accounts",
  }),
  stripeAccount: text({
    label: "Connected account",
    required: false,
    placeholder: "acct_…",
    help: "Only for Connect platforms that use their own key: the account on whose behalf calls are made. Dashboard, Connect, Connected accounts.",
    helpUrl: "https://dashboard.stripe.com/connect/accounts/overview",
    pattern: "^acct_[A-Za-z0-9]{16,}$",
    message: "A connected account id starts acct_",
    example: "acct_0000000000000000",
  }),
};

export const keyChoices = [
  { label: "API key", fields: ["secretKey"] },
  { label: "Connect with Stripe", fields: ["platformClientId", "platformKey", "connect"] },
] as const;

type Keys = {
  secretKey?: string | undefined;
  platformClientId?: string | undefined;
  platformKey?: string | undefined;
};

export function keyAuth({ secretKey, platformClientId = "", platformKey = "" }: Keys): Auth {
  if (secretKey) return { kind: "bearer", token: secretKey };
  return {
    kind: "authorization_code",
    authorizeUrl: "https://connect.stripe.com/oauth/authorize",
    tokenUrl: "https://connect.stripe.com/oauth/token",
    revokeUrl: "https://connect.stripe.com/oauth/deauthorize",
    // docs.stripe.com/connect/oauth-reference: the account is let go, not one of its tokens.
    revocation: ({ extra }) => ({
      headers: { authorization: `Bearer ${platformKey}` },
      form: { client_id: platformClientId, stripe_user_id: extra?.["stripe_user_id"] ?? "" },
    }),
    clientId: platformClientId,
    clientSecret: platformKey,
    style: "body",
    scopes: ["read_write"],
    // Stripe documents none for Connect.
    pkce: false,
  };
}

const Account = z.object({
  id: z.string(),
  email: z.string().nullish(),
  business_profile: z.object({ name: z.string().nullish() }).nullish(),
});

/** The mode is told by the key; a key of the other environment is refused before it is used. */
export async function testKey(api: Api, keys: Keys, environment: EnvironmentName): Promise<Tested> {
  const live = (keys.secretKey ?? keys.platformKey ?? "").includes("_live_");
  if (live !== (environment === "production"))
    throw new VendorFailure(
      "credentials_rejected",
      live
        ? "This is a live key: it belongs in the production environment, not in the sandbox"
        : "This is a test key: it belongs in the sandbox, not in the production environment",
    );
  const mode = live ? "live mode" : "test mode";
  // A restricted key may be refused here and still be good for everything it is meant for.
  const found = await api.get("/v1/account", Account).catch((error: unknown) => {
    if (error instanceof VendorFailure && error.failure === "forbidden") return undefined;
    throw error;
  });
  if (!found) {
    await api.get("/v1/balance", z.object({ livemode: z.boolean() }));
    return {
      account: `Restricted key, ${mode}`,
      checked: ["key accepted", "balance can be read"],
    };
  }
  const { business_profile, email, id } = found;
  return {
    account: `${business_profile?.name || email || "Stripe account"} (${id}), ${mode}`,
    checked: ["key accepted", "account can be read"],
  };
}
