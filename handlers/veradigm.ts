import { defineVendor, type FailedReply, type Failure } from "./define.ts";
import {
  createOperations,
  exportOperations,
  resourceOperations,
  updateOperations,
} from "./fhir-exchange.ts";
import { chartOperations, patientOperations } from "./fhir-operations.ts";
import { fhirFailure, fhirJson, type FhirServer } from "./fhir.ts";
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

/** The CapabilityStatement of the sandbox; patients cannot be looked up by telephone. */
const server: FhirServer<unknown> = { lacks: { Patient: ["telecom"] } };

const readable = [
  "Patient",
  "Encounter",
  "Observation",
  "Condition",
  "MedicationRequest",
  "AllergyIntolerance",
  "DocumentReference",
  "Binary",
  "Practitioner",
  "Organization",
  "Location",
];

/** By the CapabilityStatement of May 2026, whose versioning is “no-version”. */
const writable = [
  "Observation",
  "Condition",
  "AllergyIntolerance",
  "MedicationRequest",
  "MedicationStatement",
  "MedicationAdministration",
  "MedicationDispense",
  "Immunization",
  "DocumentReference",
  "ServiceRequest",
  "Questionnaire",
  "QuestionnaireResponse",
] as const;

const sandbox = "https://fhir.fhirpoint.open.allscripts.com/fhirroute";

const standard = fhirFailure();
function readFailure(reply: FailedReply): Failure | undefined {
  const found = standard(reply);
  const sentence = {
    403: "The organization has not licensed the app, or a scope is missing: writing needs user/*.*, with which a person signs in",
    405: "The organization's FHIR API does not offer this; it may be for reading only",
    // developer.veradigm.com/Fhir/Searching, “Error handling”.
    413: "Too much matches: narrow the search",
  }[reply.status];
  return sentence === undefined ? found : { ...found, message: sentence };
}

export const vendor = defineVendor({
  name: "Veradigm (Allscripts)",
  aliases: ["allscripts"],
  category: "ehr",
  alsoIn: ["hl7-fhir"],
  description:
    "Patients and charts from Veradigm EHR over FHIR R4, with bulk export. A person who signs in may write where the organization's server takes it; Veradigm's guide calls the API read-only, so ask first. Appointments are in its licensed Unity API.",
  website: "https://veradigm.com",
  documentation: "https://developer.veradigm.com/Fhir/Resources",
  keywords: ["ehr", "emr", "fhir", "smart", "allscripts", "professional", "ambulatory"],
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: `${sandbox}/fhir/CP00101`, hosts: ["*"] },
    production: { hosts: ["*"], example: "https://fhir.example.org/fhirroute/fhir/10030240" },
  },
  steps: [
    {
      id: "credentials",
      title: "API credentials",
      description:
        "From your FHIR application at Veradigm Connect, of app type System, or Provider where a person signs in. The organization must license the app, and tells you its FHIR address, which goes into API address.",
      fields: {
        ...signInChoice(),
        clientId: text({
          label: "Client ID",
          help: "Veradigm Connect, My Dashboard, My FHIR Applications, your application.",
          helpUrl: "https://developer.veradigm.com/Fhir/ProcessOverview",
          pattern: "^[A-Za-z0-9_.-]{8,}$",
          message: "Invalid client ID format: at least 8 letters, digits and . _ -",
          example: "20000000-0000-4000-8000-000000000001",
        }),
        ...keyFields({
          register: "your application's JWKS URL",
          registerUrl: "https://developer.veradigm.com/Fhir/SMARTonFHIR",
          kinds: "RSA, or EC P-384",
        }),
        ...secretField({
          help: "Beside the client ID, with the date on which it expires. Bulk export needs a key instead.",
          helpUrl: "https://developer.veradigm.com/Fhir/ProcessOverview",
        }),
        ...signInFields({
          vendor: "Veradigm",
          readable,
          writing:
            "To write, add user/*.*, which is everything that the person may do: Veradigm has no narrower scope for it.",
        }),
      },
      oneOf: keyOrSecret,
    },
    {
      id: "configuration",
      title: "Configuration",
      fields: {
        scopes: systemScopesField({
          help: "Separated by spaces, for reading: there is none to write with. Bulk export needs system/Group.read, and the scope of each type that is exported.",
          helpUrl: "https://developer.veradigm.com/Fhir/SMARTonFHIR",
          default: readScopes(readable),
          example: "system/Patient.read system/Condition.read",
        }),
        algorithm: algorithmField(),
        testPatientId: testPatientField(
          "Veradigm names test patients to developers on request.",
          "a1b2c3d4-0001",
        ),
        tokenUrl: tokenUrlField(`${sandbox}/authorizationV2/CP00101/connect/token`),
      },
    },
  ],
  formerly: formerFields,
  auth: (values) => smartApp(values, readScopes(readable)),
  headers: () => ({ accept: fhirJson }),
  failure: readFailure,
  test(api, { testPatientId }) {
    const { host, pathname } = new URL(api.baseUrl);
    return testPatients(api, testPatientId, `${pathname.split("/").at(-1)} at ${host}`);
  },
  operations: {
    ...patientOperations(server),
    ...chartOperations(server),
    ...resourceOperations(server),
    ...createOperations(server, writable),
    ...updateOperations(server, writable, "unversioned"),
    ...exportOperations(server, "group"),
  },
  links: [
    { title: "Veradigm Connect", url: "https://developer.veradigm.com" },
    {
      title: "Addresses of organizations",
      url: "https://developer.veradigm.com/Fhir/EndpointDirectory",
    },
    { title: "Sandboxes", url: "https://developer.veradigm.com/Fhir/FHIR_Sandboxes" },
  ],
});
