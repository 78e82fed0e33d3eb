import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JWK, jwtVerify } from "jose";

import { basicCredentials, bearerToken, type idSequence, isSame, unixNow } from "../define.ts";

export type Client = {
  id: string;
  secret?: string;
  keys: readonly JWK[];
  /** Where its keys are published, instead of `keys`: asked at each assertion. */
  jwksUrl?: string;
  /** Registered scopes; a token gets those of them that were asked for, or any if absent. */
  scopes?: readonly string[];
};
type Grant = { client: string; scopes: readonly string[]; expiresAt: number };

async function fetchKeys(url: string) {
  const reply = await fetch(url, { signal: AbortSignal.timeout(5000) });
  return createLocalJWKSet((await reply.json()) as { keys: JWK[] });
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

class Refused extends Error {
  override name = "Refused";
  readonly error: string;
  constructor(error: string, reason: string) {
    super(reason);
    this.error = error;
  }
}

/** `error_description` is null, as Epic's is; the reason is only in a header that no vendor sends. */
export const tokenRefusal = (error: string, reason: string) =>
  Response.json(
    { error, error_description: null },
    { status: 400, headers: { "cache-control": "no-store", "x-simulator-reason": reason } },
  );

async function readForm(request: Request, takesJson: boolean): Promise<URLSearchParams> {
  const type = request.headers.get("content-type") ?? "";
  if (type.startsWith("application/x-www-form-urlencoded"))
    return new URLSearchParams(await request.text());
  if (takesJson && type.startsWith("application/json"))
    return new URLSearchParams((await request.json()) as Record<string, string>);
  throw new Refused("invalid_request", "the body is not a form");
}

type AuthorizationOptions = {
  takesJson?: boolean;
  algorithms?: readonly string[];
  lifetimeSeconds?: number;
  /** How the vendor says no; `reason` is for whoever looks at the simulator. */
  refusal?: (error: string, reason: string) => Response;
  /** The vendor's own rule, as the error that a request for these scopes ends in. */
  refuseScopes?: (client: Client, wanted: readonly string[]) => string | undefined;
  /** A request for a scope that is not registered is refused as a whole. */
  allOrNothing?: boolean;
};

/** A SMART Backend Services token endpoint that verifies what it is sent (RFC 7523). */
export function newAuthorization(
  registered: readonly Client[],
  ids: ReturnType<typeof idSequence>,
  {
    takesJson = false,
    algorithms = ["RS384", "ES384"],
    lifetimeSeconds = 3600,
    refusal = tokenRefusal,
    refuseScopes,
    allOrNothing = false,
  }: AuthorizationOptions = {},
) {
  let clients = registered;
  const grants = new Map<string, Grant>();
  const usedAssertions = new Map<string, number>();

  const clientOf = (id: string | null | undefined) => {
    const client = clients.find((each) => each.id === id);
    if (!client) throw new Refused("invalid_client", "there is no such client");
    return client;
  };

  async function byAssertion(assertion: string, tokenUrl: string): Promise<Client> {
    const refuse = (reason: string) => new Refused("invalid_client", reason);
    let issuer: string | undefined;
    let algorithm: string | undefined;
    try {
      issuer = decodeJwt(assertion).iss;
      algorithm = decodeProtectedHeader(assertion).alg;
    } catch {
      throw refuse("the assertion is not a JWT");
    }
    const client = clientOf(issuer);
    const keys = client.jwksUrl
      ? await fetchKeys(client.jwksUrl).catch(() => {
          throw refuse("its JWK Set could not be read");
        })
      : createLocalJWKSet({ keys: [...client.keys] });
    const verified = await jwtVerify(assertion, keys, {
      algorithms: [...algorithms],
      requiredClaims: ["iss", "sub", "aud", "exp", "jti"],
    }).catch((error: unknown) => {
      throw refuse(`${algorithm} assertion: ${error instanceof Error ? error.message : "refused"}`);
    });
    const { sub, aud, exp = 0, jti = "" } = verified.payload;
    if (sub !== issuer) throw refuse("sub is not iss");
    if (aud !== tokenUrl) throw refuse(`aud is not ${tokenUrl}`);
    const now = unixNow();
    if (exp > now + 300) throw refuse("exp is more than 5 minutes ahead");
    if (jti.length > 151) throw refuse("jti is longer than 151 characters");
    for (const [used, until] of usedAssertions) if (until < now) usedAssertions.delete(used);
    if (usedAssertions.has(`${issuer} ${jti}`)) throw refuse("jti was used before");
    usedAssertions.set(`${issuer} ${jti}`, exp);
    return client;
  }

  async function authenticate(request: Request, form: URLSearchParams): Promise<Client> {
    const assertion = form.get("client_assertion");
    if (assertion !== null) {
      if (form.get("client_assertion_type") !== assertionType)
        throw new Refused("invalid_request", "client_assertion_type is wrong");
      const url = new URL(request.url);
      return byAssertion(assertion, url.origin + url.pathname);
    }
    const basic = basicCredentials(request);
    const client = clientOf(basic?.user ?? form.get("client_id"));
    if (!isSame(client.secret, basic?.password ?? form.get("client_secret")))
      throw new Refused("invalid_client", "the secret is wrong");
    return client;
  }

  async function token(request: Request): Promise<Response> {
    try {
      const form = await readForm(request, takesJson);
      if (form.get("grant_type") !== "client_credentials")
        throw new Refused("unsupported_grant_type", "grant_type is not client_credentials");
      const client = await authenticate(request, form);
      const own = client.scopes;
      const wanted = form.get("scope")?.split(" ").filter(Boolean) ?? own ?? [];
      const against = refuseScopes?.(client, wanted);
      if (against) throw new Refused(against, "the vendor does not allow these scopes together");
      const scopes = own
        ? wanted.filter((scope) => own.some((each) => covers(each, scope)))
        : wanted;
      if (own && (scopes.length === 0 || (allOrNothing && scopes.length < wanted.length)))
        throw new Refused("invalid_scope", "a scope is not registered");
      const accessToken = ids.letters("", 64);
      grants.set(accessToken, {
        client: client.id,
        scopes,
        expiresAt: unixNow() + lifetimeSeconds,
      });
      return Response.json(
        {
          access_token: accessToken,
          token_type: "bearer",
          expires_in: lifetimeSeconds,
          scope: scopes.join(" "),
        },
        { headers: { "cache-control": "no-store", pragma: "no-cache" } },
      );
    } catch (error) {
      if (error instanceof Refused) return refusal(error.error, error.message);
      throw error;
    }
  }

  return {
    token,
    apps: {
      has: (id: string) => clients.some((client) => client.id === id),
      /** Who asks, where the proof is good. */
      async prove(request: Request): Promise<string | undefined> {
        try {
          return (await authenticate(request, await readForm(request, takesJson))).id;
        } catch (error) {
          if (error instanceof Refused) return undefined;
          throw error;
        }
      },
    },
    /** What the bearer may do; undefined where there is no valid token. */
    grantOf(request: Request): Grant | undefined {
      const grant = grants.get(bearerToken(request) ?? "");
      return grant && grant.expiresAt > unixNow() ? grant : undefined;
    },
    expireTokens: () => grants.clear(),
    /** What a developer does at the vendor's portal; a client of the same id is replaced. */
    register(client: Client) {
      clients = [...clients.filter(({ id }) => id !== client.id), client];
    },
    reset() {
      clients = registered;
      grants.clear();
      usedAssertions.clear();
    },
  };
}

const letters: Record<string, string> = { read: "rs", write: "cud", "*": "cruds" };

/** `system/Patient.read` (SMART v1) or `system/Patient.rs` (v2), as context, type and what may be done. */
function parseScope(scope: string) {
  const [, context, type, access] =
    /^(system|user|patient)\/([A-Za-z]+|\*)\.(read|write|\*|c?r?u?d?s?)$/.exec(scope) ?? [];
  if (context === undefined || type === undefined || !access) return undefined;
  return { context, type, access: letters[access] ?? access };
}

function covers(registered: string, wanted: string): boolean {
  if (registered === wanted) return true;
  const [own, asked] = [parseScope(registered), parseScope(wanted)];
  if (!own || !asked || own.context !== asked.context) return false;
  return (
    (own.type === "*" || own.type === asked.type) &&
    [...asked.access].every((letter) => own.access.includes(letter))
  );
}

/** `c`reate, `r`ead, `u`pdate, `d`elete or `s`earch of a resource type, for a machine or a person. */
export const allows = (scopes: readonly string[], type: string, letter: string): boolean =>
  ["system", "user"].some((context) =>
    scopes.some((scope) => covers(scope, `${context}/${type}.${letter}`)),
  );
