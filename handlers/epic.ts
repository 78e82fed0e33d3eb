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
import { text } from "./fields.ts";
import {
  keyOrSecret,
  secretField,
  signInChoice,
  signInFields,
  smartApp,
  systemScopesField,
} from "./smart-sign-in.ts";
import {
  algorithmField,
  formerFields,
  keyFields,
  readScopes,
  testPatientField,
  testPatients,
  tokenUrlField,
} from "./smart.ts";

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
        "From your app at Epic on FHIR: application audience “Backend Systems”, or “Clinicians or Administrative Users” where a person signs in. Sandbox and production have different client IDs.",
      fields: {
        ...signInChoice(),
        clientId: text({
          label: "Client ID",
          help: "Epic on FHIR, My Apps, your app: the Non-Production Client ID for the sandbox, the Client ID for production. A health system must download the app and map it to an Epic user before production works; changes take up to 12 hours.",
          helpUrl: "https://fhir.epic.com/Developer/Apps",
          pattern: "^[A-Za-z0-9_-]{10,}$",
          message: "Invalid client ID format: at least 10 letters, digits, - and _",
          example: "00000000-0000-4000-8000-000000000000",
        }),
        ...keyFields({
          register: "your app's JWK Set URL (or the health system)",
          registerUrl: "https://fhir.epic.com/Documentation?docId=oauth2&section=Creating-Key-Pair",
          kinds: "RSA of at least 2048 bits, or EC P-384",
        }),
        ...secretField({
          help: "Only for an app that was registered with a secret: My Apps, your app, Client Secret. Backend Systems apps use a key.",
          helpUrl: "https://fhir.epic.com/Developer/Apps",
        }),
        ...signInFields({ vendor: "Epic", readable }),
      },
      oneOf: keyOrSecret,
    },
    {
      id: "configuration",
      title: "Configuration",
      fields: {
        scopes: systemScopesField({
          help: "Separated by spaces. Each must be among the APIs that your app selected at Epic on FHIR; bulk export needs its four Bulk Data APIs and system/Group.read.",
          helpUrl: "https://fhir.epic.com/Documentation?docId=oauth2&section=Scopes",
          default: readScopes(readable),
          example: "system/Patient.read system/Appointment.read",
        }),
        algorithm: algorithmField(),
        testPatientId: testPatientField(
          "The sandbox's patients are listed at Epic on FHIR, Sandbox test data.",
          "erXuFYUfucBZaryVksYEcMg3",
        ),
        tokenUrl: tokenUrlField("https://fhir.epic.com/interconnect-fhir-oauth/oauth2/token"),
      },
    },
  ],
  formerly: formerFields,
  auth: (values) => smartApp(values, readScopes(readable)),
  headers: () => ({ accept: fhirJson }),
  failure: fhirFailure(codes),
  test: (api, { testPatientId }) => testPatients(api, testPatientId, new URL(api.baseUrl).host),
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
