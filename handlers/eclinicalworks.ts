import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import type { Api } from "./api.ts";
import { defineVendor, type FailedReply, type Failure } from "./define.ts";
import {
  createOperations,
  exportOperations,
  resourceOperations,
  updateOperations,
} from "./fhir-exchange.ts";
import { chartOperations, patientOperations } from "./fhir-operations.ts";
import { fhirFailure, fhirJson, type FhirServer } from "./fhir.ts";
import { select, text } from "./fields.ts";
import {
  byPerson,
  bySystem,
  keyOrSecret,
  secretField,
  signInChoice,
  signInFields,
  smartApp,
  systemScopesField,
} from "./smart-sign-in.ts";
import {
  formerFields,
  keyFields,
  readScopes,
  testPatientField,
  testPatients,
  toNextMinute,
  tokenUrlField,
} from "./smart.ts";

/** The CapabilityStatement of “eCW FHIR Facade”. */
const server: FhirServer<unknown> = {
  names: { telecom: "phone" },
  lacks: {
    Encounter: ["status"],
    Condition: ["clinical-status"],
    DocumentReference: ["status"],
  },
};

const readable = [
  "Patient",
  "Encounter",
  "Observation",
  "Condition",
  "MedicationRequest",
  "AllergyIntolerance",
  "DocumentReference",
  "Practitioner",
  "Organization",
  "Location",
];
const groupScope = "system/Group.read";

/** Every request for the scope of a bulk app names the group, and none of a single-patient app may. */
function scopesFor(use: "patient" | "bulk" | undefined, scopes: string) {
  const others = scopes.split(" ").filter((scope) => !scope.startsWith("system/Group."));
  return [...others, ...(use === "bulk" ? [groupScope] : [])].join(" ");
}

/** “Error Code Reference Guide” 1.0, July 2026: what a write is refused with. */
const writeCodes: Readonly<Record<string, string>> = {
  "100": "The patient is not known there",
  "101": "The provider is not known there",
  "107": "The facility is not known there, or not active",
  "113": "This type of document is not supported",
  "114": "This kind of file is not supported",
  "123": "The encounter is not one of this patient",
  "139": "The encounter is locked",
  "201": "Several patients match: give more identifiers",
  "202": "The patient exists already",
  "204": "A date has a form that eClinicalWorks does not read",
  "207": "The patient is not known there",
  "308": "The practice has not named the user in whose name is written",
};
const Written = z.object({
  status: z.union([z.number().int(), z.string().regex(/^\d{1,4}$/)]),
  resourceType: z.undefined().optional(),
});
const succeededCode = "1";

const standard = fhirFailure();
function readFailure(reply: FailedReply): Failure | undefined {
  const { body, status, headers } = reply;
  if (status === 429 && !headers.has("retry-after"))
    return { cause: "rate_limited", retryAfter: toNextMinute() };
  // Its token endpoint says so of a scope, and of an assertion that is not as it must be.
  if (body instanceof Object && "error" in body && body.error === "invalid_grant")
    return {
      cause: "forbidden",
      code: "invalid_grant",
      message:
        "A scope is not enabled for the app, or the app is not of the kind that was chosen (single patients or bulk)",
    };
  const written = Written.safeParse(body).data;
  if (!written) return standard(reply);
  const code = String(written.status);
  if (code === succeededCode || code === String(status)) return undefined;
  return {
    cause: "invalid_request",
    code,
    message: writeCodes[code] ?? "eClinicalWorks refused the content",
  };
}

const Bundle = z.looseObject({ resourceType: z.literal("Bundle") });
const exports = exportOperations(server, "group");

/** A group that is not enabled is answered like a bad token: the group list tells which of the two it was. */
async function refusedGroup(api: Api, error: unknown) {
  const refused = error instanceof VendorFailure && error.failure === "credentials_rejected";
  if (!refused) return error;
  await api.get("/Group", Bundle);
  return new VendorFailure(
    "not_found",
    "There is no such group, or it is not enabled for the app",
    {
      vendorStatus: error.vendorStatus,
    },
  );
}

export const vendor = defineVendor({
  name: "eClinicalWorks",
  category: "ehr",
  alsoIn: ["hl7-fhir"],
  description:
    "Patients and charts from eClinicalWorks over FHIR R4, with bulk export and, by contract, writing back. Its FHIR API has no appointments: those are in the separate healow scheduling API.",
  website: "https://www.eclinicalworks.com",
  documentation: "https://fhir.eclinicalworks.com/ecwopendev/documentation",
  keywords: ["ehr", "emr", "ecw", "healow", "fhir", "smart", "ambulatory", "practice"],
  access: { kind: "self-serve" },
  environments: {
    sandbox: {
      baseUrl: "https://fhir4.eclinicalworks.com/fhir/r4/{practiceCode}",
      hosts: ["*.eclinicalworks.com", "*.ecwcloud.com"],
    },
    production: {
      baseUrl: "https://fhir4.eclinicalworks.com/fhir/r4/{practiceCode}",
      hosts: ["*.eclinicalworks.com", "*.ecwcloud.com"],
    },
  },
  steps: [
    {
      id: "credentials",
      title: "API credentials",
      description:
        "From your app at the eClinicalWorks developer portal: a backend app, or a provider app where a person signs in. Each practice must enable the app for itself.",
      fields: {
        practiceCode: text({
          label: "Practice code",
          placeholder: "FEIGCD",
          help: "Six characters, the last part of the practice's FHIR address, as the portal lists it once the practice has enabled the app.",
          helpUrl:
            "https://fhir.eclinicalworks.com/ecwopendev/documentation/getting-started/guidelines/enable-ecw-cust",
          pattern: "^[A-Z0-9]{6}$",
          message: "A practice code has six capital letters or digits",
          example: "FEIGCD",
        }),
        ...signInChoice(),
        clientId: text({
          label: "Client ID",
          help: "Developer portal, your backend app; or your provider app, where a person signs in.",
          helpUrl:
            "https://fhir.eclinicalworks.com/ecwopendev/documentation/getting-started/backend/authentication",
          pattern: "^[A-Za-z0-9_.-]{8,}$",
          message: "Invalid client ID format: at least 8 letters, digits and . _ -",
          example: "30000000-0000-4000-8000-000000000001",
        }),
        ...keyFields({
          register:
            "the JWKS URL of your app (eClinicalWorks must also allow our host to be asked)",
          registerUrl:
            "https://fhir.eclinicalworks.com/ecwopendev/documentation/getting-started/backend/authentication",
          kinds: "RSA only, for RS384",
        }),
        ...secretField({
          help: "Of a provider app that was registered with a secret instead of a JWKS URL.",
          helpUrl:
            "https://fhir.eclinicalworks.com/ecwopendev/documentation/getting-started/provider/standalone-symmetric",
          dependsOn: byPerson,
        }),
        ...signInFields({ vendor: "eClinicalWorks", readable }),
      },
      oneOf: keyOrSecret,
    },
    {
      id: "configuration",
      title: "Configuration",
      fields: {
        use: select({
          label: "Kind of app",
          help: "As it was registered: eClinicalWorks wants system/Group.read in every request of a bulk app, and refuses it to an app for single patients. We add or leave it out.",
          helpUrl:
            "https://fhir.eclinicalworks.com/ecwopendev/documentation/getting-started/backend/patient-access",
          options: [
            { value: "patient", label: "Single patients: search and read charts" },
            { value: "bulk", label: "Bulk: export groups" },
          ],
          dependsOn: bySystem,
          default: "patient",
          example: "patient",
        }),
        scopes: systemScopesField({
          help: "Separated by spaces; each must be enabled for the app, and by the practice.",
          helpUrl: "https://fhir.eclinicalworks.com/ecwopendev/documentation",
          default: readScopes(readable),
          example: "system/Patient.read system/Condition.read",
        }),
        testPatientId: testPatientField(
          "The portal's team sets up test patients for a registered app.",
          "Lt2IFR6ah8lwq0cBqz4yvbuL3EBcNXRM9wp",
        ),
        tokenUrl: tokenUrlField("https://oauthserver.eclinicalworks.com/oauth/oauth2/token"),
      },
    },
  ],
  formerly: formerFields,
  auth: ({ use, scopes = readScopes(readable), ...app }) =>
    smartApp({ ...app, scopes: scopesFor(use, scopes), onlyAlgorithm: "RS384" }),
  headers: () => ({ accept: fhirJson }),
  failure: readFailure,
  async test(api, { practiceCode, testPatientId, use }) {
    const account = `practice ${practiceCode} (${new URL(api.baseUrl).host})`;
    if (use !== "bulk") return testPatients(api, testPatientId, account);
    await api.get("/Group", Bundle);
    return { account, checked: ["token issued", "groups can be listed"] };
  },
  operations: {
    ...patientOperations(server),
    ...chartOperations(server),
    ...resourceOperations(server),
    ...createOperations(server, [
      "DocumentReference",
      "Observation",
      "Condition",
      "AllergyIntolerance",
      "MedicationRequest",
      "Encounter",
      "Patient",
      "QuestionnaireResponse",
    ]),
    ...updateOperations(server, ["Patient"]),
    ...exports,
    startExport: {
      ...exports.startExport,
      async run(api, params, values) {
        try {
          return await exports.startExport.run(api, params, values);
        } catch (error) {
          throw await refusedGroup(api, error);
        }
      },
    },
  },
  // Per practice code, token requests included; a 429 lasts to the end of the minute.
  rateLimit: { requests: 250, perSeconds: 60 },
  links: [
    { title: "Developer portal", url: "https://fhir.eclinicalworks.com/ecwopendev/" },
    {
      title: "Sign-in of backend apps",
      url: "https://fhir.eclinicalworks.com/ecwopendev/documentation/getting-started/backend/authentication",
    },
  ],
});
