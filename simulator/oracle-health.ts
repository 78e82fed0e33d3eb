import type { Resource, Slot } from "@medplum/fhirtypes";

import { defineSimulation } from "./define.ts";
import { refuse } from "./fhir/outcome.ts";
import { known, records } from "./fhir/records.ts";
import { newEhr, weight } from "./smart/ehr.ts";
import { demoKey } from "./smart/keys.ts";

export const oracleKeys = {
  rs384: demoKey("RS384", "ehrconnect-2026"),
  es384: demoKey("ES384", "ehrconnect-2026-ec"),
};
/** The tenant of the sandbox, and one that has not enabled the app. */
const tenant = "ec2458f2-1e24-41c8-b71b-0e701af7583d";
export const oracleOtherTenant = "11111111-1e24-41c8-b71b-0e701af7583d";

const hosts = ["fhir-ehr-code.cerner.com", "fhir-ehr.cerner.com"];
/** A file store: it takes the signature in the address, and refuses a token beside it. */
const fileHost = "files.cerner-export.example";

const readable = [
  "AllergyIntolerance",
  "Appointment",
  "Binary",
  "Condition",
  "DocumentReference",
  "Encounter",
  "Group",
  "Location",
  "MedicationRequest",
  "Observation",
  "Organization",
  "Patient",
  "Practitioner",
  "Schedule",
  "Slot",
];
const creatable = [
  "AllergyIntolerance",
  "Appointment",
  "Condition",
  "DocumentReference",
  "Encounter",
  "MedicationRequest",
  "Observation",
  "Patient",
];
const updatable = ["AllergyIntolerance", "Condition", "DocumentReference", "Observation"];
const patchable = ["Appointment", "Encounter", "MedicationRequest", "Patient", "Slot"];

const scopes = [
  ...readable.map((type) => `system/${type}.read`),
  ...[...new Set([...creatable, ...updatable, ...patchable])].map((type) => `system/${type}.write`),
];
const credentials = {
  tenantId: tenant,
  clientId: "10000000-0000-4000-8000-000000000001",
  privateKey: oracleKeys.rs384.privateKey,
  keyId: oracleKeys.rs384.kid,
  scopes: scopes.join(" "),
};
export const oracleSecret = {
  clientId: "10000000-0000-4000-8000-000000000002",
  clientSecret: "example-client-secret",
};
export const oraclePatientsOnly = {
  clientId: "10000000-0000-4000-8000-000000000003",
  clientSecret: "simulated-patients-only-secret",
};

/** The reason is the end of a URN in an address, and `error` alone says little. */
function refusal(error: string, reason: string) {
  const why = {
    invalid_client: "invalid-authorization-header",
    invalid_scope: "empty-scopes",
    invalid_grant: "invalid-tenant",
  }[error];
  const urn = encodeURIComponent(
    `urn:cerner:error:authorization-server:oauth2:token:${why ?? "invalid-request"}`,
  );
  const error_uri = `https://authorization.cerner.com/errors/${urn}/instances/1?client=unknown&tenant=${tenant}`;
  return Response.json(
    { error, error_uri },
    {
      status: error === "invalid_client" ? 401 : 400,
      headers: { "cache-control": "no-store", "x-simulator-reason": reason },
    },
  );
}

const system = `https://fhir.cerner.com/${tenant}/codeSet/14249`;
export const oracleServiceType = `${system}|4047611`;
/** Times are offered by appointment type. */
const withServiceType = (resource: Resource): Resource =>
  resource.resourceType === "Slot"
    ? ({ ...resource, serviceType: [{ coding: [{ system, code: "4047611" }] }] } satisfies Slot)
    : resource;

const isInstant = (limit: string) => /^(?:ge|gt|le|lt)\d{4}-\d\d-\d\dT\S+Z$/.test(limit);

function rules(type: string, query: URLSearchParams): Response | undefined {
  const missing = (text: string) => refuse(400, "required", text);
  const has = (...names: string[]) => names.some((name) => query.has(name));
  const dates = [...query.getAll("date"), ...query.getAll("start")];
  switch (type) {
    case "Patient":
      if (has("_id", "identifier", "name", "family", "given", "birthdate", "phone", "email"))
        return undefined;
      return missing("No supported search parameters provided");
    case "Appointment":
      if (!has("_id", "patient", "practitioner", "location"))
        return missing("No supported search parameters provided");
      if (!has("_id") && dates.length === 0) return missing("date is required with patient");
      return dates.every(isInstant) ? undefined : refuse(400, "invalid", "date needs a time");
    case "Slot":
      if (has("_id")) return undefined;
      if (!has("service-type") || dates.length !== 2)
        return missing("service-type and start (ge and lt) are required");
      return has("status") || !dates.every(isInstant)
        ? refuse(400, "invalid", "start needs times, and status is not supported")
        : undefined;
    case "Encounter":
      if (!has("_id", "patient", "subject", "account", "identifier"))
        return missing("No supported search parameters provided");
      return dates.every(isInstant) ? undefined : refuse(400, "invalid", "date needs a time");
    case "AllergyIntolerance":
    case "Condition":
      if (query.has("_count")) return refuse(400, "not-supported", "_count is not supported");
      return has("_id", "patient", "subject") ? undefined : missing("patient is required");
    case "DocumentReference":
    case "MedicationRequest":
    case "Observation":
      return has("_id", "patient", "subject") ? undefined : missing("patient is required");
    default:
      return undefined;
  }
}

export const simulation = defineSimulation(() => {
  const ehr = newEhr({
    seed: "oracle-health",
    software: "Oracle Health Millennium",
    base: "/r4/:tenant",
    hasTenant: (given) => given === tenant,
    noTenant: () => refuse(403, "forbidden", "Tenant not valid or accessible"),
    token: "/tenants/:tenant/hosts/:host/protocols/oauth2/profiles/smart-v1/token",
    tokenHost: "authorization.cerner.com",
    people: {
      vendor: "Oracle Health",
      authorize: "/tenants/:tenant/protocols/oauth2/profiles/smart-v1/personas/provider/authorize",
      revoke: "/tenants/:tenant/protocols/oauth2/profiles/smart-v1/token/revoke",
      issuer: `https://authorization.cerner.com/tenants/${tenant}`,
    },
    authorization: { algorithms: ["RS384", "ES384"], lifetimeSeconds: 570, refusal },
    clients: [
      {
        id: credentials.clientId,
        keys: [oracleKeys.rs384.publicJwk, oracleKeys.es384.publicJwk],
        scopes,
      },
      {
        id: oracleSecret.clientId,
        secret: oracleSecret.clientSecret,
        keys: [],
        scopes,
      },
      {
        id: oraclePatientsOnly.clientId,
        secret: oraclePatientsOnly.clientSecret,
        keys: [],
        scopes: ["system/Patient.rs"],
      },
    ],
    methods: ["client_secret_basic", "private_key_jwt"],
    unauthorized: () =>
      new Response(null, {
        status: 401,
        headers: { "www-authenticate": 'Bearer error="invalid_token"' },
      }),
    fhir: {
      readable,
      creatable,
      updatable,
      patchable,
      records: (now) => records(now).map(withServiceType),
      rules,
      tooManyPatients: { most: 1000, status: 422 },
      page: { name: "-pageContext", beside: "&-pageDirection=NEXT" },
      conflict: 409,
      bulk: {
        job: (id) => `bulk-export/jobs/${id}`,
        file: (id, type) => `bulk-export/files/${id}.${type}`,
      },
    },
    bulkPath: (path) => /^bulk-export\/jobs\/(\w+)$/.exec(path)?.[1],
    first(request) {
      const url = new URL(request.url);
      const [, job, type] = /\/bulk-export\/files\/(\w+)\.(\w+)$/.exec(url.pathname) ?? [];
      if (url.host === "authorization.cerner.com" && !url.pathname.includes(`/tenants/${tenant}/`))
        return refusal("invalid_grant", "there is no such tenant");
      if (url.host === fileHost)
        return request.headers.has("authorization") || url.searchParams.get("signature") !== "ok"
          ? new Response("Only one auth mechanism allowed", { status: 400 })
          : ehr.fhir.exports.handle(request, "", `${url.pathname.slice(1)}`);
      if (job !== undefined && type !== undefined && ehr.scopesOf(request))
        return new Response(null, {
          status: 307,
          headers: { location: `https://${fileHost}/${job}/${type}?signature=ok` },
        });
      return undefined;
    },
  });

  return {
    hosts: [...hosts, "authorization.cerner.com", fileHost],
    app: ehr.app,
    credentials,
    faults: ehr.faults,
    params: {
      ...ehr.params(`/r4/${tenant}`),
      updateResource: async () => ({
        resource: { ...weight, id: known.observation },
        version: await ehr.fhir.versionOf("Observation", known.observation),
      }),
      patchResource: async () => ({
        type: "Appointment",
        id: known.appointment,
        version: await ehr.fhir.versionOf("Appointment", known.appointment),
        changes: [{ op: "replace", path: "/status", value: "cancelled" }],
      }),
    },
    reset: ehr.reset,
  };
});
