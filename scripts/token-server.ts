import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export type TokenServer = Awaited<ReturnType<typeof startTokenServer>>;

/** The client that `startTokenServer` knows. */
export const tokenClient = { id: "person", secret: "s3cret/with+odd=chars&more" };

/**
 * A certified authorization server (oidc-provider) at `https://idp.example` that rotates refresh
 * tokens and ends the grant when one is used twice, and an API at `https://api.example` that takes
 * its tokens; both in place of the simulator, at `<url>/<host>/…`.
 */
export async function startTokenServer(redirectUris: readonly string[]) {
  /** What the next exchanges do; a test changes them as it goes. */
  const mood = {
    lifetimeSeconds: 600,
    /** Before the server acts on a refresh. */
    delayMs: 0,
    /** Requests that come while it is set are held until it resolves. */
    gate: undefined as Promise<void> | undefined,
    /** Instead of acting on it. */
    status: undefined as number | undefined,
    error: undefined as string | undefined,
    /** After it has acted, before it answers. */
    afterRefresh: undefined as (() => Promise<void> | void) | undefined,
  };
  const counts = { tokenRequests: 0 };

  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: "server", alg: "RS256", use: "sig" };
  const provider = new Provider("https://idp.example", {
    clients: [
      {
        client_id: tokenClient.id,
        client_secret: tokenClient.secret,
        grant_types: ["authorization_code", "refresh_token"],
        redirect_uris: [...redirectUris],
        scope: "openid launch/patient",
      },
    ],
    jwks: { keys: [key] },
    ttl: {
      AccessToken: () => mood.lifetimeSeconds,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 600,
      Interaction: 600,
      RefreshToken: 3600,
      Session: 600,
    },
    scopes: ["openid", "launch/patient"],
    features: {
      revocation: {
        enabled: true,
        allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
      },
      devInteractions: { enabled: false },
    },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    findAccount: async (_ctx, accountId) => ({
      accountId,
      claims: async () => ({ sub: accountId }),
    }),
    interactions: { url: (_ctx, { uid }) => `https://idp.example/interaction/${uid}` },
  });
  provider.proxy = true;
  const issued = new Set<{ destroy(): Promise<void> }>();
  provider.on("access_token.saved", (token) => issued.add(token));
  let granted = 0;
  provider.on("grant.success", ({ oidc }) => {
    if (oidc.params?.["grant_type"] === "refresh_token") granted += 1;
  });
  const handle = provider.callback();

  const server = createServer((request, response) => {
    void (async () => {
      const [, host = "", path = "/"] = /^\/([^/]+)(\/.*)$/.exec(request.url ?? "") ?? [];
      if (host === "api.example") {
        const [, value = ""] = request.headers.authorization?.split(" ") ?? [];
        const known = await provider.AccessToken.find(value);
        response.writeHead(known ? 200 : 401, { "content-type": "application/json" });
        return response.end(JSON.stringify(known ? { ok: true } : { error: "invalid_token" }));
      }
      if (host !== "idp.example") return response.destroy();
      request.url = path;
      request.headers["x-forwarded-proto"] = "https";
      request.headers["x-forwarded-host"] = host;
      if (path.startsWith("/interaction/")) {
        const { prompt, params } = await provider.interactionDetails(request, response);
        const clientId = String(params["client_id"]);
        const grant = new provider.Grant({ accountId: "clinician", clientId });
        grant.addOIDCScope(String(params["scope"]));
        const answer =
          prompt.name === "login"
            ? { login: { accountId: "clinician" } }
            : { consent: { grantId: await grant.save() } };
        return provider.interactionFinished(request, response, answer);
      }
      if (path !== "/token") return handle(request, response);
      counts.tokenRequests += 1;
      await Promise.all([mood.gate, wait(mood.delayMs)]);
      if (mood.status !== undefined) {
        response.writeHead(mood.status, { "content-type": "application/json" });
        return response.end(JSON.stringify({ error: mood.error ?? "server_error" }));
      }
      const { afterRefresh } = mood;
      if (!afterRefresh) return handle(request, response);
      const before = granted;
      const end = response.end.bind(response);
      response.end = ((...args: Parameters<typeof end>) => {
        const held = granted > before ? afterRefresh() : undefined;
        void Promise.resolve(held).then(() => end(...args));
        return response;
      }) as typeof response.end;
      return handle(request, response);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    mood,
    counts,
    /** As when an administrator ends the access tokens: the API refuses them before their time. */
    async endAccessTokens() {
      await Promise.all([...issued].map((token) => token.destroy()));
      issued.clear();
    },
    /** The browser's part: follows redirects, keeps cookies, and stops at a redirect URI of ours. */
    async signIn(start: string): Promise<URL> {
      const cookies = new Map<string, string>();
      let at = start;
      for (let hop = 0; hop < 10; hop++) {
        if (redirectUris.some((uri) => at.startsWith(uri))) return new URL(at);
        const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
        const target = at.replace(/^https:\/\//, `${url}/`);
        const response = await fetch(target, { headers: { cookie }, redirect: "manual" });
        for (const line of response.headers.getSetCookie()) {
          const [name = "", value = ""] = line.split(";", 1)[0]?.split("=") ?? [];
          cookies.set(name, value);
        }
        at = new URL(response.headers.get("location") ?? "", at.replace(`${url}/`, "https://"))
          .href;
      }
      throw new Error("The sign-in went round in circles");
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
