import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { defineVendor, type FailedReply, type Failure, operation } from "./define.ts";
import {
  createOperations,
  exportOperations,
  patchOperations,
  resourceOperations,
  updateOperations,
} from "./fhir-exchange.ts";
import { appointmentOperations, chartOperations, patientOperations } from "./fhir-operations.ts";
import { Slot, slot } from "./fhir-resources.ts";
import {
  between,
  exampleSearch,
  fhirFailure,
  fhirJson,
  type FhirServer,
  paged,
  paging,
  search,
} from "./fhir.ts";
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

/** docs.oracle.com/en/industries/health/millennium-platform-apis/mfrap, and the CapabilityStatement. */
const server: FhirServer<unknown> = {
  names: { telecom: "phone" },
  lacks: {
    AllergyIntolerance: ["_count"],
    Condition: ["_count"],
    DocumentReference: ["status"],
  },
  days: "instant",
};

const sandboxTenant = "ec2458f2-1e24-41c8-b71b-0e701af7583d";
const tokenUrl = (tenant: string, host: string): `https://${string}` =>
  `https://authorization.cerner.com/tenants/${tenant}/hosts/${host}/protocols/oauth2/profiles/smart-v1/token`;

const readable = [
  "Patient",
  "Appointment",
  "Slot",
  "Encounter",
  "Observation",
  "Condition",
  "MedicationRequest",
  "AllergyIntolerance",
  "DocumentReference",
  "Binary",
  "Practitioner",
  "Location",
];
const creatable = [
  "Observation",
  "DocumentReference",
  "Condition",
  "AllergyIntolerance",
  "Appointment",
  "Encounter",
  "MedicationRequest",
  "Patient",
] as const;

const Refusal = z.object({ error: z.string(), error_uri: z.string().optional() });

/** What the authorization server means: the reason is the end of a URN in `error_uri`. */
const signIn: Readonly<Record<string, Failure>> = {
  "invalid-tenant": {
    cause: "forbidden",
    message: "The app is not enabled for this tenant, or there is no such tenant",
  },
  "empty-scopes": {
    cause: "forbidden",
    message: "The app has none of the scopes that were asked for",
  },
};

const standard = fhirFailure();
function readFailure(reply: FailedReply): Failure | undefined {
  const refusal = Refusal.safeParse(reply.body).data;
  if (refusal) {
    const reason = /token(?::|%3A)([\w-]+)/i.exec(refusal.error_uri ?? "")?.[1] ?? "";
    const known = signIn[reason];
    return known && { ...known, code: refusal.error };
  }
  const found = standard(reply);
  const sentence = {
    403: "The tenant is not enabled for this app, or a scope is missing",
    409: "The record has changed since it was read: read it again for its version",
    412: "The version of the record that is to be changed is missing",
    422: "Oracle Health does not accept the content, or more than 1,000 records match",
    423: "The record is being changed by somebody else just now",
  }[reply.status];
  return sentence === undefined ? found : { ...found, message: sentence };
}

const { searchAppointments } = appointmentOperations(server);
const searchDated: typeof searchAppointments = {
  ...searchAppointments,
  // A search by patient must name a date.
  run: (api, params, values) =>
    searchAppointments.run(
      api,
      (params.from ?? params.to) ? params : { ...params, from: "1900-01-01" },
      values,
    ),
};
const Day = z.iso.date();

export const vendor = defineVendor({
  name: "Oracle Health (Cerner)",
  aliases: ["cerner"],
  category: "ehr",
  alsoIn: ["hl7-fhir"],
  description:
    "Patients, scheduling and charts from the Millennium Platform over FHIR R4, with writing back and bulk export where the organization allows them.",
  website: "https://www.oracle.com/health/",
  documentation: "https://docs.oracle.com/en/industries/health/millennium-platform-apis/",
  keywords: ["ehr", "emr", "fhir", "smart", "cerner", "millennium", "hospital", "scheduling"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://fhir-ehr-code.cerner.com/r4/{tenantId}" },
    production: {
      baseUrl: "https://fhir-ehr.cerner.com/r4/{tenantId}",
      hosts: ["*.cerner.com"],
    },
  },
  steps: [
    {
      id: "credentials",
      title: "API credentials",
      description:
        "From your app in the Oracle Health developer console: type System, or Provider where a person signs in. The health system must enable it for its tenant before production works.",
      fields: {
        tenantId: text({
          label: "Tenant ID",
          placeholder: sandboxTenant,
          help: `The health system's Millennium tenant: the last part of its FHIR address. The shared sandbox is ${sandboxTenant}.`,
          helpUrl: "https://docs.oracle.com/en/industries/health/millennium-platform-apis/",
          pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
          message: "A tenant ID is a UUID in lower case",
          example: sandboxTenant,
        }),
        ...signInChoice(),
        clientId: text({
          label: "Client ID",
          help: "Of your app under My Applications: type System, or Provider where a person signs in.",
          helpUrl: "https://www.oracle.com/health/developer/",
          pattern: "^[A-Za-z0-9_-]{10,}$",
          message: "Invalid client ID format: at least 10 letters, digits, - and _",
          example: "10000000-0000-4000-8000-000000000001",
        }),
        ...keyFields({
          register: "the system account or app (JWK Set)",
          registerUrl:
            "https://docs.oracle.com/en/industries/health/millennium-platform-apis/millennium-authorization-framework/",
          kinds: "RSA, or EC P-384",
        }),
        ...secretField({
          help: "The secret of the system account or app, where it was registered with one instead of a key.",
          helpUrl:
            "https://docs.oracle.com/en/industries/health/millennium-platform-apis/millennium-authorization-framework/",
        }),
        ...signInFields({ vendor: "Oracle Health", readable, access: "online_access" }),
      },
      oneOf: keyOrSecret,
    },
    {
      id: "configuration",
      title: "Configuration",
      fields: {
        scopes: systemScopesField({
          help: "Separated by spaces, each as it is registered for the app. There is no wildcard, and Binary needs DocumentReference beside it.",
          helpUrl:
            "https://docs.oracle.com/en/industries/health/millennium-platform-apis/millennium-authorization-framework/",
          default: readScopes(readable),
          example: "system/Patient.read system/Appointment.read",
        }),
        algorithm: algorithmField(),
        testPatientId: testPatientField(
          "The sandbox's patients can be looked up without sign-in at fhir-open.cerner.com.",
          "12724067",
        ),
        tokenUrl: tokenUrlField(tokenUrl(sandboxTenant, "fhir-ehr-code.cerner.com")),
      },
    },
  ],
  formerly: formerFields,
  auth: (values) => smartApp(values, readScopes(readable)),
  headers: () => ({ accept: fhirJson }),
  failure: readFailure,
  async test(api, { testPatientId, tenantId }, environment) {
    const { host } = new URL(api.baseUrl);
    const refuse = (message: string) => new VendorFailure("invalid_request", message);
    // It answers everybody, so that a test there would prove nothing.
    if (host.startsWith("fhir-open."))
      throw refuse("fhir-open asks for no sign-in: use the secured address");
    if (environment === "production" && tenantId === sandboxTenant)
      throw refuse("This is the tenant of the sandbox: give the health system's own");
    return testPatients(api, testPatientId, `tenant ${tenantId} (${host})`);
  },
  operations: {
    ...patientOperations(server),
    searchAppointments: searchDated,
    searchSlots: operation({
      title: "Search free times",
      description:
        "Of an appointment type (`https://fhir.cerner.com/<tenant>/codeSet/14249|4047611`); days are UTC. Which practitioners and locations are open to scheduling, the health system tells.",
      effect: "read",
      params: z.object({
        serviceType: z.string().min(1).max(300),
        from: Day,
        to: Day,
        practitioner: z.string().max(200).optional(),
        location: z.string().max(200).optional(),
        ...paging,
        limit: z.number().int().min(5).max(100).default(50),
      }),
      result: z.object({ slots: z.array(Slot), ...paged }),
      example: {
        params: {
          serviceType: "https://fhir.cerner.com/x/codeSet/14249|4047611",
          from: "2026-11-24",
          to: "2026-11-30",
        },
        wire: [
          {
            request: exampleSearch(server, "Slot", {
              "service-type": "https://fhir.cerner.com/x/codeSet/14249|4047611",
              start: ["ge2026-11-24T00:00:00.000Z", "lt2026-12-01T00:00:00.000Z"],
            }),
            reply: {
              resourceType: "Bundle",
              type: "searchset",
              entry: [
                {
                  resource: {
                    resourceType: "Slot",
                    id: "4047611-32216049-61518614-0",
                    status: "free",
                    start: "2026-11-24T14:00:00Z",
                    end: "2026-11-24T14:30:00Z",
                    schedule: { reference: "Schedule/32216049-61518614-0" },
                  },
                },
              ],
            },
          },
        ],
        result: {
          slots: [
            {
              id: "4047611-32216049-61518614-0",
              status: "free",
              start: "2026-11-24T14:00:00Z",
              end: "2026-11-24T14:30:00Z",
              schedule: "32216049-61518614-0",
            },
          ],
        },
      },
      async run(api, { serviceType, from, to, practitioner, location, ...rest }) {
        const query = {
          "service-type": serviceType,
          start: between(server, from, to),
          "schedule.actor": practitioner && `Practitioner/${practitioner}`,
          "-location": location,
        };
        const { found, page } = await search(api, server, undefined, slot, query, rest);
        return { slots: found, ...page };
      },
    }),
    ...chartOperations(server),
    ...resourceOperations(server),
    ...createOperations(server, creatable),
    ...updateOperations(
      server,
      ["Observation", "DocumentReference", "Condition", "AllergyIntolerance"],
      "versioned",
    ),
    ...patchOperations(server, [
      "Appointment",
      "Encounter",
      "MedicationRequest",
      "Patient",
      "Slot",
    ]),
    ...exportOperations(server, "group"),
  },
  links: [
    { title: "Developer programme", url: "https://www.oracle.com/health/developer/" },
    {
      title: "FHIR R4 APIs",
      url: "https://docs.oracle.com/en/industries/health/millennium-platform-apis/mfrap/",
    },
    {
      title: "Bulk data access",
      url: "https://docs.oracle.com/en/industries/health/millennium-platform-apis/mfbda/",
    },
  ],
});
