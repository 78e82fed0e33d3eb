import { randomBytes } from "node:crypto";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { aws, hashicorp, kms, transit } from "../scripts/key-services.ts";
import { openKeyRing } from "./key-rings.ts";
import { openVault, secretKeyRing } from "./vault.ts";

const newKey = () => randomBytes(32).toString("base64");
const owner = { orgId: "org-1", id: "integration-1" };

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

test("a key service that does not open an envelope is told from one that is away", async () => {
  const refusing = (body: object, status: number) => async () => Response.json(body, { status });
  const failure = async (KEY_RING: string, wire: () => Promise<Response>) => {
    const vault = openVault(openKeyRing({ KEY_RING, ...aws, ...hashicorp }, wire));
    const error: unknown = await vault.seal(owner, "s3cret").catch((thrown: unknown) => thrown);
    // A key service's error may repeat what it was sent.
    expect(JSON.stringify([error, (error as Error).cause])).not.toContain("s3cret");
    return error as Error & { code?: string };
  };
  const aside = { message: "s3cret" };
  for (const [ring, wire] of [
    ["aws-kms", refusing({ __type: "InvalidCiphertextException", ...aside }, 400)],
    ["aws-kms", refusing({ __type: "com.amazonaws.kms#IncorrectKeyException", ...aside }, 400)],
    ["vault", refusing({ errors: ["s3cret"] }, 400)],
  ] as const)
    expect((await failure(ring, wire)).message).toMatch(
      /^(AWS KMS Encrypt|Vault encrypt) answered/,
    );
  for (const [ring, wire] of [
    ["aws-kms", refusing({ __type: "ThrottlingException", ...aside }, 400)],
    ["aws-kms", refusing({ __type: "KMSInternalException", ...aside }, 500)],
    ["aws-kms", async () => new Response("<html>", { status: 200 })],
    ["vault", refusing({ errors: ["s3cret"] }, 503)],
    ["vault", refusing({ errors: ["permission denied"] }, 403)],
    ["vault", () => Promise.reject(new TypeError("fetch failed"))],
  ] as const)
    expect(await failure(ring, wire)).toMatchObject({ code: "unavailable", retryAfter: 5 });
});

test("a ring that is not configured is refused at once", () => {
  expect(() => openKeyRing({})).toThrow(/KEY_RING is secrets/);
  expect(() => openKeyRing({ KEY_1: newKey(), KEY_RING: "vault" })).toThrow(/not configured/);
});
