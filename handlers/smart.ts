import * as z from "zod";

import type { Api, Auth } from "./api.ts";
import type { Tested } from "./define.ts";
import { select, text, textarea, url } from "./fields.ts";

/** What vendors of SMART Backend Services have in common: the key's fields, the sign-in and the test. */
type KeyPlace = {
  /** Where the vendor keeps the public half, as the rest of “register it at …”. */
  register: string;
  registerUrl: `https://${string}`;
  /** The kinds of key that it takes. */
  kinds: string;
};

/** Fields of the two choices `ownKey` and `heldKey`. */
export const keyFields = ({ register, registerUrl, kinds }: KeyPlace) => ({
  signingKeyId: text({
    label: "Key that we hold",
    help: `Make one under [Signing keys](/settings/signing-keys/) (${kinds}), register the JWK Set URL that is shown there at ${register}, and copy the key ID (kid) from there. The private half never leaves us.`,
    helpUrl: registerUrl,
    pattern: "^[A-Za-z0-9_-]{20,100}$",
    message: "Copy the key ID as the page Signing keys shows it",
    example: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
  }),
  privateKey: textarea({
    label: "Private key",
    secret: true,
    placeholder: "-----BEGIN PRIVATE KEY-----",
    help: `The private half of the key whose public half is registered at ${register}: PKCS#8 PEM, or a JWK. ${kinds}. A file that begins “BEGIN RSA PRIVATE KEY” is converted by openssl pkcs8 -topk8 -nocrypt.`,
    helpUrl: registerUrl,
    pattern:
      '^\\s*(-----BEGIN PRIVATE KEY-----[A-Za-z0-9+/=\\s]+-----END PRIVATE KEY-----|\\{[^]*"kty"[^]*\\})\\s*$',
    message: "Paste a PKCS#8 PEM file (BEGIN PRIVATE KEY) or a JWK",
    example: "-----BEGIN PRIVATE KEY-----\nexample\n-----END PRIVATE KEY-----",
  }),
  keyId: text({
    label: "Key ID (kid)",
    required: false,
    help: "The kid of the key in your JWK Set. The vendor chooses the key by it, so give it unless a JWK above names it.",
    helpUrl: registerUrl,
    pattern: "^\\S{1,200}$",
    message: "A key ID holds no spaces",
    example: "ehrconnect-2026",
  }),
});
export const ownKey = { label: "Private key", fields: ["privateKey", "keyId"] } as const;
export const heldKey = {
  label: "Key that we hold (hosted JWKS)",
  fields: ["signingKeyId"],
} as const;

/** The scope pattern of system apps: `system/Patient.read system/Group.read`. */
export const systemScopes = "^system/\\S+( system/\\S+)*$";
export const readScopes = (types: readonly string[]) =>
  types.map((type) => `system/${type}.read`).join(" ");

export const tokenUrlField = (placeholder: `https://${string}`) =>
  url({
    label: "Token URL",
    required: false,
    placeholder,
    help: "Only where the server's /.well-known/smart-configuration names the wrong one.",
    example: placeholder,
  });

export const testPatientField = (help: string, example: string) =>
  text({
    label: "Test patient",
    required: false,
    placeholder: example,
    help: `FHIR id of a test patient that the test may read. Without one the test searches for a name that nobody bears. ${help}`,
    pattern: "^[A-Za-z0-9._-]{1,256}$",
    message: "A FHIR id holds letters, digits and . _ - only",
    example,
  });

export const algorithmField = () =>
  select({
    label: "Signature algorithm",
    help: "RS384 for an RSA key, ES384 for an EC key. Only used with a private key of your own.",
    options: [
      { value: "RS384", label: "RS384 (RSA)" },
      { value: "ES384", label: "ES384 (EC P-384)" },
    ],
    default: "RS384",
    example: "RS384",
  });

/** What EHRConnect's earlier web client asked for of every EHR. */
export const formerFields = {
  fhirBaseUrl: "api_endpoint",
  redirectUri: null,
  organizationId: null,
  enablePatientData: null,
  enableEncounters: null,
  enableObservations: null,
  enableMedications: null,
} as const;

export type SmartValues = {
  clientId: string;
  signingKeyId?: string | undefined;
  privateKey?: string | undefined;
  keyId?: string | undefined;
  algorithm?: "RS384" | "ES384" | undefined;
  onlyAlgorithm?: "RS384" | "ES384" | undefined;
  clientSecret?: string | undefined;
  scopes?: string | undefined;
  tokenUrl?: string | undefined;
};

/** Signs an assertion with whichever key there is, else sends the secret. */
export function smartAuth(
  values: SmartValues & { scopes: string },
): Extract<Auth, { kind: "private_key_jwt" | "client_credentials" }> {
  const { clientId, signingKeyId, privateKey, keyId, clientSecret, tokenUrl } = values;
  const { scopes: scope, algorithm = "RS384", onlyAlgorithm } = values;
  if (clientSecret && !privateKey && !signingKeyId)
    return { kind: "client_credentials", clientId, clientSecret, scope, style: "basic", tokenUrl };
  return {
    kind: "private_key_jwt",
    clientId,
    privateKey: privateKey ?? "",
    keyId,
    heldKey: signingKeyId,
    algorithm,
    onlyAlgorithm,
    scope,
    tokenUrl,
  };
}

/** A name that nobody bears, so that the test proves the permission and sees no patient. */
const nobody = { family: "Ehrconnect-Probe", given: "Nobody", birthdate: "1900-01-01", _count: 1 };
const Found = z.looseObject({ resourceType: z.literal("Bundle") });
const Patient = z.looseObject({
  resourceType: z.literal("Patient"),
  managingOrganization: z.looseObject({ display: z.string().optional() }).optional(),
});

/** Reads the test patient, else searches for nobody. `account` is whose data it is. */
export async function testPatients(
  api: Api,
  testPatientId: string | undefined,
  account: string,
  always: Readonly<Record<string, string>> = {},
): Promise<Tested> {
  if (!testPatientId) {
    await api.get("/Patient", Found, { query: { ...nobody, ...always } });
    return { account, checked: ["token issued", "patient search allowed"] };
  }
  const found = await api.get("/Patient/{id}", Patient, { path: { id: testPatientId } });
  const organization = found.managingOrganization?.display;
  return {
    account: organization ? `${organization} (${account})` : account,
    checked: ["token issued", "test patient can be read"],
  };
}

/** Seconds until limits that count by the minute of the clock start again. */
export const toNextMinute = (nowMs = Date.now()) => 60 - Math.floor((nowMs / 1000) % 60);
