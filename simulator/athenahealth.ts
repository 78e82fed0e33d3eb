import { newOwnApi } from "./athenahealth/own-api.ts";
import { athenaRecords, practiceId } from "./athenahealth/practice.ts";
import { newSubscriptions, notification } from "./athenahealth/subscriptions.ts";
import { defineSimulation } from "./define.ts";
import { refuse } from "./fhir/outcome.ts";
import { newEhr } from "./smart/ehr.ts";
import { demoKey } from "./smart/keys.ts";

export const athenaKeys = {
  rs384: demoKey("RS384", "ehrconnect-2026"),
  es384: demoKey("ES384", "ehrconnect-2026-ec"),
};
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
const own = "athena/service/Athenanet.MDP.*";
const subscriptionScopes = ["system/Subscription.read", "system/Subscription.write"];
const scopes = [own, ...readable.map((type) => `system/${type}.read`), ...subscriptionScopes];

const credentials = {
  practiceId,
  clientId: "0oa0example0client0id",
  clientSecret: "example-client-secret",
  scopes: scopes.join(" "),
  webhookSecret: "example-notification-secret-0123456789",
};
/** An app that signs, one for FHIR alone, and one for the practice's own API alone. */
export const athenaSigned = { clientId: "0oa0example0signing0id" };
export const athenaFhirOnly = {
  clientId: "0oa0example0fhir0only",
  clientSecret: "simulated-fhir-only-secret",
};
export const athenaOwnOnly = {
  clientId: "0oa0example0own0only",
  clientSecret: "simulated-own-only-secret",
};

/** As the authorization server, which is Okta's, says it. */
function refusal(error: string, reason: string) {
  const error_description = {
    invalid_client: "The client secret supplied for a confidential client is invalid.",
    invalid_scope: "One or more scopes are not configured for the authorization server resource.",
  }[error];
  return Response.json(
    { error, error_description: error_description ?? "The request is not valid." },
    {
      status: error === "invalid_client" ? 401 : 400,
      headers: { "cache-control": "no-store", "x-simulator-reason": reason },
    },
  );
}

const unknown: Readonly<Record<string, readonly string[]>> = {
  Patient: ["telecom"],
  Encounter: ["status"],
  Condition: ["clinical-status"],
  AllergyIntolerance: ["clinical-status"],
  DocumentReference: ["status"],
};
const chart = ["AllergyIntolerance", "Condition", "DocumentReference", "Encounter"];
const ofPatient = new Set([...chart, "MedicationRequest", "Observation"]);

/** The tenant is a search parameter, and every search names it. */
function rules(type: string, query: URLSearchParams): Response | undefined {
  const practice = query.get("ah-practice")?.replace(/^Organization\//, "");
  if (practice === undefined) return refuse(403, "forbidden", "ah-practice is required");
  if (practice !== `a-1.Practice-${practiceId}`)
    return refuse(403, "forbidden", "The app has no access to this practice");
  const odd = unknown[type]?.find((name) => query.has(name));
  if (odd) return refuse(400, "not-supported", `${odd} is not a search parameter`);
  if (ofPatient.has(type) && !["_id", "patient"].some((name) => query.has(name)))
    return refuse(400, "required", "patient is required");
  const named = [...query.keys()].filter((name) => !/^(?:ah-practice|_count|cursor)$/.test(name));
  if (type === "Patient" && named.length === 0)
    return refuse(400, "required", "A search parameter is required");
  return undefined;
}

export const simulation = defineSimulation(() => {
  const api = newOwnApi();
  const subscriptions = newSubscriptions();
  const unauthorized = () =>
    Response.json(
      { error: "Unauthorized" },
      { status: 401, headers: { "www-authenticate": "Bearer" } },
    );
  const ehr = newEhr({
    seed: "athenahealth",
    software: "athenahealth FHIR Server",
    base: "/fhir/r4",
    hasTenant: () => true,
    noTenant: () => refuse(403, "forbidden", "The app has no access to this practice"),
    token: "/oauth2/v1/token",
    people: {
      vendor: "athenahealth",
      authorize: "/oauth2/v1/authorize",
      revoke: "/oauth2/v1/revoke",
      issuer: "https://athena.okta.com/oauth2/aus2hff5eqFb7Wqfh297",
    },
    authorization: { algorithms: ["RS384", "ES384"], refusal, allOrNothing: true },
    clients: [
      { id: credentials.clientId, secret: credentials.clientSecret, keys: [], scopes },
      {
        id: athenaSigned.clientId,
        keys: [athenaKeys.rs384.publicJwk, athenaKeys.es384.publicJwk],
        scopes,
      },
      {
        id: athenaFhirOnly.clientId,
        secret: athenaFhirOnly.clientSecret,
        keys: [],
        scopes: ["system/Patient.rs"],
      },
      {
        id: athenaOwnOnly.clientId,
        secret: athenaOwnOnly.clientSecret,
        keys: [],
        scopes: [own],
      },
    ],
    methods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
    unauthorized,
    fhir: {
      readable,
      creatable: [],
      updatable: [],
      records: athenaRecords,
      rules,
      page: { name: "cursor", beside: `&ah-practice=a-1.Practice-${practiceId}` },
      bulk: {
        job: (id) => `bulk/status/${id}`,
        file: (id, type) => `bulk/files/${id}/${type}`,
      },
    },
    bulkPath: (path) => /^bulk\/(?:status|files)\/(.+)$/.exec(path)?.[1],
    first(request) {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/fhir/r4/Subscription")) {
        const may = ehr.scopesOf(request) ?? [];
        const needed = `system/Subscription.${request.method === "GET" ? "read" : "write"}`;
        return may.includes(needed)
          ? subscriptions.handle(request)
          : refuse(403, "forbidden", "The scope is not sufficient");
      }
      const [, practice] = /^\/v1\/(\d+)\//.exec(pathname) ?? [];
      if (practice === undefined) return undefined;
      const may = ehr.scopesOf(request);
      if (!may) return unauthorized();
      if (practice !== practiceId || !may.includes(own))
        return Response.json(
          { error: "The application does not have access to this practice." },
          { status: 403 },
        );
      return api.fetch(request);
    },
  });
  const patient = `a-${practiceId}.E-1`;
  const searches = ["Encounters", "Observations", "Conditions", "MedicationRequests"];
  const perPatient = [...searches, "Allergies", "Documents"].map(
    (kind) => [`search${kind}`, () => ({ patient })] as const,
  );
  return {
    hosts: ["api.preview.platform.athenahealth.com", "api.platform.athenahealth.com"],
    app: ehr.app,
    credentials,
    faults: ehr.faults,
    webhook: notification,
    params: {
      ...Object.fromEntries(perPatient),
      readPatient: () => ({ id: patient }),
      unsubscribeFromEvents: () => ({ id: subscriptions.add() }),
      ...ehr.params("/fhir/r4"),
      listChanges: () => {
        api.subscribe("appointments");
        return { feed: "appointments" };
      },
    },
    reset() {
      ehr.reset();
      api.reset();
      subscriptions.reset();
    },
  };
});
