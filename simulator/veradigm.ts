import { defineSimulation } from "./define.ts";
import { refuse } from "./fhir/outcome.ts";
import { known } from "./fhir/records.ts";
import { newEhr, weight } from "./smart/ehr.ts";
import { demoKey } from "./smart/keys.ts";

export const veradigmKeys = {
  rs384: demoKey("RS384", "ehrconnect-2026"),
  es384: demoKey("ES384", "ehrconnect-2026-ec"),
};
/** The sandbox, an organization, and one that has not licensed the app. */
const tenants = ["CP00101", "10030240"];
export const veradigmOtherTenant = "10039999";

const writable = [
  "AllergyIntolerance",
  "Condition",
  "DocumentReference",
  "Immunization",
  "MedicationAdministration",
  "MedicationDispense",
  "MedicationRequest",
  "MedicationStatement",
  "Observation",
  "Questionnaire",
  "QuestionnaireResponse",
  "ServiceRequest",
];
const readable = [
  ...writable,
  "Binary",
  "Encounter",
  "Group",
  "Location",
  "Organization",
  "Patient",
  "Practitioner",
];
const scopes = readable.map((type) => `system/${type}.read`);

const credentials = {
  clientId: "20000000-0000-4000-8000-000000000001",
  privateKey: veradigmKeys.rs384.privateKey,
  keyId: veradigmKeys.rs384.kid,
  scopes: scopes.join(" "),
};
export const veradigmSecret = {
  clientId: "20000000-0000-4000-8000-000000000002",
  clientSecret: "example-client-secret",
};
export const veradigmPatientsOnly = {
  clientId: "20000000-0000-4000-8000-000000000003",
  clientSecret: "simulated-patients-only-secret",
};

/** The one scope of its smart-configuration that allows writing is everything that a person may do. */
const hasScope = (scope: string) =>
  scope === "user/*.*" ||
  /^(openid|profile|fhirUser|(offline|online)_access|(user|patient)\/(\w+|\*)\.(read|rs))$/.test(
    scope,
  );

/** As IdentityServer says it. */
const refusal = (error: string, reason: string) =>
  Response.json(
    { error },
    { status: 400, headers: { "cache-control": "no-store", "x-simulator-reason": reason } },
  );

const ofPatient = new Set([
  "AllergyIntolerance",
  "Condition",
  "DocumentReference",
  "Encounter",
  "MedicationRequest",
  "Observation",
]);
function rules(type: string, query: URLSearchParams): Response | undefined {
  if (ofPatient.has(type) && !["_id", "id", "patient"].some((name) => query.has(name)))
    return refuse(400, "required", "patient is required");
  if (type === "Patient" && query.has("telecom"))
    return refuse(400, "not-supported", "telecom is not a search parameter");
  return undefined;
}

export const simulation = defineSimulation(() => {
  const ehr = newEhr({
    seed: "veradigm",
    software: "Veradigm FHIR",
    base: "/fhirroute/fhir/:tenant",
    hasTenant: (tenant) => tenants.includes(tenant),
    noTenant: () => refuse(403, "forbidden", "The organization has not licensed this application"),
    token: "/fhirroute/authorizationV2/:tenant/connect/token",
    people: {
      vendor: "Veradigm",
      authorize: "/fhirroute/authorizationV2/:tenant/connect/authorize",
      hasScope,
    },
    authorization: { algorithms: ["RS384", "ES384"], refusal, allOrNothing: true },
    clients: [
      {
        id: credentials.clientId,
        keys: [veradigmKeys.rs384.publicJwk, veradigmKeys.es384.publicJwk],
        scopes,
      },
      { id: veradigmSecret.clientId, secret: veradigmSecret.clientSecret, keys: [], scopes },
      {
        id: veradigmPatientsOnly.clientId,
        secret: veradigmPatientsOnly.clientSecret,
        keys: [],
        scopes: ["system/Patient.rs"],
      },
    ],
    methods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
    unauthorized: () =>
      new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } }),
    fhir: {
      readable,
      creatable: writable,
      updatable: writable,
      unversioned: true,
      rules,
      tooManyPatients: { most: 100, status: 413 },
      page: { name: "page" },
    },
  });
  return {
    hosts: ["fhir.fhirpoint.open.allscripts.com", "fhir.example.org"],
    app: ehr.app,
    credentials,
    faults: ehr.faults,
    byPerson: ["createResource", "updateResource"],
    params: {
      ...ehr.params("/fhirroute/fhir/CP00101"),
      updateResource: () => ({ resource: { ...weight, id: known.observation } }),
    },
    reset: ehr.reset,
  };
});
