import * as z from "zod";

import {
  type AnyVendor,
  type Category,
  defineVendor,
  operation,
} from "../../../handlers/define.ts";
import {
  checkbox,
  number,
  password,
  select,
  text,
  textarea,
  url,
} from "../../../handlers/fields.ts";

const verify = {
  scheme: "HMAC-SHA1 of the URL and the sorted form",
  verify: async () => ({ ok: true }) as const,
};

const twilio = defineVendor({
  name: "Twilio",
  category: "communication",
  description: "Send text messages, place calls and look up numbers for reminders and outreach.",
  website: "https://www.twilio.com",
  documentation: "https://www.twilio.com/docs/messaging/api",
  keywords: ["sms", "voice", "reminders"],
  featured: true,
  icon: "twilio",
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.twilio.com" },
    production: { baseUrl: "https://api.twilio.com" },
  },
  steps: [
    {
      id: "credentials",
      title: "Account credentials",
      description: "Both values are on the first page of the Twilio Console.",
      fields: {
        accountSid: text({
          label: "Account SID",
          placeholder: "AC…",
          help: "Twilio Console, Account Info.",
          helpUrl: "https://console.twilio.com",
          pattern: "^AC[0-9a-f]{32}$",
          message: "Starts with AC, then 32 hexadecimal digits",
          example: "AC00000000000000000000000000000000",
        }),
        authToken: password({
          label: "Auth token",
          help: "Twilio Console, Account Info: press Show beside Auth Token.",
          helpUrl: "https://console.twilio.com",
          pattern: "^[0-9a-f]{32}$",
          message: "32 hexadecimal digits",
          example: "00000000000000000000000000000000",
        }),
        apiKeySid: text({
          label: "API key SID",
          help: "Twilio Console, API keys & tokens.",
          pattern: "^SK[0-9a-f]{32}$",
          message: "Starts with SK, then 32 hexadecimal digits",
          example: "SK00000000000000000000000000000000",
        }),
        apiKeySecret: password({
          label: "API key secret",
          help: "Shown once, when the key is made.",
          example: "secret",
        }),
        from: text({
          label: "Sender number",
          required: false,
          help: "Used when an operation names no sender.",
          placeholder: "+14155550100",
          pattern: "^\\+[1-9]\\d{6,14}$",
          message: "Use + and the country code: +14155550100",
          example: "+14155550100",
        }),
      },
      oneOf: [
        { label: "Auth token", fields: ["authToken"] },
        { label: "API key", fields: ["apiKeySid", "apiKeySecret"] },
      ],
    },
  ],
  auth: (v) => ({ kind: "basic", user: v.accountSid, password: v.authToken ?? "" }),
  test: async () => ({ account: "x", checked: ["x"] }),
  operations: {
    sendMessage: operation({
      title: "Send a text message",
      effect: "write",
      capability: "sms.send",
      params: z.object({
        to: z.string().regex(/^\+/).describe("E.164 number"),
        body: z.string().min(1).max(1600),
        from: z.string().optional(),
      }),
      result: z.object({ id: z.string(), status: z.string() }),
      example: {
        params: { to: "+15558675310", body: "Your visit is on Tuesday at 9:30." },
        wire: [],
        result: { id: "SM1f0e", status: "queued" },
      },
      run: async () => ({ id: "", status: "" }),
    }),
    listMessages: operation({
      title: "List messages",
      description: "Newest first.",
      effect: "read",
      params: z.object({
        to: z.string().optional(),
        limit: z.number().int().min(1).max(100).optional(),
        status: z.enum(["queued", "sent", "failed"]).optional(),
        since: z.iso.date().optional(),
        media: z.boolean().optional(),
        tags: z.array(z.string()).optional(),
        nested: z.object({ a: z.string() }).optional(),
      }),
      result: z.object({
        messages: z.array(z.object({ id: z.string(), body: z.string(), status: z.string() })),
      }),
      example: { params: { limit: 20 }, wire: [], result: { messages: [] } },
      run: async () => ({ messages: [] }),
    }),
  },
  webhooks: {
    verify,
    events: () => [],
    types: ["message.received", "message.delivered", "message.failed"],
    setup: [
      "Open the Twilio Console and choose Phone Numbers, Manage, Active numbers.",
      "Choose the number.",
      "Under Messaging, set “A message comes in” to {url} with method POST.",
      "Save.",
    ],
  },
  rateLimit: { requests: 100, perSeconds: 1 },
  links: [{ title: "Status page", url: "https://status.twilio.com" }],
});

const epic = defineVendor({
  name: "Epic",
  category: "ehr",
  alsoIn: ["hl7-fhir"],
  description:
    "Read patients, appointments, results and documents from Epic through FHIR R4, with SMART Backend Services.",
  website: "https://www.epic.com",
  documentation: "https://fhir.epic.com/Documentation",
  keywords: ["fhir", "smart", "patients", "hyperspace"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4" },
    production: { hosts: ["*"], example: "https://fhir.example.org/interconnect/api/FHIR/R4" },
  },
  steps: [
    {
      id: "app",
      title: "App registration",
      description: "Register a backend app at Epic on FHIR, once for all of your sites.",
      fields: {
        clientId: text({
          label: "Client ID",
          placeholder: "3f2c…",
          help: "Epic on FHIR, My Apps, your app. The non-production and production IDs differ.",
          helpUrl: "https://fhir.epic.com/Developer/Apps",
          pattern: "^[0-9a-f-]{36}$",
          message: "A UUID such as 3f2c0d5e-…",
          example: "3f2c0d5e-0000-4000-8000-000000000000",
        }),
        algorithm: select({
          label: "Signing algorithm",
          help: "The algorithm of the key pair you uploaded.",
          options: [
            { value: "RS384", label: "RS384 (RSA)" },
            { value: "ES384", label: "ES384 (elliptic curve)" },
          ],
          default: "RS384",
          example: "RS384",
        }),
      },
    },
    {
      id: "key",
      title: "Signing key",
      description: "The private half of the key pair whose public half Epic has.",
      fields: {
        privateKey: textarea({
          label: "Private key",
          secret: true,
          help: "PKCS#8 PEM, as made by openssl genpkey.",
          helpUrl: "https://fhir.epic.com/Documentation?docId=oauth2",
          min: 20,
          message: "Paste the whole PEM, from BEGIN to END",
          example: "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
        }),
        keyId: text({
          label: "Key ID",
          required: false,
          help: "The kid in your JWK Set, when it holds several keys.",
          example: "key-1",
        }),
      },
    },
    {
      id: "use",
      title: "Data access",
      fields: {
        limitScopes: checkbox({
          label: "Ask for fewer scopes",
          help: "Otherwise all system scopes the app has.",
          example: false,
        }),
        scopes: text({
          label: "Scopes",
          help: "Separated by spaces.",
          dependsOn: { field: "limitScopes", equals: true },
          placeholder: "system/Patient.read",
          example: "system/Patient.read",
        }),
        pageSize: number({
          label: "Page size",
          required: false,
          help: "Records a page when searching.",
          min: 1,
          max: 1000,
          example: 50,
        }),
        callback: url({
          label: "Status page",
          required: false,
          help: "Your organization's Interconnect status page.",
          example: "https://x.org",
        }),
      },
    },
  ],
  auth: (v) => ({
    kind: "private_key_jwt",
    clientId: v.clientId,
    privateKey: v.privateKey,
    algorithm: "RS384",
    scope: "system/*.read",
  }),
  test: async () => ({ account: "x", checked: ["x"] }),
  operations: {
    searchPatients: operation({
      title: "Search patients",
      effect: "read",
      capability: "patient.search",
      params: z.object({
        family: z.string().optional(),
        given: z.string().optional(),
        birthDate: z.iso.date().optional(),
        identifier: z.string().optional(),
        limit: z.number().int().min(1).max(100).optional(),
        cursor: z.string().optional(),
      }),
      result: z.object({
        patients: z.array(z.object({ id: z.string(), name: z.string() })),
        next: z.string().optional(),
      }),
      example: {
        params: { family: "Lopez" },
        wire: [],
        result: { patients: [{ id: "eq081", name: "Camila Lopez" }] },
      },
      run: async () => ({ patients: [] }),
    }),
  },
  links: [{ title: "Open Epic", url: "https://open.epic.com" }],
});

const plain = (
  name: string,
  category: Category,
  description: string,
  more: Partial<AnyVendor> = {},
): AnyVendor => ({
  ...twilio,
  name,
  category,
  description,
  featured: false,
  keywords: [category],
  ...more,
  icon: more.icon as string,
});
const partner = {
  access: {
    kind: "partner",
    contact: "https://example.com/partners",
    takes: "A signed partner agreement and a production facility ID.",
  },
} as const;

const list: Record<string, AnyVendor> = {
  epic,
  twilio,
  stripe: plain(
    "Stripe",
    "payment",
    "Take card payments, refund them and follow disputes and payouts.",
    { icon: "stripe", featured: true },
  ),
  openai: plain(
    "OpenAI",
    "ai",
    "Generate and summarize text, transcribe dictation and classify documents.",
    { icon: "openai", featured: true },
  ),
  slack: plain(
    "Slack",
    "communication",
    "Post alerts and updates to the channels your teams already watch.",
    { icon: "slack", featured: true },
  ),
  "rest-api": plain(
    "REST API",
    "custom",
    "Call any HTTPS service that speaks JSON, with the authentication it asks for.",
    {
      environments: {
        sandbox: { hosts: ["*"], example: "https://api.example.com/v1" },
        production: { hosts: ["*"], example: "https://api.example.com/v1" },
      },
    },
  ),
  "oracle-health": plain(
    "Oracle Health",
    "ehr",
    "Patients, encounters and results from Millennium through FHIR R4.",
    { icon: "oracle" },
  ),
  athenahealth: plain(
    "athenahealth",
    "ehr",
    "Scheduling, charts and billing of athenaOne practices.",
    partner,
  ),
  eclinicalworks: plain(
    "eClinicalWorks",
    "ehr",
    "Bulk and single-patient FHIR access to eCW practices.",
    partner,
  ),
  availity: plain(
    "Availity",
    "eligibility",
    "Check coverage, submit claims and follow their status with most payers.",
    partner,
  ),
  "change-healthcare": plain(
    "Change Healthcare",
    "claims",
    "Submit professional and institutional claims and receive remittance.",
    partner,
  ),
  waystar: plain(
    "Waystar",
    "rcm",
    "Claims, denials and patient payments in one revenue-cycle platform.",
    partner,
  ),
  stedi: plain(
    "Stedi",
    "eligibility",
    "Eligibility, claims and remittance through one JSON API.",
    {},
  ),
  labcorp: plain(
    "Labcorp",
    "laboratory",
    "Order tests and receive results electronically.",
    partner,
  ),
  quest: plain(
    "Quest Diagnostics",
    "laboratory",
    "Lab orders and results through Quanum.",
    partner,
  ),
  surescripts: plain(
    "Surescripts",
    "pharmacy",
    "E-prescribing, medication history and benefit checks.",
    partner,
  ),
  orthanc: plain("Orthanc", "imaging", "Query, fetch and store studies over DICOMweb.", {}),
  zoom: plain("Zoom", "telehealth", "Create visits, invite patients and read attendance.", {
    icon: "zoom",
  }),
  daily: plain("Daily", "telehealth", "Video rooms for visits, made on demand.", {}),
  sap: plain("SAP", "erp", "Purchase orders, suppliers and materials from S/4HANA.", {
    icon: "sap",
  }),
  netsuite: plain("NetSuite", "erp", "Invoices, vendors and journals of NetSuite accounts.", {}),
  hubspot: plain("HubSpot", "crm", "Contacts, deals and outreach lists.", { icon: "hubspot" }),
  mailchimp: plain("Mailchimp", "communication", "Patient newsletters and campaigns.", {
    icon: "mailchimp",
  }),
  anthropic: plain("Anthropic", "ai", "Reason over notes and documents with Claude.", {
    icon: "anthropic",
  }),
  snowflake: plain("Snowflake", "analytics", "Run queries and load data for reporting.", {
    icon: "snowflake",
  }),
  "google-analytics": plain("Google Analytics", "analytics", "Portal usage and funnel reporting.", {
    icon: "googleanalytics",
  }),
  hl7: plain("HL7 over HTTPS", "hl7-fhir", "Send and receive HL7 v2 messages over HTTPS.", {}),
  quickbooks: plain("QuickBooks", "billing", "Invoices, customers and payments.", {
    icon: "quickbooks",
  }),
  era: plain("PaySpan", "era", "Electronic remittance advice and payments.", partner),
  mckesson: plain("McKesson", "inventory", "Supply orders, stock and deliveries.", partner),
};

export const registry: Record<string, () => Promise<AnyVendor>> = Object.fromEntries(
  Object.entries(list).map(([id, vendor]) => [id, async () => vendor]),
);
