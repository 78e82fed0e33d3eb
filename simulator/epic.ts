import { Hono } from "hono";

import { defineSimulation, idSequence } from "./define.ts";
import { fhirReply, outcome } from "./fhir/outcome.ts";
import { known } from "./fhir/records.ts";
import { newFhirServer } from "./fhir/server.ts";
import { allows, newAuthorization, tokenRefusal } from "./smart/authorization.ts";
import { demoKey } from "./smart/keys.ts";
import { newPeople } from "./smart/people.ts";

/** Computed once a process: finding the primes takes a moment. */
const keys = {
  rs384: demoKey("RS384", "ehrconnect-2026"),
  es384: demoKey("ES384", "ehrconnect-2026-ec"),
};
export const epicKeys = keys;

const codes = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369";
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
  "Condition",
  "DocumentReference",
  "Observation",
  "Patient",
];
const updatable = ["DocumentReference", "Observation"];

const credentials = {
  clientId: "00000000-0000-4000-8000-000000000000",
  privateKey: keys.rs384.privateKey,
  keyId: keys.rs384.kid,
  testPatientId: known.patient,
  scopes: [
    ...readable.map((type) => `system/${type}.read`),
    ...creatable.map((type) => `system/${type}.write`),
  ].join(" "),
};
/** The same registration by secret, and one that may read patients and nothing else. */
export const epicSecret = {
  clientId: credentials.clientId,
  clientSecret: "example-client-secret",
};
export const epicPatientsOnly = {
  clientId: "00000000-0000-4000-8000-00000000a11c",
  clientSecret: "simulated-patients-only-secret",
};

export const simulation = defineSimulation(() => {
  const ids = idSequence("epic");
  const jwks = [keys.rs384.publicJwk, keys.es384.publicJwk];
  const authorization = newAuthorization(
    [
      {
        id: credentials.clientId,
        secret: epicSecret.clientSecret,
        keys: jwks,
        scopes: [
          "system/*.rs",
          ...creatable.flatMap((type) => [
            `system/${type}.c`,
            `system/${type}.u`,
            `system/${type}.write`,
          ]),
        ],
      },
      {
        id: epicPatientsOnly.clientId,
        secret: epicPatientsOnly.clientSecret,
        keys: [],
        scopes: ["system/Patient.rs"],
      },
    ],
    ids,
  );
  const people = newPeople(
    {
      vendor: "Epic",
      refusal: tokenRefusal,
    },
    authorization,
    ids,
  );
  const fhir = newFhirServer({ codes, readable, creatable, updatable }, () => ids.letters("", 22));

  const app = new Hono();
  // Organizations may demand that the FHIR base is named; the sandbox's does.
  app.get("/:instance/oauth2/authorize", (c) => {
    const { origin } = new URL(c.req.url);
    const base = `${origin}/${c.req.param("instance")}/api/FHIR/R4`;
    return people.authorize(c.req.raw, (aud) => aud === base);
  });
  app.post(
    "/:instance/oauth2/token",
    async (c) => (await people.token(c.req.raw)) ?? authorization.token(c.req.raw),
  );
  app.post("/:instance/oauth2/revoke", (c) => people.revoke(c.req.raw));

  const api = "/:instance/api/FHIR/R4";
  const rootOf = (url: string) => /^(https:\/\/[^/]+\/[^/]+)\/api\/FHIR\/R4/.exec(url)?.[1] ?? "";
  app.get(`${api}/.well-known/smart-configuration`, (c) => {
    const root = rootOf(c.req.url);
    return c.json({
      authorization_endpoint: `${root}/oauth2/authorize`,
      token_endpoint: `${root}/oauth2/token`,
      token_endpoint_auth_methods_supported: [
        "client_secret_post",
        "client_secret_basic",
        "private_key_jwt",
      ],
      token_endpoint_auth_signing_alg_values_supported: ["RS384", "ES384"],
      revocation_endpoint: `${root}/oauth2/revoke`,
      grant_types_supported: ["authorization_code", "refresh_token", "client_credentials"],
      code_challenge_methods_supported: ["S256"],
      scopes_supported: readable.flatMap((type) => [`system/${type}.rs`, `user/${type}.rs`]),
      capabilities: [
        "launch-standalone",
        "client-confidential-asymmetric",
        "permission-v1",
        "permission-v2",
      ],
    });
  });
  app.get(`${api}/metadata`, (c) => {
    const root = rootOf(c.req.url);
    const oauth = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";
    return fhirReply({
      resourceType: "CapabilityStatement",
      status: "active",
      date: "2026-11-01",
      kind: "instance",
      software: { name: "Epic", version: "November 2026, simulated" },
      fhirVersion: "4.0.1",
      format: ["json"],
      rest: [
        {
          mode: "server",
          security: {
            extension: [
              { url: oauth, extension: [{ url: "token", valueUri: `${root}/oauth2/token` }] },
            ],
            service: [
              {
                coding: [
                  {
                    system: "http://terminology.hl7.org/CodeSystem/restful-security-service",
                    code: "SMART-on-FHIR",
                  },
                ],
              },
            ],
          },
          resource: readable.map((type) => ({
            type,
            interaction: [
              { code: "read" },
              { code: "search-type" },
              ...(creatable.includes(type) ? [{ code: "create" }] : []),
              ...(updatable.includes(type) ? [{ code: "update" }] : []),
            ],
          })),
        },
      ],
    });
  });
  app.all(`${api}/*`, (c) => {
    const scopes = authorization.grantOf(c.req.raw)?.scopes ?? people.scopesOf(c.req.raw);
    if (!scopes) return unauthorized();
    const base = `${rootOf(c.req.url)}/api/FHIR/R4`;
    const path = decodeURIComponent(new URL(c.req.url).pathname).replace(
      /^\/[^/]+\/api\/FHIR\/R4\//,
      "",
    );
    return fhir.handle(c.req.raw, base, path, (type, letter) => allows(scopes, type, letter));
  });

  const unauthorized = () =>
    new Response(null, {
      status: 401,
      headers: {
        "www-authenticate":
          'Bearer error="invalid_token", error_description="The access token is not valid"',
      },
    });

  const weight = {
    resourceType: "Observation",
    status: "final",
    code: { text: "Weight" },
    subject: { reference: `Patient/${known.patient}` },
    valueQuantity: { value: 70, unit: "kg" },
  };
  const job = async () =>
    `/interconnect-fhir-oauth/api/FHIR/R4/BulkRequest/${await fhir.startExport(["Patient"])}`;

  return {
    hosts: ["fhir.epic.com", "fhir.clinic.example", "epic.example.org"],
    app,
    credentials,
    faults: {
      /** Tokens are forgotten, so that a new one helps; at the token endpoint, the client is. */
      expired_credentials(_, request) {
        if (request.url.endsWith("/oauth2/token")) return tokenRefusal("invalid_client", "expired");
        authorization.expireTokens();
        people.expireTokens();
        return unauthorized();
      },
      forbidden: () =>
        fhir.say(403, "fatal", "forbidden", "Client not authorized for this resource", "4118"),
      server_error: () =>
        fhirReply(
          outcome(codes, {
            severity: "fatal",
            code: "exception",
            text: "An unknown error has occurred",
          }),
          500,
        ),
    },
    params: {
      createResource: () => ({ resource: weight }),
      updateResource: () => ({ resource: { ...weight, id: known.observation } }),
      checkExport: async () => ({ job: await job() }),
      cancelExport: async () => ({ job: await job() }),
      downloadExportFile: async () => ({ file: `${await job()}/Patient` }),
    },
    reset() {
      authorization.reset();
      people.reset();
      fhir.reset();
      ids.reset();
    },
  };
});
