import { stringToBase64, uint8ArrayToBase64 } from "uint8array-extras";

import { VendorFailure } from "../problem.ts";
import type { Api, Auth, HeldKey, SingleAuth } from "./api.ts";
import {
  type AuthorizationCode,
  type BackendServices,
  fetchBackendServices,
  fetchClientCredentials,
  type Outlet,
  type Token,
  type Tokens,
} from "./oauth.ts";

export type Authorized = {
  headers: Readonly<Record<string, string>>;
  /** Where the headers come from a token that is kept for the next calls. */
  token?: Token;
  /** The token was fetched for this very request. */
  fetched?: boolean;
};

export type Authorizer = {
  authorize(): Promise<Authorized>;
  /** Forgets a token that the vendor refused. */
  drop(token: Token): Promise<void>;
};

type Means = {
  auth: SingleAuth;
  /** What the token depends on: other credentials or another address never share one. */
  identity: () => unknown;
  baseUrl: () => string;
  tokens: Tokens;
  now: () => number;
  outlet: Outlet;
  /** The vendor without credentials, for a session's login call. */
  anonymous: () => Api;
  grant: ((auth: AuthorizationCode) => Promise<Token>) | undefined;
  heldKey: ((kid: string) => Promise<HeldKey>) | undefined;
};

const utf8 = (text: string) => new TextEncoder().encode(text);

async function signJwt({ token }: Extract<Auth, { kind: "signed_jwt" }>, nowMs: number) {
  try {
    return await token(Math.floor(nowMs / 1_000));
  } catch {
    // The error may quote the key, so it goes no further.
    throw new VendorFailure("credentials_rejected", "These credentials could not sign a token");
  }
}

async function withHeldKey(auth: BackendServices, fetchKey: Means["heldKey"]) {
  if (auth.heldKey === undefined) return auth;
  if (!fetchKey)
    throw new VendorFailure("credentials_rejected", "No signing keys are held for this call");
  const held = await fetchKey(auth.heldKey);
  requireAlgorithm(held, auth.onlyAlgorithm);
  return { ...auth, ...held };
}

export function requireAlgorithm(held: HeldKey, only: HeldKey["algorithm"] | undefined) {
  if (only && held.algorithm !== only)
    throw new VendorFailure("invalid_request", `This vendor takes keys for ${only} only`);
}

/** Turns credentials into the headers of a request; `query` and `aws_sigv4` act on the request itself. */
export function authorizer(means: Means): Authorizer {
  const { auth, identity, baseUrl, tokens, now, outlet, anonymous, grant, heldKey } = means;

  async function fetchToken(): Promise<Token> {
    if (auth.kind === "client_credentials") return fetchClientCredentials(auth, baseUrl(), outlet);
    if (auth.kind === "private_key_jwt")
      return fetchBackendServices(await withHeldKey(auth, heldKey), baseUrl(), outlet);
    if (auth.kind === "session") {
      const { headers, expiresInSeconds } = await auth.login(anonymous());
      const expiresAt = now() + expiresInSeconds * 1_000;
      return { accessToken: crypto.randomUUID(), headers, expiresAt };
    }
    if (auth.kind === "authorization_code" && grant) return grant(auth);
    throw new VendorFailure("credentials_expired", "The integration has not been authorized yet");
  }

  let key: Promise<string> | undefined;
  const keyOfToken = () =>
    (key ??= crypto.subtle
      .digest("SHA-256", utf8(JSON.stringify(identity())))
      .then((hash) => uint8ArrayToBase64(hash)));

  return {
    async authorize() {
      switch (auth.kind) {
        case "none":
        case "in_body":
        case "query":
        case "aws_sigv4":
          return { headers: {} };
        case "basic": {
          const pair = stringToBase64(`${auth.user}:${auth.password}`);
          return { headers: { authorization: `Basic ${pair}` } };
        }
        case "bearer":
          return { headers: { authorization: `Bearer ${auth.token}` } };
        case "header":
          return { headers: auth.headers };
        case "signed_jwt":
          return { headers: { authorization: `Bearer ${await signJwt(auth, now())}` } };
        case "client_credentials":
        case "private_key_jwt":
        case "authorization_code":
        case "session": {
          let fetched = false;
          const token = await tokens.get(await keyOfToken(), () => {
            fetched = true;
            return fetchToken();
          });
          const headers = token.headers ?? { authorization: `Bearer ${token.accessToken}` };
          return { headers, token, fetched };
        }
      }
    },
    async drop(token) {
      await tokens.drop(await keyOfToken(), token);
    },
  };
}
