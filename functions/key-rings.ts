import { base64ToUint8Array, uint8ArrayToBase64 } from "uint8array-extras";
import * as z from "zod";

import { signAws } from "../handlers/sigv4.ts";
import { Problem } from "../problem.ts";
import { type KeyRing, secretKeyRing } from "./vault.ts";

type Settings = Readonly<Record<string, unknown>>;
type Fetch = (request: Request) => Promise<Response>;

const timeoutMs = 5_000;
const encoder = new TextEncoder();

/** Whatever keeps a key service from answering, so that the caller tries again. */
const away = (cause: unknown) =>
  new Problem("unavailable", "The key service does not answer", { cause, retryAfter: 5 });

/**
 * Throws a `Problem` where the service is away or refuses us; any other error means that it does not
 * open what it was sent, for good.
 */
async function ask<S extends z.ZodType>(
  name: string,
  request: Request,
  reply: S,
  wire: Fetch,
  doesNotOpen: (response: Response) => boolean | Promise<boolean>,
): Promise<z.output<S>> {
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await wire(new Request(request, { signal })).catch((error: unknown) => {
    throw away(error);
  });
  if (response.ok) {
    const { data, error } = reply.safeParse(await response.json().catch(() => undefined));
    if (error) throw away(error);
    return data;
  }
  // The body is not quoted: a key service's error may repeat what it was sent.
  const refusal = new Error(`${name} answered ${response.status}`);
  throw (await doesNotOpen(response)) ? refusal : away(refusal);
}

const AwsError = z.object({ __type: z.string() });
const unopened = /(?:^|#)(?:InvalidCiphertext|IncorrectKey)Exception$/;
/** AWS answers 400 to almost anything, throttling too. */
const awsDoesNotOpen = async (response: Response) => {
  const { data } = AwsError.safeParse(await response.json().catch(() => undefined));
  return unopened.test(data?.__type ?? "");
};

const Aws = z.object({
  /** Key ARN, or an alias ARN; its region is where it is called. */
  AWS_KMS_KEY: z.string().regex(/^arn:aws[\w-]*:kms:[\w-]+:\d{12}:(key|alias)\/[\w/-]+$/),
  AWS_ACCESS_KEY_ID: z.string().min(16),
  AWS_SECRET_ACCESS_KEY: z.string().min(16),
  AWS_SESSION_TOKEN: z.string().optional(),
});

/** AWS KMS: the data key is the plaintext of Encrypt, our AAD its encryption context. */
export function awsKeyRing(settings: Settings, wire: Fetch = (request) => fetch(request)): KeyRing {
  const aws = Aws.parse(settings);
  const region = aws.AWS_KMS_KEY.split(":")[3] ?? "";
  const call = async <S extends z.ZodType>(action: string, body: object, reply: S) => {
    const url = new URL(`https://kms.${region}.amazonaws.com/`);
    const content = JSON.stringify(body);
    const headers = new Headers({
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `TrentService.${action}`,
    });
    const signed = await signAws(
      { method: "POST", url, headers, body: content },
      {
        accessKeyId: aws.AWS_ACCESS_KEY_ID,
        secretAccessKey: aws.AWS_SECRET_ACCESS_KEY,
        sessionToken: aws.AWS_SESSION_TOKEN,
      },
      { region, service: "kms", nowMs: Date.now() },
    );
    return ask(
      `AWS KMS ${action}`,
      new Request(url, { method: "POST", headers: signed, body: content }),
      reply,
      wire,
      awsDoesNotOpen,
    );
  };
  const context = (kek: string, aad: string) => ({ kek, aad });
  return {
    current: `kms:${aws.AWS_KMS_KEY}`,
    async wrap(kek, dataKey, aad) {
      const { CiphertextBlob } = await call(
        "Encrypt",
        {
          KeyId: kek.slice("kms:".length),
          Plaintext: uint8ArrayToBase64(dataKey),
          EncryptionContext: context(kek, aad),
        },
        z.object({ CiphertextBlob: z.base64() }),
      );
      return CiphertextBlob;
    },
    async unwrap(kek, wrapped, aad) {
      const { Plaintext } = await call(
        "Decrypt",
        {
          KeyId: kek.slice("kms:".length),
          CiphertextBlob: wrapped,
          EncryptionContext: context(kek, aad),
        },
        z.object({ Plaintext: z.base64() }),
      );
      return base64ToUint8Array(Plaintext);
    },
  };
}

const Vault = z.object({
  VAULT_ADDR: z.url({ protocol: /^https$/ }),
  VAULT_TOKEN: z.string().min(1),
  VAULT_NAMESPACE: z.string().optional(),
  VAULT_TRANSIT_MOUNT: z
    .string()
    .regex(/^[\w/-]+$/)
    .default("transit"),
  VAULT_TRANSIT_KEY: z.string().regex(/^[\w.-]+$/),
});

/** HashiCorp Vault's Transit engine, with an AEAD key (`aes256-gcm96`): our AAD is its associated data. */
export function vaultKeyRing(
  settings: Settings,
  wire: Fetch = (request) => fetch(request),
): KeyRing {
  const vault = Vault.parse(settings);
  const call = <S extends z.ZodType>(
    action: "encrypt" | "decrypt",
    kek: string,
    body: object,
    reply: S,
  ) => {
    const [, mount = "", key = ""] = /^vault:(.+)\/([^/]+)$/.exec(kek) ?? [];
    const address = vault.VAULT_ADDR.replace(/\/+$/, "");
    return ask(
      `Vault ${action}`,
      new Request(`${address}/v1/${mount}/${action}/${key}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-vault-token": vault.VAULT_TOKEN,
          "x-vault-request": "true",
          ...(vault.VAULT_NAMESPACE ? { "x-vault-namespace": vault.VAULT_NAMESPACE } : {}),
        },
        body: JSON.stringify(body),
      }),
      reply,
      wire,
      ({ status }) => status === 400,
    );
  };
  const associated = (kek: string, aad: string) =>
    uint8ArrayToBase64(encoder.encode(`${kek}|${aad}`));
  return {
    current: `vault:${vault.VAULT_TRANSIT_MOUNT}/${vault.VAULT_TRANSIT_KEY}`,
    async wrap(kek, dataKey, aad) {
      const body = {
        plaintext: uint8ArrayToBase64(dataKey),
        associated_data: associated(kek, aad),
      };
      const { data } = await call(
        "encrypt",
        kek,
        body,
        z.object({ data: z.object({ ciphertext: z.string() }) }),
      );
      return data.ciphertext;
    },
    async unwrap(kek, wrapped, aad) {
      const body = { ciphertext: wrapped, associated_data: associated(kek, aad) };
      const { data } = await call(
        "decrypt",
        kek,
        body,
        z.object({ data: z.object({ plaintext: z.base64() }) }),
      );
      return base64ToUint8Array(data.plaintext);
    },
  };
}

/**
 * The ring that `KEY_RING` names (`secrets`, `aws-kms` or `vault`) wraps; every ring that is
 * configured unwraps, so that a move from one to another is a rotation like any other.
 */
export function openKeyRing(settings: Settings, wire?: Fetch): KeyRing {
  const wanted = settings["KEY_RING"] ?? "secrets";
  const rings: Record<string, KeyRing> = {};
  if (Object.keys(settings).some((name) => /^KEY_\d+$/.test(name)))
    rings["secrets"] = secretKeyRing(settings);
  if (settings["AWS_KMS_KEY"]) rings["aws-kms"] = awsKeyRing(settings, wire);
  if (settings["VAULT_TRANSIT_KEY"]) rings["vault"] = vaultKeyRing(settings, wire);
  const current = rings[String(wanted)];
  if (!current) throw new Error(`KEY_RING is ${String(wanted)}, which is not configured`);
  const ringOf = (kek: string) => {
    const name = kek.startsWith("kms:")
      ? "aws-kms"
      : kek.startsWith("vault:")
        ? "vault"
        : "secrets";
    const ring = rings[name];
    if (!ring) throw new Error(`The key ring of ${name} is not configured`);
    return ring;
  };
  return {
    current: current.current,
    wrap: (kek, dataKey, aad) => ringOf(kek).wrap(kek, dataKey, aad),
    unwrap: (kek, wrapped, aad) => ringOf(kek).unwrap(kek, wrapped, aad),
  };
}
