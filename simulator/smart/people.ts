import { bearerToken, type idSequence } from "../define.ts";
import { newCodes } from "../derived/codes.ts";
import type { newAuthorization } from "./authorization.ts";

export type PeopleOptions = {
  /** Whom the page is by that asks the person. */
  vendor: string;
  /** Named in each answer (RFC 9207), where the vendor does. */
  issuer?: string | undefined;
  lifetimeSeconds?: number | undefined;
  /** Whether the vendor has a scope; it has all if absent. */
  hasScope?: ((scope: string) => boolean) | undefined;
  /** How the vendor says no at its token endpoint. */
  refusal: (error: string, reason: string) => Response;
};

/** People who let apps in that are registered with `authorization`: SMART standalone launch, with rotating refresh tokens. */
export function newPeople(
  { vendor, refusal, lifetimeSeconds, issuer, hasScope = () => true }: PeopleOptions,
  authorization: ReturnType<typeof newAuthorization>,
  ids: ReturnType<typeof idSequence>,
) {
  const codes = newCodes(
    { kind: "authorization_code", style: "basic", scopes: [], pkce: true, issuer },
    ids,
    {
      consent: { vendor },
      revokesFamily: true,
      apps: authorization.apps,
      lifetimeSeconds,
    },
  );
  return {
    /** `aud` has to be the FHIR server, so that the token is good at no other. */
    authorize(request: Request, isFhirBase: (aud: string) => boolean): Response {
      const query = new URL(request.url).searchParams;
      if (!isFhirBase(query.get("aud") ?? ""))
        return new Response("aud is not the address of the FHIR server", { status: 400 });
      return (query.get("scope") ?? "").split(" ").every(hasScope)
        ? codes.authorize(query)
        : new Response("invalid_scope", { status: 400 });
    },
    /** Undefined where it is not about a person's grant. */
    async token(request: Request): Promise<Response | undefined> {
      const form = new URLSearchParams(await request.clone().text());
      if (!["authorization_code", "refresh_token"].includes(form.get("grant_type") ?? ""))
        return undefined;
      const reply = await codes.token(request);
      if (reply.ok) return reply;
      const { error } = (await reply.json()) as { error: string };
      return refusal(error, "of a person's grant");
    },
    revoke: codes.revoke,
    scopesOf: (request: Request) => codes.scopeOf(bearerToken(request))?.split(" "),
    expireTokens: codes.expireTokens,
    reset: codes.reset,
  };
}
