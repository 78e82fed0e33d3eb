import { password, select, type Step, text, type Values } from "./fields.ts";

const portal = "https://developer.availity.com/portal/my-apps";

export const steps = [
  {
    id: "credentials",
    title: "API credentials",
    fields: {
      clientId: text({
        label: "API key (client ID)",
        help: "Availity developer portal, My Apps, your application. Availity calls the client ID “API Key”.",
        helpUrl: portal,
        min: 8,
        max: 200,
        message: "An API key has at least 8 characters",
        example: "00000000-0000-4000-8000-0000000000a1",
      }),
      clientSecret: password({
        label: "API secret",
        help: "Shown beside the API key.",
        helpUrl: portal,
        min: 8,
        example: "simulated-availity-secret",
      }),
      plan: select({
        label: "Plan",
        help: "Demo answers with canned data and asks no payer. Standard asks real payers and belongs to production. Both are at one address: the plan alone tells them apart.",
        options: [
          { value: "demo", label: "Demo" },
          { value: "standard", label: "Standard" },
        ],
        default: "demo",
        example: "demo",
      }),
      scopes: text({
        label: "Scopes",
        required: false,
        help: "Leave empty for the plan's usual scopes. Fill in only if Availity granted others, with a space between two; capitals count.",
        pattern: "^[a-z0-9-]+( [a-z0-9-]+)*$",
        message: "Scopes are in small letters with a space between two",
        example: "healthcare-hipaa-transactions-demo",
      }),
    },
  },
  {
    id: "organization",
    title: "Your organization",
    description: "Taken where a request does not name them.",
    fields: {
      customerId: text({
        label: "Availity customer ID",
        required: false,
        help: "Availity Essentials, your organization's name, Manage My Organization. Needed where your application serves several organizations.",
        pattern: "^\\d{1,15}$",
        message: "A customer ID has digits only",
        example: "1194",
      }),
      providerNpi: text({
        label: "NPI",
        required: false,
        help: "The ten digits under which you bill: https://npiregistry.cms.hhs.gov",
        helpUrl: "https://npiregistry.cms.hhs.gov",
        pattern: "^\\d{10}$",
        message: "An NPI has ten digits",
        example: "1234567893",
      }),
      providerTaxId: text({
        label: "Tax ID",
        required: false,
        help: "The nine digits of your EIN; some payers want it beside the NPI.",
        pattern: "^\\d{9}$",
        message: "A tax ID has nine digits",
        example: "123456789",
      }),
      payer: text({
        label: "Usual payer",
        required: false,
        help: "Availity's id of the payer that you ask most, from “List payers”.",
        max: 80,
        example: "BCBSF",
      }),
    },
  },
] as const satisfies readonly Step[];

export type Config = Values<typeof steps>;

/** What EHRConnect's earlier web client sends; Availity has one switch for all of it, the plan. */
export const formerly = {
  orgId: "customerId",
  npi: "providerNpi",
  taxId: "providerTaxId",
  payerId: "payer",
  enableEligibility: null,
  enableClaims: null,
  enableClaimStatus: null,
  enableRemittance: null,
} as const;
