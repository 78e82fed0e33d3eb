import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { openKeyRing } from "./key-rings.ts";
import { openVault, secretKeyRing } from "./vault.ts";

const newKey = () => randomBytes(32).toString("base64");
const owner = { orgId: "org-1", id: "integration-1" };

/** AES-GCM of a key service: what AWS and Vault do on their side of the wire. */
function keyService() {
  const key = randomBytes(32);
  return {
    seal(plain: Buffer, context: string) {
      const iv = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
    },
    open(blob: Buffer, context: string) {
      const decipher = createDecipheriv("aes-256-gcm", key, blob.subarray(0, 12))
        .setAAD(Buffer.from(context))
        .setAuthTag(blob.subarray(12, 28));
      return Buffer.concat([decipher.update(blob.subarray(28)), decipher.final()]);
    },
  };
}

const aws = {
  AWS_KMS_KEY: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLEEXAMPLE00",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

/** KMS's JSON protocol, with the signature computed again from AWS's description of SigV4. */
function kms() {
  const service = keyService();
  return async (request: Request): Promise<Response> => {
    const body = await request.text();
    const url = new URL(request.url);
    const sha = (text: string) => createHash("sha256").update(text).digest("hex");
    const authorization = request.headers.get("authorization") ?? "";
    const [, scope = "", names = "", signature] =
      /Credential=[^/]+\/(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(
        authorization,
      ) ?? [];
    const canonical = [
      "POST",
      "/",
      "",
      ...names
        .split(";")
        .map((name) => `${name}:${name === "host" ? url.host : request.headers.get(name)}`),
      "",
      names,
      sha(body),
    ].join("\n");
    let key: Buffer | string = `AWS4${aws.AWS_SECRET_ACCESS_KEY}`;
    for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
    const text = [
      "AWS4-HMAC-SHA256",
      request.headers.get("x-amz-date"),
      scope,
      sha(canonical),
    ].join("\n");
    const expected = createHmac("sha256", key).update(text).digest("hex");
    if (signature !== expected || url.host !== "kms.eu-west-1.amazonaws.com")
      return Response.json({ __type: "IncompleteSignature" }, { status: 400 });
    const call = JSON.parse(body) as Record<string, string> & { EncryptionContext: object };
    const context = JSON.stringify(call.EncryptionContext);
    try {
      if (request.headers.get("x-amz-target") === "TrentService.Encrypt")
        return Response.json({
          CiphertextBlob: service
            .seal(Buffer.from(call["Plaintext"] ?? "", "base64"), context)
            .toString("base64"),
        });
      return Response.json({
        Plaintext: service
          .open(Buffer.from(call["CiphertextBlob"] ?? "", "base64"), context)
          .toString("base64"),
      });
    } catch {
      return Response.json({ __type: "InvalidCiphertextException" }, { status: 400 });
    }
  };
}

const hashicorp = {
  VAULT_ADDR: "https://vault.clinic.example",
  VAULT_TOKEN: "hvs.test-token",
  VAULT_TRANSIT_KEY: "integrations",
};

function transit() {
  const service = keyService();
  return async (request: Request): Promise<Response> => {
    if (request.headers.get("x-vault-token") !== hashicorp.VAULT_TOKEN)
      return Response.json({ errors: ["permission denied"] }, { status: 403 });
    const { pathname } = new URL(request.url);
    const body = (await request.json()) as Record<string, string>;
    const context = body["associated_data"] ?? "";
    try {
      if (pathname === "/v1/transit/encrypt/integrations") {
        const sealed = service.seal(Buffer.from(body["plaintext"] ?? "", "base64"), context);
        return Response.json({
          data: { ciphertext: `vault:v1:${sealed.toString("base64")}`, key_version: 1 },
        });
      }
      if (pathname === "/v1/transit/decrypt/integrations") {
        const blob = Buffer.from((body["ciphertext"] ?? "").replace("vault:v1:", ""), "base64");
        return Response.json({
          data: { plaintext: service.open(blob, context).toString("base64") },
        });
      }
      return Response.json({ errors: ["no handler"] }, { status: 404 });
    } catch {
      return Response.json({ errors: ["invalid ciphertext"] }, { status: 400 });
    }
  };
}

const rings = {
  "Worker secrets": () => openKeyRing({ KEY_1: newKey() }),
  "Secrets Store": () => {
    const key = newKey();
    return openKeyRing({ KEY_1: { get: async () => key } });
  },
  "AWS KMS": () => openKeyRing({ KEY_RING: "aws-kms", ...aws }, kms()),
  "Vault Transit": () => openKeyRing({ KEY_RING: "vault", ...hashicorp }, transit()),
};

describe.each(Object.entries(rings))("envelopes under %s", (_name, open) => {
  test("open to what was sealed, for their owner alone", async () => {
    const vault = openVault(open());
    const value = { token: "s3cret", n: 1, nested: ["Zoë ✓"] };
    const envelope = await vault.seal(owner, value);
    expect(await vault.open(owner, envelope)).toEqual(value);
    expect(JSON.stringify(envelope)).not.toContain("s3cret");
    for (const thief of [
      { ...owner, id: "integration-2" },
      { ...owner, orgId: "org-2" },
      { orgId: "org-1|integration-1", id: "1" },
    ])
      await expect(vault.open(thief, envelope)).rejects.toThrow();
  });

  test("do not open when any part was altered or taken from another", async () => {
    const vault = openVault(open());
    const [a, b] = [await vault.seal(owner, "a"), await vault.seal(owner, "b")];
    const flip = (text: string) =>
      Buffer.from(text, "base64").map((byte, i) => (i ? byte : byte ^ 1));
    for (const change of [
      { ct: b.ct },
      { iv: b.iv },
      { dk: b.dk },
      { dv: 2 },
      { ct: Buffer.from(flip(a.ct)).toString("base64") },
      { iv: Buffer.from(flip(a.iv)).toString("base64") },
    ])
      await expect(
        vault.open(owner, { ...a, ...change }),
        JSON.stringify(change),
      ).rejects.toThrow();
  });
});

test("whatever JSON goes in comes out", async () => {
  const vault = openVault(secretKeyRing({ KEY_1: newKey() }));
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      const back = await vault.open(owner, await vault.seal(owner, value));
      expect(back).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 100 },
  );
});

test("the newest key wraps, older ones still open, and a re-wrapped envelope no longer needs them", async () => {
  const [one, two, ten] = [newKey(), newKey(), newKey()];
  const before = openVault(secretKeyRing({ KEY_1: one, KEY_2: two }));
  const old = await before.seal(owner, "value");
  expect(old.kek).toBe("KEY_2");
  const both = openVault(secretKeyRing({ KEY_1: one, KEY_2: two, KEY_10: ten }));
  expect((await both.seal(owner, "x")).kek).toBe("KEY_10");
  expect(await both.open(owner, old)).toBe("value");
  const moved = await both.rewrap(owner, old);
  expect(moved).toMatchObject({ kek: "KEY_10", ct: old.ct, iv: old.iv });
  expect(await openVault(secretKeyRing({ KEY_10: ten })).open(owner, moved)).toBe("value");
  await expect(openVault(secretKeyRing({ KEY_10: ten })).open(owner, old)).rejects.toThrow(
    /KEY_2 is not configured/,
  );
});

test("a move from Worker secrets to AWS KMS is a rotation", async () => {
  const settings = { KEY_1: newKey(), ...aws };
  const wire = kms();
  const old = await openVault(openKeyRing(settings, wire)).seal(owner, "value");
  const moved = await openVault(openKeyRing({ ...settings, KEY_RING: "aws-kms" }, wire)).rewrap(
    owner,
    old,
  );
  expect(moved.kek).toBe(`kms:${aws.AWS_KMS_KEY}`);
  expect(
    await openVault(openKeyRing({ ...aws, KEY_RING: "aws-kms" }, wire)).open(owner, moved),
  ).toBe("value");
});

test("a key service that refuses is an error without what was sent", async () => {
  const refusing = async () => Response.json({ message: "s3cret" }, { status: 400 });
  const vault = openVault(openKeyRing({ KEY_RING: "aws-kms", ...aws }, refusing));
  await expect(vault.seal(owner, "s3cret")).rejects.toThrow(/^AWS KMS Encrypt answered 400$/);
});

test("a ring that is not configured is refused at once", () => {
  expect(() => openKeyRing({})).toThrow(/KEY_RING is secrets/);
  expect(() => openKeyRing({ KEY_1: newKey(), KEY_RING: "vault" })).toThrow(/not configured/);
});
