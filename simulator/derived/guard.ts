import { createPublicKey, type KeyObject } from "node:crypto";

import { decodeJwt, type JWK } from "jose";

import type { Auth } from "../../handlers/api.ts";
import { basicCredentials, bearerToken, type idSequence, isSame, unixNow } from "../define.ts";
import { newAuthorization } from "../smart/authorization.ts";
import { newCodes } from "./codes.ts";
import { type Known, samplingApi, type Subject } from "./exchanges.ts";
import { isLike } from "./jwt.ts";
import { isSignedForAws } from "./sigv4.ts";

/** The vendor's sign-in: what it answers itself, and which requests it lets through. */
export type Guard = {
  serve: (request: Request) => Promise<Response | undefined>;
  isAllowed: (request: Request) => boolean | Promise<boolean>;
  /** Where tokens come from, for the hosts that the vendor answers at. */
  tokenUrl?: string;
  expireTokens: () => void;
  reset: () => void;
};

const nothing = () => undefined;
const passive = (isAllowed: Guard["isAllowed"]): Guard => ({
  serve: async () => undefined,
  isAllowed,
  expireTokens: nothing,
  reset: nothing,
});

function issuedAt(jwt: string | undefined): number {
  try {
    return decodeJwt(jwt ?? "").iat ?? unixNow();
  } catch {
    return unixNow();
  }
}

function byToken(
  auth: Extract<Auth, { kind: "client_credentials" | "private_key_jwt" }>,
  baseUrl: string,
  ids: ReturnType<typeof idSequence>,
): Guard {
  const keys: JWK[] = [];
  if (auth.kind === "private_key_jwt") {
    const isJwk = auth.privateKey.trimStart().startsWith("{");
    const key = isJwk
      ? createPublicKey({ key: JSON.parse(auth.privateKey) as JWK, format: "jwk" })
      : createPublicKey(auth.privateKey);
    keys.push({
      ...key.export({ format: "jwk" }),
      alg: auth.algorithm,
      ...(auth.keyId ? { kid: auth.keyId } : {}),
    });
  }
  const secret = auth.kind === "client_credentials" ? { secret: auth.clientSecret } : {};
  const takesJson = auth.kind === "client_credentials" && auth.style === "json";
  const authorization = newAuthorization([{ id: auth.clientId, keys, ...secret }], ids, {
    takesJson,
  });
  const tokenUrl = new URL(auth.tokenUrl ?? "/oauth2/token", baseUrl).href;
  const discovery = `${baseUrl}/.well-known/smart-configuration`;
  return {
    tokenUrl,
    async serve(request) {
      const url = request.url.split("?")[0];
      if (request.method === "POST" && url === tokenUrl.split("?")[0])
        return authorization.token(request);
      if (auth.tokenUrl === undefined && url === discovery)
        return Response.json({
          token_endpoint: tokenUrl,
          token_endpoint_auth_methods_supported: [
            "private_key_jwt",
            "client_secret_basic",
            "client_secret_post",
          ],
          grant_types_supported: ["client_credentials"],
          capabilities: ["client-confidential-asymmetric"],
        });
      return undefined;
    },
    isAllowed: (request) => authorization.grantOf(request) !== undefined,
    expireTokens: authorization.expireTokens,
    reset: authorization.reset,
  };
}

function byCode(
  auth: Extract<Auth, { kind: "authorization_code" }>,
  baseUrl: string,
  ids: ReturnType<typeof idSequence>,
): Guard {
  const { origin } = new URL(baseUrl);
  const { authorizeUrl = `${origin}/oauth2/authorize`, tokenUrl = `${origin}/oauth2/token` } = auth;
  const codes = newCodes({ ...auth, authorizeUrl, tokenUrl }, ids);
  const discovery = `${baseUrl}/.well-known/smart-configuration`;
  return {
    ...codes,
    tokenUrl,
    async serve(request) {
      if (auth.authorizeUrl !== undefined || request.url !== discovery) return codes.serve(request);
      return Response.json({
        authorization_endpoint: authorizeUrl,
        token_endpoint: tokenUrl,
        code_challenge_methods_supported: ["S256"],
        capabilities: ["launch-standalone"],
      });
    },
  };
}

function bySession(auth: Extract<Auth, { kind: "session" }>, subject: Subject): Guard {
  const logins: Known[] = [];
  const headers = auth.login(samplingApi(subject, logins)).then((session) => session.headers);
  // Without a handler the rejection would end the process before anybody asks.
  headers.catch(nothing);
  let isOpen = false;
  return {
    async serve(request) {
      await headers;
      const at = request.url.split("?")[0];
      const login = logins.find(
        ({ method, url }) => method === request.method && url.origin + url.pathname === at,
      );
      if (!login) return undefined;
      isOpen = true;
      return Response.json(login.exchange.reply);
    },
    async isAllowed(request) {
      const expected = Object.entries(await headers);
      return isOpen && expected.every(([name, value]) => isSame(value, request.headers.get(name)));
    },
    expireTokens: () => {
      isOpen = false;
    },
    reset: () => {
      isOpen = false;
    },
  };
}

function anyOf(guards: readonly Guard[]): Guard {
  return {
    async serve(request) {
      for (const guard of guards) {
        const served = await guard.serve(request.clone());
        if (served) return served;
      }
      return undefined;
    },
    async isAllowed(request) {
      const said = await Promise.all(guards.map((guard) => guard.isAllowed(request)));
      return said.includes(true);
    },
    expireTokens: () => guards.forEach((guard) => guard.expireTokens()),
    reset: () => guards.forEach((guard) => guard.reset()),
  };
}

export function newGuard(
  auth: Auth,
  subject: Subject,
  baseUrl: string,
  ids: ReturnType<typeof idSequence>,
  keys: readonly KeyObject[],
): Guard {
  switch (auth.kind) {
    case "none":
    case "in_body":
      return passive(() => true);
    case "by_call":
      return anyOf(
        Object.values(auth.ways).map((way) => newGuard(way, subject, baseUrl, ids, keys)),
      );
    case "basic":
      return passive((request) => {
        const given = basicCredentials(request);
        return isSame(auth.user, given?.user) && isSame(auth.password, given?.password);
      });
    case "bearer":
      return passive((request) => isSame(auth.token, bearerToken(request)));
    case "header":
      return passive((request) =>
        Object.entries(auth.headers).every(([name, value]) =>
          isSame(value, request.headers.get(name)),
        ),
      );
    case "query":
      return passive((request) =>
        isSame(auth.value, new URL(request.url).searchParams.get(auth.name)),
      );
    case "client_credentials":
    case "private_key_jwt":
      return byToken(auth, baseUrl, ids);
    case "authorization_code":
      return byCode(auth, baseUrl, ids);
    case "signed_jwt":
      return passive(async (request) => {
        const given = bearerToken(request);
        const ours = await auth.token(issuedAt(given));
        return isLike(ours, given, keys);
      });
    case "session":
      return bySession(auth, subject);
    case "aws_sigv4":
      return passive((request) => isSignedForAws(request, auth, new Date()));
  }
}
