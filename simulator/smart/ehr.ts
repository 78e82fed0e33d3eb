import { Hono } from "hono";
import * as z from "zod";

import { idSequence, type Simulation } from "../define.ts";
import { fhirReply, refuse } from "../fhir/outcome.ts";
import { known } from "../fhir/records.ts";
import { type FhirOptions, newFhirServer } from "../fhir/server.ts";
import { allows, type Client, newAuthorization, tokenRefusal } from "./authorization.ts";
import { newPeople } from "./people.ts";

/** An EHR: a FHIR server whose tokens come from the endpoint that its discovery names. */
export type EhrOptions = {
  /** Makes its ids. */
  seed: string;
  software: string;
  /** The path of the FHIR base, with the tenant if it is in there: `/r4/:tenant`. */
  base: string;
  hasTenant: (tenant: string) => boolean;
  noTenant: () => Response;
  /** The host of the authorization server, where it is not the FHIR server's own. */
  tokenHost?: string;
  /** The path of the token endpoint, which may name the tenant and the FHIR server's host. */
  token: string;
  authorization: NonNullable<Parameters<typeof newAuthorization>[2]>;
  /** Where people sign in. */
  people: {
    vendor: string;
    /** The path, with the tenant as in `base` if it is in there. */
    authorize: string;
    /** Where the vendor announces revocation. */
    revoke?: string;
    issuer?: string;
    hasScope?: (scope: string) => boolean;
  };
  clients: readonly Client[];
  methods: readonly string[];
  unauthorized: () => Response;
  fhir: FhirOptions;
  /** `<job>` or `<job>/<type>` where the address is of a bulk export. */
  bulkPath?: (path: string, query: URLSearchParams) => string | undefined;
  /** Asked before anything is answered: a rate limit, or what else is at its hosts. */
  first?: (request: Request) => Response | undefined | Promise<Response | undefined>;
};

const Registration = z.object({
  clientId: z.string(),
  jwksUrl: z.url(),
  scopes: z.array(z.string()),
});

export const weight = {
  resourceType: "Observation",
  status: "final",
  code: { text: "Weight" },
  subject: { reference: `Patient/${known.patient}` },
  valueQuantity: { value: 70, unit: "kg" },
};

export function newEhr(options: EhrOptions) {
  const { seed, base, hasTenant, noTenant, unauthorized } = options;
  const ids = idSequence(seed);
  const authorization = newAuthorization(options.clients, ids, options.authorization);
  const { refusal = tokenRefusal, lifetimeSeconds, algorithms } = options.authorization;
  const { people: place } = options;
  const people = newPeople(
    {
      vendor: place.vendor,
      refusal,
      lifetimeSeconds,
      issuer: place.issuer,
      hasScope: place.hasScope,
    },
    authorization,
    ids,
  );
  const basePath = new RegExp(`^${base.replace(":tenant", "([^/]+)")}$`);
  function isFhirBase(address: string) {
    const found = basePath.exec(URL.parse(address)?.pathname ?? "");
    return found !== null && hasTenant(found[1] ?? "");
  }
  const scopesOf = (request: Request) =>
    authorization.grantOf(request)?.scopes ?? people.scopesOf(request);
  const fhir = newFhirServer(options.fhir, () => ids.letters("", 22));

  const app = new Hono();
  app.use("*", async function first(c, next) {
    const reply = await options.first?.(c.req.raw);
    if (reply) return reply;
    return next();
  });
  /** What a developer enters at the vendor's portal. */
  app.post("/simulated-portal/apps", async (c) => {
    const { clientId, jwksUrl, scopes } = Registration.parse(await c.req.json());
    authorization.register({ id: clientId, keys: [], jwksUrl, scopes });
    return c.json({ registered: clientId }, 201);
  });
  app.post(
    options.token,
    async (c) => (await people.token(c.req.raw)) ?? authorization.token(c.req.raw),
  );
  app.get(place.authorize, (c) => people.authorize(c.req.raw, isFhirBase));
  if (place.revoke) app.post(place.revoke, (c) => people.revoke(c.req.raw));
  app.get(`${base}/.well-known/smart-configuration`, (c) => {
    const tenant = c.req.param("tenant") ?? "";
    if (!hasTenant(tenant)) return noTenant();
    const { host } = new URL(c.req.url);
    const at = (path: string) =>
      `https://${options.tokenHost ?? host}${path.replace(":tenant", tenant).replace(":host", host)}`;
    return c.json({
      ...(place.issuer && { issuer: place.issuer }),
      authorization_endpoint: at(place.authorize),
      token_endpoint: at(options.token),
      ...(place.revoke && { revocation_endpoint: at(place.revoke) }),
      token_endpoint_auth_methods_supported: options.methods,
      token_endpoint_auth_signing_alg_values_supported: algorithms,
      grant_types_supported: ["authorization_code", "client_credentials"],
      code_challenge_methods_supported: ["S256"],
      scopes_supported: options.fhir.readable.flatMap((type) => [
        `system/${type}.rs`,
        `user/${type}.rs`,
      ]),
      capabilities: [
        "launch-standalone",
        "client-confidential-asymmetric",
        "client-confidential-symmetric",
        "permission-user",
        "permission-v1",
        "permission-v2",
      ],
    });
  });
  app.get(`${base}/metadata`, () =>
    fhirReply({
      resourceType: "CapabilityStatement",
      status: "active",
      date: "2026-11-01",
      kind: "instance",
      software: { name: options.software, version: "simulated" },
      fhirVersion: "4.0.1",
      format: ["json"],
      rest: [
        {
          mode: "server",
          resource: options.fhir.readable.map((type) => ({
            type,
            interaction: [
              { code: "read" },
              { code: "search-type" },
              ...(options.fhir.creatable.includes(type) ? [{ code: "create" }] : []),
              ...(options.fhir.updatable.includes(type) ? [{ code: "update" }] : []),
            ],
          })),
        },
      ],
    }),
  );
  app.all(`${base}/*`, (c) => {
    const scopes = scopesOf(c.req.raw);
    if (!scopes) return unauthorized();
    const tenant = c.req.param("tenant") ?? "";
    if (!hasTenant(tenant)) return noTenant();
    const { origin, pathname, searchParams } = new URL(c.req.url);
    const root = base.replace(":tenant", tenant);
    const path = decodeURIComponent(pathname).slice(root.length + 1);
    const job = options.bulkPath?.(path, searchParams);
    if (job !== undefined) return fhir.exports.handle(c.req.raw, origin + root, job);
    return fhir.handle(c.req.raw, origin + root, path, (type, letter) =>
      allows(scopes, type, letter),
    );
  });

  const faults: NonNullable<Simulation["faults"]> = {
    /** Tokens are forgotten, so that a new one helps; at the token endpoint, the client is. */
    expired_credentials(_fault, request) {
      if (request.method === "POST" && new URL(request.url).pathname.endsWith("token"))
        return refusal("invalid_client", "expired");
      authorization.expireTokens();
      people.expireTokens();
      return unauthorized();
    },
    forbidden: () => refuse(403, "forbidden", "The scope is not sufficient"),
    server_error: () => refuse(500, "exception", "An unexpected error"),
  };

  /** Params of the operations that need what is not there at the start; `root` is the path of the base. */
  const params = (root: string): NonNullable<Simulation["params"]> => {
    const { job, file } = options.fhir.bulk ?? {
      job: (id: string) => `BulkRequest/${id}`,
      file: (id: string, type: string) => `BulkRequest/${id}/${type}`,
    };
    const begin = () => fhir.startExport(["Patient"]);
    return {
      createResource: () => ({ resource: weight }),
      checkExport: async () => ({ job: `${root}/${job(await begin())}` }),
      cancelExport: async () => ({ job: `${root}/${job(await begin())}` }),
      downloadExportFile: async () => ({ file: `${root}/${file(await begin(), "Patient")}` }),
    };
  };

  return {
    app,
    scopesOf,
    fhir,
    faults,
    params,
    reset() {
      authorization.reset();
      people.reset();
      fhir.reset();
      ids.reset();
    },
  };
}
