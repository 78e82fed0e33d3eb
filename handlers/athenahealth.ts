import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { eventOperations, eventWebhooks } from "./athenahealth-events.ts";
import { recordOperations } from "./athenahealth-records.ts";
import { scheduleOperations } from "./athenahealth-schedule.ts";
import { getV1, type Practice, V1Id } from "./athenahealth-v1.ts";
import { defineVendor, type FailedReply, type Failure } from "./define.ts";
import { exportOperations, resourceOperations } from "./fhir-exchange.ts";
import { chartOperations, patientOperations } from "./fhir-operations.ts";
import { fhirFailure, fhirJson, type FhirServer } from "./fhir.ts";
import { password, text } from "./fields.ts";
import {
  bySecret,
  secretField,
  signInChoice,
  signInFields,
  smartApp,
  systemScopesField,
} from "./smart-sign-in.ts";
import {
  algorithmField,
  formerFields,
  heldKey,
  keyFields,
  ownKey,
  readScopes,
  testPatients,
  toNextMinute,
  tokenUrlField,
} from "./smart.ts";

/** docs.athenahealth.com/api/fhir-r4, and the CapabilityStatement: the tenant is part of every search. */
const server: FhirServer<Practice> = {
  always: ({ practiceId }) => ({ "ah-practice": `a-1.Practice-${practiceId}` }),
  exampleQuery: "&ah-practice=a-1.Practice-195900",
  lacks: {
    Patient: ["telecom"],
    Encounter: ["status"],
    Condition: ["clinical-status"],
    AllergyIntolerance: ["clinical-status"],
    DocumentReference: ["status"],
    Location: ["_count"],
    Organization: ["_count"],
    Practitioner: ["_count"],
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
  "Binary",
  "Practitioner",
  "Organization",
  "Location",
];
const ownScope = "athena/service/Athenanet.MDP.*";
const defaultScopes = `${ownScope} ${readScopes(readable)}`;
const mayUseOwn = (scopes = "") => scopes.split(" ").some((each) => each.startsWith("athena/"));

const Refusal = z.object({
  error: z.string(),
  missingfields: z.array(z.string()).optional(),
  invalidfields: z.array(z.string()).optional(),
});
/** What its own API says, as docs.athenahealth.com/api/resources/api-error-message-reference lists it. */
const refusals: readonly (readonly [RegExp, Failure])[] = [
  [
    /require setup \(subscription\)/i,
    { cause: "forbidden", message: "Subscribe to this feed of changes first" },
  ],
  [
    /already booked or not available/i,
    { cause: "invalid_request", message: "The time is not open any more" },
  ],
];

const standard = fhirFailure();
function readFailure(reply: FailedReply): Failure | undefined {
  // Both the calls a second and the tokens a minute count by the clock.
  if (reply.status === 429 && !reply.headers.has("retry-after"))
    return { cause: "rate_limited", retryAfter: toNextMinute() };
  const said = Refusal.safeParse(reply.body).data;
  if (!said) return standard(reply);
  const known = refusals.find(([pattern]) => pattern.test(said.error))?.[1];
  if (known) return known;
  const names = [...(said.missingfields ?? []), ...(said.invalidfields ?? [])];
  const fields = names.filter((field) => /^[a-z]{2,40}$/i.test(field)).slice(0, 8);
  return fields.length > 0
    ? { message: `athenahealth misses or does not accept: ${fields.join(", ")}` }
    : undefined;
}

const PracticeInfo = z.looseObject({
  practiceinfo: z.array(z.looseObject({ practiceid: V1Id, name: z.string() })),
});

export const vendor = defineVendor({
  name: "athenahealth",
  category: "ehr",
  alsoIn: ["hl7-fhir", "rcm"],
  description:
    "athenaOne: patients, scheduling, registration and charts, by FHIR R4 and athenahealth's own API, with feeds of changes and bulk export.",
  website: "https://www.athenahealth.com",
  documentation: "https://docs.athenahealth.com/api/",
  keywords: ["ehr", "emr", "athenaone", "athenanet", "athenacollector", "fhir", "scheduling"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.preview.platform.athenahealth.com/fhir/r4" },
    production: { baseUrl: "https://api.platform.athenahealth.com/fhir/r4" },
  },
  steps: [
    {
      id: "credentials",
      title: "API credentials",
      description:
        "From your app in the developer portal, with 2-legged OAuth, or 3-legged where a person signs in: FHIR only, without scheduling, registration and feeds. The preview sandbox and production have an app each, with credentials of its own.",
      fields: {
        practiceId: text({
          label: "Practice ID",
          placeholder: "195900",
          help: "The number of the practice; 195900 is the sandbox.",
          helpUrl: "https://docs.athenahealth.com/api/guides/authentication-and-url-locations",
          pattern: "^[1-9]\\d{0,9}$",
          message: "A practice ID is a number",
          example: "195900",
        }),
        ...signInChoice(),
        clientId: text({
          label: "Client ID",
          help: "Developer portal, your app, Credentials.",
          helpUrl: "https://docs.athenahealth.com/api/guides/token-endpoint",
          pattern: "^[A-Za-z0-9_-]{10,}$",
          message: "Invalid client ID format: at least 10 letters, digits, - and _",
          example: "0oa0example0client0id",
        }),
        ...secretField({
          help: "Beside the client ID; shown once when the app is made.",
          helpUrl: "https://docs.athenahealth.com/api/guides/token-endpoint",
        }),
        ...keyFields({
          register: "your app, Credentials (JWKS, or JWKS URL)",
          registerUrl: "https://docs.athenahealth.com/api/guides/token-endpoint",
          kinds: "RSA, or EC P-384",
        }),
        ...signInFields({ vendor: "athenahealth", readable }),
      },
      oneOf: [bySecret, ownKey, heldKey],
    },
    {
      id: "configuration",
      title: "Configuration",
      fields: {
        scopes: systemScopesField({
          help: "Separated by spaces: athena/service/Athenanet.MDP.* for scheduling, registration and feeds, system/… for FHIR. Each must be granted to the app.",
          helpUrl: "https://docs.athenahealth.com/api/guides/token-endpoint",
          pattern: "^(?:athena|system)/\\S+( (?:athena|system)/\\S+)*$",
          default: defaultScopes,
          example: `${ownScope} system/Patient.read`,
        }),
        algorithm: algorithmField(),
        tokenUrl: tokenUrlField("https://api.preview.platform.athenahealth.com/oauth2/v1/token"),
      },
    },
    {
      id: "webhooks",
      title: "Event notifications",
      description: "Only for apps to which athenahealth has opened event subscriptions.",
      fields: {
        webhookSecret: password({
          label: "Notification secret",
          required: false,
          help: "A random text of your choice. athenahealth is given it with each subscription, and signs every notification with it.",
          helpUrl: "https://github.com/athenahealth/aone-fhir-subscriptions",
          pattern: "^[\\x21-\\x7e]{32,200}$",
          message: "Use 32 to 200 letters, digits and signs, without spaces",
          example: "example-notification-secret-0123456789",
        }),
      },
    },
  ],
  formerly: formerFields,
  auth: (values) => smartApp(values, defaultScopes),
  headers: () => ({ accept: fhirJson }),
  failure: readFailure,
  async test(api, values) {
    const { practiceId, scopes } = values;
    const account = `practice ${practiceId}`;
    if (!mayUseOwn(scopes)) return testPatients(api, undefined, account, server.always?.(values));
    const { practiceinfo } = await getV1(api, "/practiceinfo", PracticeInfo);
    const practice = practiceinfo.find((each) => each.practiceid === practiceId);
    if (!practice) throw new VendorFailure("forbidden", "The app may not use this practice");
    return {
      account: `${practice.name} (${account})`,
      checked: ["token issued", "practice can be read"],
    };
  },
  operations: {
    ...patientOperations(server),
    ...scheduleOperations,
    ...chartOperations(server),
    ...recordOperations,
    ...eventOperations,
    ...resourceOperations(server),
    ...exportOperations(server, "group"),
  },
  webhooks: eventWebhooks,
  links: [
    { title: "Developer portal", url: "https://docs.athenahealth.com/api/" },
    { title: "Tokens", url: "https://docs.athenahealth.com/api/guides/token-endpoint" },
    {
      title: "Event subscriptions",
      url: "https://github.com/athenahealth/aone-fhir-subscriptions",
    },
    {
      title: "Feeds of changes",
      url: "https://docs.athenahealth.com/api/guides/changed-data-subscriptions",
    },
  ],
});
