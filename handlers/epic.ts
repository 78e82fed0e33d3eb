import * as z from "zod";

import type { VendorCause } from "../problem.ts";
import { defineVendor } from "./define.ts";
import {
  createOperations,
  exportOperations,
  resourceOperations,
  updateOperations,
} from "./fhir-exchange.ts";
import { appointmentOperations, chartOperations, patientOperations } from "./fhir-operations.ts";
import { fhirFailure, fhirJson } from "./fhir.ts";
import { password, select, text, textarea, url } from "./fields.ts";

/** fhir.epic.com/Specifications, “Error codes”. */
const codes: Readonly<Record<string, readonly [VendorCause, string?]>> = {
  "4100": ["invalid_request", "Epic did not understand a search parameter"],
  "4102": ["not_found", "Epic has no such record"],
  "4103": ["not_found", "The record was deleted in Epic"],
  "4107": ["not_found", "The patient was merged into another"],
  "4110": ["invalid_request", "The search names nothing to search by"],
  "4111": ["invalid_request", "Epic needs another search parameter, such as the patient"],
  "4112": ["invalid_request", "Epic does not take these search parameters together"],
  "4113": ["invalid_request", "The list has expired at Epic: search again"],
  "4115": ["invalid_request", "A search parameter has a value that Epic does not know"],
  "4118": ["forbidden", "The Epic user behind the client may not see this"],
  "4127": ["invalid_request", "More than 100 patients match: narrow the search"],
  "4130": ["forbidden", "Break-the-Glass protects this record"],
  "4131": ["forbidden", "Break-the-Glass protects this patient"],
  "4135": ["rate_limited", "The day's number of document queries is used up"],
  "59102": ["invalid_request", "Epic did not accept the content"],
  "59105": ["invalid_request", "Epic could not read the content"],
  "59108": ["invalid_request", "Epic needs another element or search parameter"],
  "59111": [
    "invalid_request",
    "An element or search parameter has a value that Epic does not know",
  ],
  "59141": ["invalid_request", "Epic has this record already"],
  "59144": ["not_found", "Epic does not find what is referred to"],
  "59159": ["invalid_request", "A rule of the organization does not allow this"],
  "59177": ["vendor_unavailable", "Epic failed on its side"],
  "59187": ["invalid_request", "The patient has no flowsheet for patient-entered readings"],
  "59188": ["invalid_request", "No flowsheet row is mapped to this code"],
  "59189": ["invalid_request", "Epic could not file the reading"],
};

const readable = [
  "Patient",
  "Appointment",
  "Encounter",
  "Observation",
  "Condition",
  "MedicationRequest",
  "AllergyIntolerance",
  "DocumentReference",
  "Binary",
];

/** A name that nobody bears, so that the test proves the permission and sees no patient. */
const nobody = { family: "Ehrconnect-Probe", given: "Nobody", birthdate: "1900-01-01", _count: 1 };

export const vendor = defineVendor({
  name: "Epic",
  category: "ehr",
  alsoIn: ["hl7-fhir"],
  description:
    "Patients, appointments and charts from Epic over FHIR R4, with bulk export and, where the organization allows it, writing back.",
  website: "https://www.epic.com",
  documentation: "https://fhir.epic.com/Documentation",
  keywords: ["ehr", "emr", "fhir", "smart", "mychart", "patient", "chart", "hospital"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    sandbox: {
      baseUrl: "https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4",
      hosts: ["*"],
    },
    production: { hosts: ["*"], example: "https://epic.example.org/interconnect/api/FHIR/R4" },
  },
  steps: [
    {
      id: "credentials",
      title: "API credentials",
      description:
        "From your app at Epic on FHIR, application audience “Backend Systems”. Sandbox and production have different client IDs.",
      fields: {
        clientId: text({
          label: "Client ID",
          help: "Epic on FHIR, My Apps, your app: the Non-Production Client ID for the sandbox, the Client ID for production. A health system must download the app and map it to an Epic user before production works; changes take up to 12 hours.",
          helpUrl: "https://fhir.epic.com/Developer/Apps",
          pattern: "^[A-Za-z0-9_-]{10,}$",
          message: "Invalid client ID format: at least 10 letters, digits, - and _",
          example: "00000000-0000-4000-8000-000000000000",
        }),
        privateKey: textarea({
          label: "Private key",
          secret: true,
          placeholder: "-----BEGIN PRIVATE KEY-----",
          help: "The private half of the key whose public half your app's JWK Set URL (or the health system) holds: PKCS#8 PEM, or a JWK. RSA of at least 2048 bits, or EC P-384. A file that begins “BEGIN RSA PRIVATE KEY” is converted by openssl pkcs8 -topk8 -nocrypt.",
          helpUrl: "https://fhir.epic.com/Documentation?docId=oauth2&section=Creating-Key-Pair",
          pattern:
            '^\\s*(-----BEGIN PRIVATE KEY-----[A-Za-z0-9+/=\\s]+-----END PRIVATE KEY-----|\\{[^]*"kty"[^]*\\})\\s*$',
          message: "Paste a PKCS#8 PEM file (BEGIN PRIVATE KEY) or a JWK",
          example: "-----BEGIN PRIVATE KEY-----\nexample\n-----END PRIVATE KEY-----",
        }),
        keyId: text({
          label: "Key ID (kid)",
          required: false,
          help: "The kid of the key in your JWK Set. Epic chooses the key by it, so give it if the set holds more than one.",
          helpUrl: "https://fhir.epic.com/Documentation?docId=oauth2&section=JWKS",
          pattern: "^\\S{1,200}$",
          message: "A key ID holds no spaces",
          example: "ehrconnect-2026",
        }),
        clientSecret: password({
          label: "Client secret",
          help: "Only for an app that was registered with a secret: My Apps, your app, Client Secret. Backend Systems apps use a key.",
          helpUrl: "https://fhir.epic.com/Developer/Apps",
          example: "example-client-secret",
        }),
      },
      oneOf: [
        { label: "Private key (recommended)", fields: ["privateKey", "keyId"] },
        { label: "Client secret", fields: ["clientSecret"] },
      ],
    },
    {
      id: "configuration",
      title: "Configuration",
      fields: {
        scopes: text({
          label: "Scopes",
          help: "Separated by spaces. Each must be among the APIs that your app selected at Epic on FHIR; bulk export needs its four Bulk Data APIs and system/Group.read.",
          helpUrl: "https://fhir.epic.com/Documentation?docId=oauth2&section=Scopes",
          pattern: "^system/\\S+( system/\\S+)*$",
          message: "List scopes such as system/Patient.read, separated by spaces",
          default: readable.map((type) => `system/${type}.read`).join(" "),
          example: "system/Patient.read system/Appointment.read",
        }),
        algorithm: select({
          label: "Signature algorithm",
          help: "RS384 for an RSA key, ES384 for an EC key. Only used with a private key.",
          options: [
            { value: "RS384", label: "RS384 (RSA)" },
            { value: "ES384", label: "ES384 (EC P-384)" },
          ],
          default: "RS384",
          example: "RS384",
        }),
        testPatientId: text({
          label: "Test patient",
          required: false,
          placeholder: "erXuFYUfucBZaryVksYEcMg3",
          help: "FHIR id of a test patient that the test may read. Without one the test searches for a name that nobody bears. The sandbox's patients are listed at Epic on FHIR.",
          helpUrl: "https://fhir.epic.com/Documentation?docId=testpatients",
          pattern: "^[A-Za-z0-9._-]{1,256}$",
          message: "A FHIR id holds letters, digits and . _ - only",
          example: "erXuFYUfucBZaryVksYEcMg3",
        }),
        tokenUrl: url({
          label: "Token URL",
          required: false,
          placeholder: "https://fhir.epic.com/interconnect-fhir-oauth/oauth2/token",
          help: "Only where the server's /.well-known/smart-configuration names the wrong one.",
          helpUrl: "https://open.epic.com/MyApps/Endpoints",
          example: "https://fhir.epic.com/interconnect-fhir-oauth/oauth2/token",
        }),
      },
    },
  ],
  auth: ({ clientId, privateKey, keyId, clientSecret, scopes, algorithm, tokenUrl }) =>
    privateKey
      ? { kind: "private_key_jwt", clientId, privateKey, keyId, algorithm, scope: scopes, tokenUrl }
      : {
          kind: "client_credentials",
          clientId,
          clientSecret: clientSecret ?? "",
          scope: scopes,
          style: "basic",
          tokenUrl,
        },
  headers: () => ({ accept: fhirJson }),
  failure: fhirFailure(codes),
  async test(api, { testPatientId }) {
    const { host } = new URL(api.baseUrl);
    if (!testPatientId) {
      const reply = z.looseObject({ resourceType: z.literal("Bundle") });
      await api.get("/Patient", reply, { query: nobody });
      return { account: host, checked: ["token issued", "patient search allowed"] };
    }
    const Patient = z.looseObject({
      resourceType: z.literal("Patient"),
      managingOrganization: z.looseObject({ display: z.string().optional() }).optional(),
    });
    const found = await api.get("/Patient/{id}", Patient, { path: { id: testPatientId } });
    const organization = found.managingOrganization?.display;
    return {
      account: organization ? `${organization} (${host})` : host,
      checked: ["token issued", "test patient can be read"],
    };
  },
  operations: {
    ...patientOperations(),
    ...appointmentOperations(),
    ...chartOperations(),
    ...resourceOperations(),
    ...createOperations({}, [
      "Observation",
      "DocumentReference",
      "Condition",
      "AllergyIntolerance",
      "Patient",
    ]),
    ...updateOperations({}, ["Observation", "DocumentReference"]),
    ...exportOperations({}, "group"),
  },
  links: [
    { title: "Epic on FHIR", url: "https://fhir.epic.com" },
    { title: "Endpoints of health systems", url: "https://open.epic.com/MyApps/Endpoints" },
    { title: "Sandbox test data", url: "https://fhir.epic.com/Documentation?docId=testpatients" },
  ],
});
