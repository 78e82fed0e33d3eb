import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { Provider } from "oidc-provider";

export type Shape = {
  /** After the host, such as `/realms/clinic`. */
  path: string;
  clientAuth: "client_secret_basic" | "client_secret_post";
  /** Whether the ID token says what the userinfo endpoint says. */
  fullIdToken: boolean;
};

/** As Keycloak, Okta and Entra are: where the issuer lies, and which claims come where. */
export const shapes = {
  keycloak: { path: "/realms/clinic", clientAuth: "client_secret_basic", fullIdToken: true },
  okta: { path: "/oauth2/default", clientAuth: "client_secret_basic", fullIdToken: false },
  entra: {
    path: "/6b9c3f9e-5d5c-4bde-8a36-0c2d7e0b9a11/v2.0",
    clientAuth: "client_secret_post",
    fullIdToken: true,
  },
} as const satisfies Record<string, Shape>;

export type Claims = {
  sub: string;
  email?: string;
  email_verified?: boolean;
  preferred_username?: string;
  name?: string;
};

async function listen(handle: (req: IncomingMessage, res: ServerResponse) => void) {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { server, url: `http://127.0.0.1:${address.port}` };
}
const close = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()));

const forward = async (simulatorUrl: string, host: string, url: string) => {
  const reply = await fetch(`${simulatorUrl}/_simulator/forward`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ host, url }),
  });
  if (!reply.ok) throw new Error(`The simulator does not forward ${host}: ${await reply.text()}`);
};

/** A real OpenID provider on loopback, reached by the Worker under a public name. */
export async function startIdentityProvider(simulatorUrl: string, shape: Shape = shapes.keycloak) {
  const host = `idp-${randomBytes(5).toString("hex")}.example.com`;
  const issuer = `https://${host}${shape.path}`;
  const client = { id: "integrations", secret: randomBytes(24).toString("base64url") };
  const redirectUris: string[] = [];
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwks = { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig" }] };
  /** Whoever sits in front of the browser. */
  let person: Claims = { sub: "nobody" };
  let tamper: ((idToken: string) => string) | undefined;
  let described: Record<string, string> | undefined;
  let tokenRequests = 0;

  let provider: Provider | undefined;
  const { server, url } = await listen((req, res) => {
    req.headers.host = host;
    req.headers["x-forwarded-proto"] = "https";
    const path = req.url ?? "/";
    Object.assign(req, { originalUrl: path });
    req.url = path.slice(shape.path.length);
    if (!path.startsWith(shape.path)) return void res.writeHead(404).end();
    if (described && req.url === "/.well-known/openid-configuration") {
      const [authorization_endpoint, token_endpoint, jwks_uri] = ["auth", "token", "jwks"].map(
        (name) => `${issuer}/${name}`,
      );
      const document = { issuer, authorization_endpoint, token_endpoint, jwks_uri, ...described };
      res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(document));
      return;
    }
    if (req.url.startsWith("/interaction/")) {
      const result = { login: { accountId: person.sub } };
      provider?.interactionFinished(req, res, result).catch(() => res.writeHead(500).end());
      return;
    }
    if (req.url.startsWith("/token")) {
      tokenRequests += 1;
      if (tamper) alterIdToken(res, tamper);
    }
    void provider?.callback()(req, res);
  });
  await forward(simulatorUrl, host, url);

  return {
    issuer,
    client,
    get tokenRequests() {
      return tokenRequests;
    },
    /** Called once the redirect address is known. */
    register(redirectUri: string) {
      redirectUris.push(redirectUri);
      provider = new Provider(issuer, {
        jwks,
        clients: [
          {
            client_id: client.id,
            client_secret: client.secret,
            redirect_uris: redirectUris,
            token_endpoint_auth_method: shape.clientAuth,
          },
        ],
        clientAuthMethods: [shape.clientAuth],
        conformIdTokenClaims: !shape.fullIdToken,
        claims: {
          openid: ["sub"],
          email: ["email", "email_verified"],
          profile: ["name", "preferred_username"],
        },
        features: { devInteractions: { enabled: false } },
        cookies: { keys: [randomBytes(16).toString("hex")] },
        pkce: { required: () => true },
        findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => person }),
        interactions: {
          url: (_ctx, interaction) => `${shape.path}/interaction/${interaction.uid}`,
        },
        async loadExistingGrant(ctx) {
          const { Grant } = ctx.oidc.provider;
          const grant = new Grant({
            clientId: ctx.oidc.client?.clientId ?? "",
            accountId: ctx.oidc.session?.accountId ?? "",
          });
          grant.addOIDCScope("openid email profile");
          await grant.save();
          return grant;
        },
      });
      provider.proxy = true;
    },
    signInAs(claims: Claims) {
      person = claims;
    },
    alter(change: ((idToken: string) => string) | undefined) {
      tamper = change;
    },
    /** What its discovery document says, in place of what is so. */
    describe(more: Record<string, string>) {
      described = more;
    },
    /** What a browser does from the authorization address on, until it is sent back. */
    async follow(authorizationUrl: string): Promise<string> {
      const cookies = new Map<string, string>();
      let at = new URL(authorizationUrl);
      for (let hops = 0; hops < 8; hops++) {
        if (at.host !== host) return at.href;
        const reply = await fetch(url + at.pathname + at.search, {
          redirect: "manual",
          headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
        });
        for (const line of reply.headers.getSetCookie()) {
          const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          cookies.set(name, value);
        }
        const location = reply.headers.get("location");
        if (!location)
          throw new Error(`The provider stopped: ${reply.status} ${await reply.text()}`);
        at = new URL(location, at);
      }
      throw new Error("The provider redirects without end");
    },
    close: () => close(server),
  };
}

function alterIdToken(res: ServerResponse, change: (idToken: string) => string) {
  const end = res.end.bind(res);
  res.end = ((chunk?: unknown) => {
    const text = String(chunk ?? "");
    if (!text.startsWith("{")) return end(text);
    const reply = JSON.parse(text) as { id_token?: string };
    const altered = JSON.stringify({ ...reply, id_token: change(reply.id_token ?? "") });
    res.setHeader("content-length", Buffer.byteLength(altered));
    return end(altered);
  }) as typeof res.end;
}

/** Cloudflare's resolver as far as TXT records go: what a test says, in the form that it has. */
export async function startNameServer(simulatorUrl: string) {
  const records = new Map<string, string[]>();
  const { server, url } = await listen((req, res) => {
    const name = new URL(req.url ?? "/", "http://localhost").searchParams.get("name") ?? "";
    const Answer = (records.get(name) ?? []).map((text) => ({
      name,
      type: 16,
      TTL: 60,
      data: (text.match(/.{1,40}/g) ?? []).map((part) => `"${part}"`).join(" "),
    }));
    res.setHeader("content-type", "application/dns-json");
    res.end(JSON.stringify({ Status: 0, ...(Answer.length ? { Answer } : {}) }));
  });
  await forward(simulatorUrl, "cloudflare-dns.com", url);
  return { records, close: () => close(server) };
}
