import { oauth, select, text } from "./fields.ts";
import type { AuthorizationCode } from "./oauth.ts";

/** What EHRs have in common where a person signs in instead of a machine: SMART standalone launch. */
const byPerson = { field: "signIn", equals: "user" } as const;
export const bySystem = { field: "signIn", equals: "system" } as const;

export const signInChoice = () => ({
  signIn: select({
    label: "Who signs in",
    help: "Our server, by itself, with an app for backend systems; or a person of your organization, once, in the browser, with an app for clinicians or staff. What the person may see is then what the integration may see.",
    helpUrl: "https://hl7.org/fhir/smart-app-launch/app-launch.html",
    options: [
      { value: "system", label: "Our server (Backend Services)" },
      { value: "user", label: "A person (SMART standalone launch)" },
    ],
    default: "system",
    example: "system",
  }),
});

export const signInFields = (vendor: string, scopes: string) => ({
  userScopes: text({
    label: "Scopes of the person",
    help: "Separated by spaces. Without offline_access the sign-in ends when its first token does, usually within the hour.",
    helpUrl: "https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html",
    pattern: "^\\S+( \\S+)*$",
    message: "List scopes such as user/Patient.read, separated by spaces",
    dependsOn: byPerson,
    default: scopes,
    example: "openid fhirUser offline_access user/Patient.read",
  }),
  connect: oauth({
    label: `Connect with ${vendor}`,
    help: "Saved first, then connected: you sign in and agree in the browser, and come back here. Register the address below as the app's redirect URI.",
    dependsOn: byPerson,
  }),
});

type Values = {
  clientId: string;
  clientSecret?: string | undefined;
  signingKeyId?: string | undefined;
  privateKey?: string | undefined;
  keyId?: string | undefined;
  algorithm?: "RS384" | "ES384" | undefined;
  userScopes?: string | undefined;
  tokenUrl?: string | undefined;
};

/** Whichever key there is signs for the client, else its secret is sent. */
export function smartSignIn(values: Values): AuthorizationCode {
  const { clientId, clientSecret, signingKeyId: heldKey, keyId, algorithm = "RS384" } = values;
  const { privateKey = "", userScopes, tokenUrl } = values;
  const scopes = userScopes?.split(" ") ?? [];
  const shared = { kind: "authorization_code", clientId, scopes, tokenUrl, pkce: true } as const;
  return privateKey || heldKey
    ? { ...shared, style: "private_key_jwt", signing: { privateKey, keyId, algorithm, heldKey } }
    : { ...shared, style: clientSecret ? "basic" : "none", clientSecret };
}
