import { defineSimulation, unixNow } from "./define.ts";
import { refuse } from "./fhir/outcome.ts";
import { newEhr, weight } from "./smart/ehr.ts";
import { demoKey } from "./smart/keys.ts";

export const ecwKeys = {
  rs384: demoKey("RS384", "ehrconnect-2026"),
  es384: demoKey("ES384", "ehrconnect-2026-ec"),
};
const practices = ["FEIGCD"];
/** A practice that has not enabled the app. */
export const ecwOtherPractice = "ZZZZZZ";
const facade = "fhir4.eclinicalworks.com";
const tokenHost = "oauthserver.eclinicalworks.com";

const readable = [
  "AllergyIntolerance",
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
];
const creatable = [
  "AllergyIntolerance",
  "Condition",
  "DocumentReference",
  "Encounter",
  "MedicationRequest",
  "Observation",
  "Patient",
];
const groupScope = "system/Group.read";
const scopes = [
  ...readable.filter((type) => type !== "Group").map((type) => `system/${type}.read`),
  ...creatable.map((type) => `system/${type}.c`),
  "system/Patient.u",
];

const credentials = {
  practiceCode: "FEIGCD",
  clientId: "30000000-0000-4000-8000-000000000001",
  privateKey: ecwKeys.rs384.privateKey,
  keyId: ecwKeys.rs384.kid,
  use: "bulk",
  scopes: scopes.join(" "),
};
/** Apps for single patients: one may read charts, the other patients alone. */
export const ecwSingle = { clientId: "30000000-0000-4000-8000-000000000002", use: "patient" };
export const ecwPatientsOnly = { clientId: "30000000-0000-4000-8000-000000000003", use: "patient" };
/** A provider app, which people let in; it may prove itself by its secret or by its key. */
export const ecwPerson = {
  clientId: "30000000-0000-4000-8000-000000000004",
  clientSecret: "example-client-secret",
};
const bulkClients: readonly string[] = [credentials.clientId];

/** The portal's page “Backend authentication”: a scope is refused as invalid_grant. */
function refusal(error: string, reason: string) {
  const named = error === "invalid_scope" ? "invalid_grant" : error;
  const error_description = {
    invalid_client: "No client_id found, client_id mismatch or kid mismatch",
    invalid_grant: "The requested scope is not supported, invalid, unknown, or malformed",
  }[named];
  return Response.json(
    { error: named, error_description: error_description ?? "The request is not valid" },
    {
      status: named === "invalid_client" ? 401 : 400,
      headers: { "cache-control": "no-store", "x-simulator-reason": reason },
    },
  );
}

const ofPatient = new Set([
  "AllergyIntolerance",
  "Condition",
  "DocumentReference",
  "Encounter",
  "MedicationRequest",
  "Observation",
]);
/** What the CapabilityStatement does not list. */
const unknown: Readonly<Record<string, readonly string[]>> = {
  Patient: ["telecom"],
  Encounter: ["status"],
  Condition: ["clinical-status"],
  DocumentReference: ["status"],
};
function rules(type: string, query: URLSearchParams): Response | undefined {
  const odd = unknown[type]?.find((name) => query.has(name));
  if (odd) return refuse(400, "not-supported", `${odd} is not a search parameter`);
  if (ofPatient.has(type) && !["_id", "patient"].some((name) => query.has(name)))
    return refuse(400, "required", "patient is required");
  if (
    type === "Patient" &&
    [...query.keys()].every((name) => name.startsWith("_") && name !== "_id")
  )
    return refuse(400, "required", "A search parameter is required");
  return undefined;
}

const mostPerMinute = 250;

export const simulation = defineSimulation(() => {
  const used = { minute: 0, requests: 0 };
  const ehr = newEhr({
    seed: "eclinicalworks",
    software: "eCW FHIR Facade",
    base: "/fhir/r4/:tenant",
    hasTenant: (practice) => practices.includes(practice),
    noTenant: () => refuse(401, "login", "The practice has not enabled this app"),
    token: "/oauth/oauth2/token",
    tokenHost,
    people: {
      vendor: "eClinicalWorks",
      authorize: "/oauth/oauth2/authorize",
    },
    authorization: {
      algorithms: ["RS384"],
      lifetimeSeconds: 300,
      refusal,
      allOrNothing: true,
      refuseScopes: (client, wanted) =>
        wanted.includes(groupScope) === bulkClients.includes(client.id)
          ? undefined
          : "invalid_grant",
    },
    clients: [
      {
        id: credentials.clientId,
        keys: [ecwKeys.rs384.publicJwk],
        scopes: [...scopes, groupScope],
      },
      { id: ecwSingle.clientId, keys: [ecwKeys.rs384.publicJwk, ecwKeys.es384.publicJwk], scopes },
      {
        id: ecwPatientsOnly.clientId,
        keys: [ecwKeys.rs384.publicJwk],
        scopes: ["system/Patient.read"],
      },
      {
        id: ecwPerson.clientId,
        secret: ecwPerson.clientSecret,
        keys: [ecwKeys.rs384.publicJwk],
        scopes: [],
      },
    ],
    methods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
    unauthorized: () => refuse(401, "login", "The access token is missing, invalid or expired"),
    fhir: {
      readable,
      creatable,
      updatable: ["Patient"],
      rules,
      page: { name: "page" },
      bulk: {
        job: (id) => `$export-poll-location?job_id=${id}`,
        file: (id, type) => `$export-download?job_id=${id}&type=${type}`,
      },
    },
    bulkPath(path, query) {
      const id = query.get("job_id");
      if (id === null || !path.startsWith("$export-")) return undefined;
      return path === "$export-download" ? `${id}/${query.get("type")}` : id;
    },
    async first(request) {
      const minute = Math.floor(unixNow() / 60);
      if (used.minute !== minute) Object.assign(used, { minute, requests: 0 });
      used.requests += 1;
      if (used.requests > mostPerMinute) return new Response(null, { status: 429 });
      const url = new URL(request.url);
      const kickoff = /\/Group\/([^/]+)\/\$export$/.exec(decodeURIComponent(url.pathname));
      if (!kickoff || !ehr.scopesOf(request)) return undefined;
      // Whoever may not have the group is told nothing more than that.
      if ((await ehr.fhir.versionOf("Group", kickoff[1] ?? "")) === undefined)
        return refuse(401, "login", "The token or the group is not valid");
      if (ehr.fhir.exports.isRunning(request.url))
        return refuse(400, "duplicate", "An identical export is in progress");
      return undefined;
    },
  });
  const root = "/fhir/r4/FEIGCD";
  return {
    hosts: [facade, tokenHost],
    app: ehr.app,
    credentials,
    faults: ehr.faults,
    params: {
      ...ehr.params(root),
      updateResource: () => ({
        resource: { resourceType: "Patient", id: "eSimPatient0002", name: [{ family: "Renamed" }] },
      }),
      createResource: () => ({ resource: weight }),
    },
    reset() {
      ehr.reset();
      used.requests = 0;
    },
  };
});
