import { createHmac } from "node:crypto";

import { build } from "esbuild";
import * as fc from "fast-check";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";

import { type AnyVendor, exampleValues, type Webhooks } from "./define.ts";
import { registry } from "./registry.ts";
import type { Incoming, Verdict } from "./signature.ts";
import recorded from "./webhook-vectors.json" with { type: "json" };

/** One request as a vendor sends it: JSON, since it also travels into workerd. */
const Sent = z.object({
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body_base64: z.string(),
});
type Sent = z.infer<typeof Sent>;
const Vector = Sent.extend({
  vendor: z.string(),
  scheme: z.string(),
  case: z.string(),
  secret: z.string(),
  valid: z.boolean(),
  now: z.number(),
  meta: z
    .looseObject({
      expected_response: z
        .object({ status: z.number(), text: z.string().optional(), json: z.unknown().optional() })
        .optional(),
    })
    .default({}),
});
type Vector = z.infer<typeof Vector>;
const vectors = z.array(Vector).parse(recorded);

/** Schemes that a vendor still offers, its SDK accepts, and we do not. */
const refusedSchemes: Record<string, string> = {
  "x-plivo-signature-v2": "covers neither the query nor the body",
  "x-hubspot-signature-v1": "a plain hash, and no time",
  "x-hubspot-signature-v2": "a plain hash, and no time",
  "agora-signature": "HMAC-SHA1; V2 is sent beside it",
  "vonage-sms-sig-md5hash": "MD5",
  "vonage-sms-sig-md5hmac": "MD5",
  "vonage-sms-sig-sha1hmac": "HMAC-SHA1; the account can be set to SHA-256 or SHA-512",
};

type Values = Record<string, string | number | boolean>;
type Signer = {
  /** What the vendor proves: nothing, where it only sends a secret back. */
  covers: "body" | "nothing";
  sign: (
    secret: string,
    values: Values,
  ) => { headers?: Record<string, string>; url?: string; body?: string };
};

const now = 1_760_000_000;
const address = "https://hooks.example.com/webhooks/vendor/0190";
/** The token in the address and, where the vendor's configuration holds one, a secret header. */
const tokenInUrl: Signer = {
  covers: "nothing",
  sign: (secret, { webhookSecret }) => ({
    url: `${address}?token=${encodeURIComponent(secret)}`,
    ...(webhookSecret && { headers: { "x-webhook-secret": String(webhookSecret) } }),
  }),
};

/** For vendors of which no valid signature was recorded. */
const signers: Record<string, Signer> = {
  "100ms": tokenInUrl,
  agora: {
    covers: "body",
    sign: (secret) => {
      const body =
        '{"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","productId":1,"eventType":10}';
      const signature = createHmac("sha256", secret).update(body).digest("hex");
      return { body, headers: { "agora-signature-v2": signature } };
    },
  },
  assemblyai: tokenInUrl,
  athenahealth: {
    covers: "body",
    sign: (secret) => {
      const body =
        '{"resourceType":"Bundle","type":"history","entry":[{"resource":{"resourceType":"SubscriptionStatus","topic":"x/Patient.update","notificationEvent":[{"id":"cb6cc377"}]}}]}';
      const signature = createHmac("sha256", secret).update(body).digest("hex");
      return { body, headers: { "x-hub-signature": `sha256=${signature}` } };
    },
  },
  deepgram: tokenInUrl,
  exotel: tokenInUrl,
  "rest-api": {
    covers: "body",
    sign: (secret) => {
      const body = '{"event_id":"evt_1","type":"item.changed"}';
      const headers = { "webhook-id": "msg_1", "webhook-timestamp": String(now) };
      const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
      const signature = createHmac("sha256", key).update(`msg_1.${now}.${body}`).digest("base64");
      return { body, headers: { ...headers, "webhook-signature": `v1,${signature}` } };
    },
  },
};

/** Recorded with entries of other schemes in the signature header, which are there to be ignored. */
const withDecoys = /v1-plus-v0|rotation/;

/** Vendors that sign the URL too. */
const signsUrl = new Set(["twilio", "plivo", "square", "hubspot", "messagebird"]);
/**
 * Vendors that sign decoded parameters, joined without saying where a name ends: by their own design
 * the signature cannot tell `aLower=z` from `aLower&z=`.
 */
const signsParameters = new Set(["twilio", "plivo", "vonage"]);
const joinedParameters = (incoming: Incoming) =>
  [new URL(incoming.url).search, Buffer.from(incoming.body).toString()]
    .flatMap((text) =>
      [...new URLSearchParams(text)].map(([name, value]) => name + value).toSorted(),
    )
    .join("")
    .replaceAll(/[&=]/g, "_");

function sameAddress(a: Incoming, b: Incoming) {
  const [first, second] = [new URL(a.url), new URL(b.url)];
  return (
    first.href === second.href ||
    (first.pathname === second.pathname && joinedParameters(a) === joinedParameters(b))
  );
}

type Start = { name: string; sent: Sent; values: Values; now: number; covers: "body" | "nothing" };
type Loaded = { id: string; vendor: AnyVendor; webhooks: Webhooks<Values>; starts: Start[] };

const camel = (snake: string) =>
  snake.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The example's values, with the vector's secret and the fields that it names: `api_key` is `apiKey`. */
function valuesOf(vendor: AnyVendor, { secret, meta }: Pick<Vector, "secret" | "meta">): Values {
  const values = exampleValues(vendor);
  const field = vendor.webhooks?.secretField;
  for (const [name, value] of Object.entries(meta))
    if (typeof value === "string" && camel(name) in values) values[camel(name)] = value;
  return field ? { ...values, [field]: secret } : values;
}

/** A vendor that signs nothing is known by the token in its address, which each integration has. */
const secretOf = (vendor: AnyVendor) => vendor.webhooks?.secretField ?? "webhookToken";

function startsOf(id: string, vendor: AnyVendor): Start[] {
  const valid = vectors.filter((v) => v.vendor === id && v.valid && !refusedSchemes[v.scheme]);
  if (valid.length > 0)
    return valid.map((vector) => ({
      name: `${vector.scheme} ${vector.case}`,
      sent: Sent.parse(vector),
      values: valuesOf(vendor, vector),
      now: vector.now,
      covers: "body",
    }));
  const signer = signers[id];
  if (!signer) return [];
  const values: Values = { ...exampleValues(vendor), webhookToken: "unguessable-token" };
  const secret = String(values[secretOf(vendor)]);
  const {
    headers = {},
    url = address,
    body = '{"id":"1","type":"ping"}',
  } = signer.sign(secret, values);
  const sent = { method: "POST", url, headers, body_base64: Buffer.from(body).toString("base64") };
  return [{ name: "signed here", sent, values, now, covers: signer.covers }];
}

const loaded: Loaded[] = [];
for (const [id, load] of Object.entries<() => Promise<AnyVendor>>(registry)) {
  const vendor = await load();
  if (vendor.webhooks)
    loaded.push({ id, vendor, webhooks: vendor.webhooks, starts: startsOf(id, vendor) });
}

const incomingOf = (sent: Sent): Incoming => ({
  method: sent.method,
  url: sent.url,
  headers: new Headers(sent.headers),
  body: new Uint8Array(Buffer.from(sent.body_base64, "base64")),
});

type Question = { id: string; sent: Sent; values: Values; now: number };
let worker: Miniflare | undefined;
const inWorkerd = async (questions: Question[]): Promise<Verdict[]> => {
  const answer = await worker?.dispatchFetch("http://localhost/", {
    method: "POST",
    body: JSON.stringify(questions),
  });
  const text = (await answer?.text()) ?? "no worker";
  if (answer?.status !== 200) throw new Error(text);
  return JSON.parse(text) as Verdict[];
};

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: {
      resolveDir: import.meta.dirname,
      loader: "ts",
      contents: `
        import { registry } from "./registry.ts";
        const bytes = (text: string) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        export default {
          async fetch(request: Request) {
            const verdicts = [];
            for (const { id, sent, values, now } of await request.json()) {
              const { webhooks } = await registry[id]();
              const { method, url, headers, body_base64 } = sent;
              const incoming = { method, url, headers: new Headers(headers), body: bytes(body_base64) };
              verdicts.push(await webhooks.verify.verify(incoming, values, now));
            }
            return Response.json(verdicts);
          },
        };`,
    },
    bundle: true,
    write: false,
    format: "esm",
    target: "esnext",
    conditions: ["workerd", "worker", "browser"],
  });
  worker = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: outputFiles[0]?.text ?? "",
      compatibilityDate: "2026-11-01",
    }),
  );
  await worker.ready;
}, 60_000);
afterAll(() => worker?.dispose());

test("at least one vendor has webhooks", () => expect(loaded.length).toBeGreaterThan(0));

/** The same on each run: a failure names the request that caused it. */
const runs = { seed: 20_261_123, numRuns: 8 };
const printable = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
const edit = fc.tuple(fc.constantFrom("replace", "drop", "insert"), printable);

/** The text with one character replaced, dropped or inserted: once for each place from `from` on. */
function* editsOf(text: string, [kind, character]: [string, string], from = 0) {
  for (let place = from; place < text.length; place++) {
    const tail = text.slice(kind === "insert" ? place : place + 1);
    const changed = text.slice(0, place) + (kind === "drop" ? "" : character) + tail;
    if (changed !== text) yield changed;
  }
}

describe.each(loaded)("$id", ({ id, vendor, webhooks, starts }) => {
  const { verify } = webhooks;
  const secretField = secretOf(vendor);
  const own = vectors.filter((vector) => vector.vendor === id);
  const expectations = own.map((v) => v.valid && !refusedSchemes[v.scheme]);
  const judge = (start: Start, incoming: Incoming, at = start.now) =>
    verify.verify(incoming, start.values, at);

  async function expectRefused(start: Start, incoming: Incoming, what: string) {
    const verdict = await judge(start, incoming);
    expect(verdict.ok, `${start.name}: ${what}`).toBe(false);
  }

  test("has recorded signatures or a signer to be tested with", () => {
    expect(starts.map((start) => start.name)).not.toEqual([]);
  });

  if (own.length > 0)
    test("judges each recorded request as its SDK or our policy does", async () => {
      for (const [i, vector] of own.entries()) {
        const verdict = await verify.verify(
          incomingOf(vector),
          valuesOf(vendor, vector),
          vector.now,
        );
        expect(verdict.ok, `${vector.scheme} ${vector.case}: ${JSON.stringify(verdict)}`).toBe(
          expectations[i],
        );
      }
    });

  test("judges alike in workerd", async () => {
    const questions: Question[] = [
      ...own.map((v) => ({ id, sent: Sent.parse(v), values: valuesOf(vendor, v), now: v.now })),
      ...starts.map(({ sent, values, now: at }) => ({ id, sent, values, now: at })),
    ];
    const here: Verdict[] = [];
    for (const { sent, values, now: at } of questions)
      here.push(await verify.verify(incomingOf(sent), values, at));
    expect(await inWorkerd(questions)).toEqual(here);
    expect(here.slice(own.length).every((verdict) => verdict.ok)).toBe(true);
  });

  test("reads events out of each accepted request, or answers its handshake", async () => {
    for (const { name, sent, values } of starts) {
      const incoming = incomingOf(sent);
      const answer = await webhooks.handshake?.(incoming, values);
      const wanted = own.find((v) => `${v.scheme} ${v.case}` === name)?.meta.expected_response;
      if (wanted) {
        const response = answer ?? webhooks.reply?.();
        expect(response?.status, name).toBe(wanted.status);
        const text = await response?.text();
        if (wanted.text !== undefined) expect(text, name).toBe(wanted.text);
        if (wanted.json !== undefined) expect(JSON.parse(text ?? ""), name).toEqual(wanted.json);
      }
      if (answer) continue;
      for (const event of webhooks.events(incoming)) {
        expect(event.type, name).toMatch(/./);
        expect(event.id, name).not.toBe("");
      }
    }
  });

  test("refuses everything without a secret, or with another one", async () => {
    for (const start of starts) {
      const incoming = incomingOf(start.sent);
      const { [secretField]: secret, ...rest } = start.values;
      for (const values of [rest, { ...rest, [secretField]: "" }])
        expect(await verify.verify(incoming, values, start.now), start.name).toMatchObject({
          ok: false,
          reason: "not_configured",
        });
      const other = { ...rest, [secretField]: `${secret}x` };
      expect((await verify.verify(incoming, other, start.now)).ok, start.name).toBe(false);
    }
  });

  test("refuses a changed body, or reads the event back where the body is not signed", async () => {
    for (const start of starts) {
      if (start.covers === "nothing") {
        expect(webhooks.confirm, "an unsigned event is only a hint").toBeTypeOf("function");
        continue;
      }
      const original = incomingOf(start.sent);
      const sameToTheVendor = (incoming: Incoming) =>
        signsParameters.has(id) && joinedParameters(incoming) === joinedParameters(original);
      const { body } = original;
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 255 }), async (difference) => {
          for (const [place, byte] of body.entries()) {
            const incoming = { ...original, body: body.with(place, byte ^ difference) };
            if (!sameToTheVendor(incoming))
              await expectRefused(start, incoming, `byte ${place} of the body`);
          }
        }),
        runs,
      );
      const additions = {
        " ": "a space",
        "\n": "a newline",
        "\ufeff": "a byte order mark",
        "&a=1": "a field",
      };
      for (const [addition, what] of Object.entries(additions))
        for (const text of [Buffer.from(body) + addition, addition + Buffer.from(body)]) {
          const incoming = { ...original, body: new Uint8Array(Buffer.from(text)) };
          if (!sameToTheVendor(incoming))
            await expectRefused(start, incoming, `${what} in the body`);
        }
      if (body.length > 0)
        await expectRefused(start, { ...original, body: new Uint8Array() }, "no body");
    }
  });

  test("refuses JSON that was parsed and written again", async () => {
    for (const start of starts.filter(({ covers }) => covers === "body")) {
      const original = incomingOf(start.sent);
      const text = Buffer.from(original.body).toString();
      if (!/^[{[]/.test(text)) continue;
      for (const indent of [0, 2]) {
        const again = JSON.stringify(JSON.parse(text), null, indent);
        if (again === text) continue;
        const body = new Uint8Array(Buffer.from(again));
        await expectRefused(start, { ...original, body }, `written with indent ${indent}`);
      }
    }
  });

  const signedHeaders = ({ sent }: Start) =>
    Object.entries(sent.headers).filter(([name]) => name.toLowerCase() !== "content-type");
  const withHeader = (start: Start, name: string, ...values: string[]): Incoming => {
    const incoming = incomingOf(start.sent);
    incoming.headers.delete(name);
    for (const value of values) incoming.headers.append(name, value);
    return incoming;
  };

  test("refuses each signature header when it is changed, missing, doubled, empty or not ASCII", async () => {
    for (const start of starts)
      for (const [name, value] of signedHeaders(start)) {
        // The name of an authentication scheme is case-insensitive (RFC 9110, 11.1).
        const from = /^Bearer /.exec(value)?.[0].length ?? 0;
        if (!withDecoys.test(start.name))
          await fc.assert(
            fc.asyncProperty(edit, async (change) => {
              for (const changed of editsOf(value, change, from))
                await expectRefused(start, withHeader(start, name, changed), `${name}: ${changed}`);
            }),
            runs,
          );
        const hostile = [
          [],
          [value, value],
          [value, ""],
          ["", value],
          [""],
          [`${value}é`],
          [`é${value}`],
        ];
        for (const values of hostile)
          await expectRefused(
            start,
            withHeader(start, name, ...values),
            `${name}: ${values.join("|")}`,
          );
      }
  });

  if (signsUrl.has(id) || starts.some(({ covers }) => covers === "nothing"))
    test("refuses a changed path or query", async () => {
      for (const start of starts) {
        const { url } = start.sent;
        const from = signsUrl.has(id) ? new URL(url).origin.length : url.indexOf("token=");
        if (from < 0) continue;
        await fc.assert(
          fc.asyncProperty(edit, async (change) => {
            for (const changed of editsOf(url, change, from)) {
              const incoming = { ...incomingOf(start.sent), url: changed };
              if (URL.canParse(changed) && !sameAddress(incoming, incomingOf(start.sent)))
                await expectRefused(start, incoming, changed);
            }
          }),
          runs,
        );
      }
    });

  if (verify.toleranceSeconds !== undefined)
    test("refuses what is too old or too new", async () => {
      const seconds = 2 * (verify.toleranceSeconds ?? 0) + 1;
      for (const start of starts)
        for (const offset of [-seconds, seconds])
          expect(
            await judge(start, incomingOf(start.sent), start.now + offset),
            `${start.name} by ${offset} s`,
          ).toMatchObject({ ok: false, reason: "stale" });
    });

  test("does not throw on a body of 5 MB", async () => {
    for (const start of starts) {
      const body = new Uint8Array(5_000_000).fill(0x61);
      const verdict = await judge(start, { ...incomingOf(start.sent), body });
      expect(verdict.ok).toBe(start.covers === "nothing");
    }
  });

  test("does not throw on garbage, and accepts none", async () => {
    const [start] = starts;
    if (!start) return;
    const names = [...new Set(starts.flatMap((one) => Object.keys(one.sent.headers)))];
    const value = fc.oneof(
      fc.string({ unit: "binary-ascii" }).map((text) => text.replaceAll(/[\0\r\n]/g, "")),
      fc.constantFrom(
        "Bearer a.b.c",
        "t=,v1=",
        "v1,",
        "v0=",
        `t=${now}`,
        "{}",
        "\u00ff",
        "[object]",
      ),
    );
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => new Uint8Array(Buffer.from(text))),
      fc.webQueryParameters().map((text) => new Uint8Array(Buffer.from(text))),
    );
    const request = fc.record({
      method: fc.constantFrom("GET", "POST", "PUT", ""),
      url: fc.oneof(fc.webUrl({ withQueryParameters: true }), fc.string(), fc.constant(address)),
      headers: fc.array(fc.tuple(fc.constantFrom("x-none", ...names), value), { maxLength: 8 }),
      body,
    });
    await fc.assert(
      fc.asyncProperty(request, async ({ headers, ...rest }) => {
        const incoming = {
          ...rest,
          body: new Uint8Array(rest.body),
          headers: new Headers(headers),
        };
        expect((await judge(start, incoming)).ok).toBe(false);
        // Runs before anything is verified, and must not throw either.
        webhooks.challenge?.(incoming, start.values);
      }),
      { ...runs, numRuns: 150 },
    );
  });
});
