import * as fc from "fast-check";
import { expect, test } from "vitest";

import { VendorFailure } from "../problem.ts";
import { anything, headerValue, number, rawBodies, text } from "../scripts/hostile.ts";
import {
  discoverSmart,
  exchangeCode,
  fetchClientCredentials,
  type LocatedCode,
  type Outlet,
  refreshGrant,
  type Token,
} from "./oauth.ts";

/** What a token endpoint, or something in its place, may answer. */
const tokenReply = fc.record({
  status: fc.constantFrom(200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 418, 429, 500, 503),
  headers: fc.dictionary(
    fc.constantFrom("content-type", "retry-after", "www-authenticate", "location", "date"),
    fc.oneof(
      headerValue,
      fc.constantFrom(
        "application/json",
        "text/html",
        "Wed, 21 Oct 2099 07:28:00 GMT",
        "1e309",
        "99999999999999999999",
        "-5",
        "2026-11-23T99:99:99Z",
        'DPoP error="use_dpop_nonce", Bearer realm="',
      ),
    ),
    { maxKeys: 3 },
  ),
  body: fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .record(
          {
            access_token: fc.oneof(text, fc.constant("a-token")),
            token_type: anything,
            expires_in: fc.oneof(anything, number),
            refresh_token: anything,
            refresh_token_expires_in: anything,
            scope: anything,
            id_token: anything,
            issued_at: anything,
            error: fc.oneof(text, fc.constantFrom("invalid_grant", "invalid_client", "slow_down")),
            error_description: anything,
          },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value)),
    },
    { weight: 2, arbitrary: fc.constantFrom(...rawBodies) },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  ),
});

const code: LocatedCode = {
  kind: "authorization_code",
  clientId: "client",
  clientSecret: "secret",
  scopes: ["a", "b"],
  pkce: true,
  style: "body",
  authorizeUrl: "https://id.vendor.example/authorize",
  tokenUrl: "https://id.vendor.example/token",
};
const machine = { kind: "client_credentials", clientId: "client", clientSecret: "secret" } as const;
const tokenUrl = "https://id.vendor.example/token";
const parameters = new URLSearchParams({ code: "c", state: "s" });
const callback = {
  parameters,
  redirectUri: "https://us.example/oauth/callback",
  state: "s",
  codeVerifier: "v".repeat(43),
};
const flows: Record<string, (outlet: Outlet) => Promise<Token | object>> = {
  "client credentials as a form": (outlet) =>
    fetchClientCredentials(
      { ...machine, tokenUrl, style: "body" } as never,
      "https://vendor.example",
      outlet,
    ),
  "client credentials as JSON": (outlet) =>
    fetchClientCredentials(
      { ...machine, tokenUrl, style: "json" } as never,
      "https://vendor.example",
      outlet,
    ),
  "a code": (outlet) => exchangeCode(code, callback, outlet),
  "a refresh token": (outlet) => refreshGrant(code, "r", outlet),
  "SMART discovery": (outlet) => discoverSmart("https://vendor.example/fhir", outlet),
};

/** Of years that Postgres and `Date` both know. */
const isTime = (ms: number | undefined) =>
  ms === undefined || (Number.isFinite(ms) && ms >= 0 && ms < Date.UTC(3000, 0));

test.each(Object.entries(flows))(
  "any reply to %s is a token that can be kept, or a failure with a cause",
  async (_name, flow) => {
    await fc.assert(
      fc.asyncProperty(tokenReply, async ({ status, headers: given, body }) => {
        const bare = status === 204;
        const sane = Object.entries(given).filter(([, value]) => !/[^\0-\xff]/.test(value));
        const wire = async () => new Response(bare ? null : body, { status, headers: sane });
        try {
          const token = (await flow({ wire, timeoutMs: 2_000 })) as Partial<Token>;
          expect(isTime(token.expiresAt), "expiresAt").toBe(true);
          expect(isTime(token.refreshExpiresAt), "refreshExpiresAt").toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(VendorFailure);
          const { retryAfter } = error as VendorFailure;
          expect(retryAfter === undefined || (Number.isFinite(retryAfter) && retryAfter >= 0)).toBe(
            true,
          );
        }
      }),
      { numRuns: 300 },
    );
  },
);
