import { password, type Step, text, type Values } from "./fields.ts";

export const steps = [
  {
    id: "credentials",
    title: "API credentials",
    fields: {
      clientId: text({
        label: "Client ID",
        help: "Optum sends it when it opens the sandbox or production for you; the two differ.",
        helpUrl: "https://developer.optum.com/eligibilityandclaims",
        min: 8,
        max: 200,
        message: "A client ID has at least 8 characters",
        example: "00000000000000000000000000000001",
      }),
      clientSecret: password({
        label: "Client secret",
        help: "Comes with the client ID. Optum shows it once.",
        helpUrl: "https://developer.optum.com/eligibilityandclaims",
        min: 8,
        example: "simulated-optum-secret",
      }),
    },
  },
  {
    id: "submitter",
    title: "Who sends the claims",
    description: "All of it is optional: what is left out is taken from the billing provider.",
    fields: {
      submitterName: text({
        label: "Submitter",
        required: false,
        help: "Name of the organization that sends the claims, where that is not the billing provider.",
        max: 60,
        example: "Sunrise Clinic",
      }),
      contactName: text({
        label: "Contact",
        required: false,
        help: "Whom the payer asks when a claim has a problem.",
        max: 60,
        example: "Dana Desk",
      }),
      contactPhone: text({
        label: "Contact's phone",
        required: false,
        placeholder: "4155550100",
        help: "Ten digits.",
        pattern: "^\\d{10}$",
        message: "Enter ten digits: 4155550100",
        example: "4155550100",
      }),
      submitterId: text({
        label: "Submitter ID",
        required: false,
        help: "Only where your contract has several: the clearinghouse's number for the submitter.",
        max: 50,
        example: "999898",
      }),
      billerId: text({
        label: "Biller ID",
        required: false,
        help: "Only where your contract has several: the clearinghouse's number for the biller.",
        max: 50,
        example: "009998",
      }),
      networkUser: text({
        label: "Clearinghouse user",
        required: false,
        help: "Only where Optum asks for it: the user of the claims and reports mailbox.",
        max: 50,
        example: "sunrise01",
      }),
      networkPassword: password({
        label: "Clearinghouse password",
        required: false,
        help: "The password of that user.",
        max: 50,
        example: "simulated-mailbox-password",
      }),
    },
  },
] as const satisfies readonly Step[];

export type Config = Values<typeof steps>;

/** Headers that have a value. */
export const present = (headers: Record<string, string | undefined>) =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  );
