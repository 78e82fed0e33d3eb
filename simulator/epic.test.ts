import { randomUUID } from "node:crypto";

import { importPKCS8, SignJWT } from "jose";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { epicKeys, epicPatientsOnly, epicSecret } from "./epic.ts";
import { known, patientId } from "./fhir/records.ts";
import { startSimulator } from "./server.ts";
import { demoKey } from "./smart/keys.ts";

const simulator = await startSimulator({ vendors: ["epic"] });
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const clientId = String(simulator.simulation("epic").credentials["clientId"]);
const root = "https://fhir.epic.com/interconnect-fhir-oauth";
const base = `${root}/api/FHIR/R4`;
const tokenUrl = `${root}/oauth2/token`;
const seconds = () => Math.floor(Date.now() / 1000);

type Assertion = { key?: typeof epicKeys.rs384; kid?: string; claims?: Record<string, unknown> };
async function assertion({ key = epicKeys.rs384, kid = key.kid, claims = {} }: Assertion = {}) {
  const registered = {
    iss: clientId,
    sub: clientId,
    aud: tokenUrl,
    jti: randomUUID(),
    exp: seconds() + 240,
    ...claims,
  };
  return new SignJWT(registered)
    .setProtectedHeader({ alg: key.alg, typ: "JWT", kid })
    .sign(await importPKCS8(key.privateKey, key.alg));
}
const asClient = (client_assertion: string, scope = "system/*.rs") => ({
  grant_type: "client_credentials",
  client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  client_assertion,
  scope,
});
const askToken = (form: Record<string, string>, url = tokenUrl, headers = {}) =>
  simulator.fetch(url, { method: "POST", body: new URLSearchParams(form), headers });
async function token(form?: Record<string, string>) {
  const reply = await askToken(form ?? asClient(await assertion()));
  expect(reply.status).toBe(200);
  return ((await reply.json()) as { access_token: string }).access_token;
}
type Json = {
  total?: number;
  entry?: { resource: Record<string, unknown>; search: { mode: string } }[];
  link?: { relation: string; url: string }[];
  issue?: { details: { coding?: { code: string }[] } }[];
  [key: string]: unknown;
};
async function get(path: string, bearer: string, headers: Record<string, string> = {}) {
  const reply = await simulator.fetch(path.startsWith("https:") ? path : `${base}/${path}`, {
    headers: { authorization: `Bearer ${bearer}`, accept: "application/fhir+json", ...headers },
  });
  const text = await reply.text();
  const isJson = /[/+]json/.test(reply.headers.get("content-type") ?? "");
  return {
    status: reply.status,
    headers: reply.headers,
    text,
    body: isJson && text ? (JSON.parse(text) as Json) : {},
  };
}
const codesOf = (body: Json) => body.issue?.flatMap((i) => i.details.coding?.map((c) => c.code));

describe("token endpoint", () => {
  test("is where smart-configuration says, and issues a token for a good assertion", async () => {
    const found = await simulator.fetch(`${base}/.well-known/smart-configuration`);
    expect(await found.json()).toMatchObject({ token_endpoint: tokenUrl });
    const reply = await askToken(
      asClient(await assertion(), "system/Patient.read system/Nonsense.write"),
    );
    expect(await reply.json()).toMatchObject({
      token_type: "bearer",
      expires_in: 3600,
      scope: "system/Patient.read",
    });
  });

  test("takes ES384, and the secret by Basic and by form", async () => {
    const reply = await askToken(asClient(await assertion({ key: epicKeys.es384 })));
    expect(reply.status).toBe(200);
    const grant = { grant_type: "client_credentials" };
    const { clientSecret } = epicSecret;
    const basic = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`;
    expect((await askToken(grant, tokenUrl, { authorization: basic })).status).toBe(200);
    const posted = { ...grant, client_id: clientId, client_secret: clientSecret };
    expect((await askToken(posted)).status).toBe(200);
    expect((await askToken({ ...posted, client_secret: "wrong" })).status).toBe(400);
  });

  test.each<[string, Assertion]>([
    ["another key", { key: { ...demoKey("ES384", "another"), kid: epicKeys.es384.kid } }],
    ["an unknown key id", { kid: "unknown" }],
    ["another audience", { claims: { aud: `${root}/oauth2/token/` } }],
    ["a list of audiences", { claims: { aud: [tokenUrl] } }],
    ["another subject", { claims: { sub: "someone" } }],
    ["an unknown client", { claims: { iss: "someone", sub: "someone" } }],
    ["an expired assertion", { claims: { exp: seconds() - 1 } }],
    ["an assertion for ten minutes", { claims: { exp: seconds() + 600 } }],
    ["no expiry", { claims: { exp: undefined } }],
    ["no jti", { claims: { jti: undefined } }],
  ])("refuses %s as invalid_client, and says no more", async (_, wrong) => {
    const reply = await askToken(asClient(await assertion(wrong)));
    expect(reply.status).toBe(400);
    expect(await reply.json()).toEqual({ error: "invalid_client", error_description: null });
  });

  test("refuses an assertion that was used before", async () => {
    const form = asClient(await assertion());
    expect((await askToken(form)).status).toBe(200);
    expect((await askToken(form)).status).toBe(400);
  });

  test("refuses an assertion for another instance, and takes one for that", async () => {
    const production = "https://fhir.clinic.example/interconnect-prd/oauth2/token";
    expect((await askToken(asClient(await assertion()), production)).status).toBe(400);
    const right = asClient(await assertion({ claims: { aud: production } }));
    expect((await askToken(right, production)).status).toBe(200);
  });

  test.each([
    [{ grant_type: "password" }, "unsupported_grant_type"],
    [{ client_assertion_type: "jwt" }, "invalid_request"],
    [{ scope: "system/Nonsense.write" }, "invalid_scope"],
  ])("answers %j with %s", async (wrong, error) => {
    const reply = await askToken({ ...asClient(await assertion()), ...wrong });
    expect(await reply.json()).toMatchObject({ error });
  });
});

describe("FHIR", () => {
  test("refuses a call without a token and one with a forgotten token", async () => {
    expect((await get("Patient?family=Ashdown", "nonsense")).status).toBe(401);
    const bearer = await token();
    simulator.fault({ vendor: "epic", kind: "expired_credentials", times: 1 });
    expect((await get("Patient?family=Ashdown", bearer)).status).toBe(401);
    expect((await get("Patient?family=Ashdown", bearer)).status).toBe(401);
    expect((await get("Patient?family=Ashdown", await token())).status).toBe(200);
  });

  test("answers metadata to anybody", async () => {
    const reply = await simulator.fetch(`${base}/metadata`);
    expect(await reply.json()).toMatchObject({
      resourceType: "CapabilityStatement",
      fhirVersion: "4.0.1",
    });
  });

  test("searches patients by name, birth date and identifier", async () => {
    const bearer = await token();
    const { body } = await get("Patient?family=Bellweather", bearer);
    expect(body.total).toBe(2);
    const patient = body.entry?.[0]?.resource as {
      id: string;
      birthDate: string;
      identifier: { value: string }[];
    };
    const exact = await get(`Patient?family=bellw&birthdate=${patient.birthDate}`, bearer);
    expect(exact.body.entry?.[0]?.resource["id"]).toBe(patient.id);
    const byNumber = await get(`Patient?identifier=${patient.identifier[0]?.value}`, bearer);
    expect(byNumber.body.total).toBe(1);
    expect((await get(`Patient/${patient.id}`, bearer)).body).toMatchObject({ id: patient.id });
  });

  test("searches a patient's chart", async () => {
    const bearer = await token();
    const id = patientId(0);
    for (const [search, total] of [
      [`Observation?patient=${id}&category=vital-signs`, 2],
      [`Observation?patient=${id}&category=laboratory`, 1],
      [`Condition?patient=${id}`, 1],
      [`MedicationRequest?patient=${id}&status=active`, 1],
      [`AllergyIntolerance?patient=${id}`, 1],
      [`Encounter?patient=${id}`, 1],
      [`Appointment?patient=${id}&date=ge2020-01-01`, 1],
      [`DocumentReference?patient=${id}`, 1],
    ] as const)
      expect([search, (await get(search, bearer)).body.total]).toEqual([search, total]);
    const { body } = await get(`DocumentReference?patient=${id}`, bearer);
    const [document] = body.entry ?? [];
    const [content] = (document?.resource["content"] ?? []) as { attachment: { url: string } }[];
    const note = await get(content?.attachment.url ?? "", bearer, { accept: "text/plain" });
    expect(note.headers.get("content-type")).toBe("text/plain");
    expect(note.text).toContain("Visit note");
    expect((await get("Slot?status=free", bearer)).body.total).toBe(24);
  });

  test("takes the criteria of _search from the body", async () => {
    const reply = await simulator.fetch(`${base}/Patient/_search?family=Nobody`, {
      method: "POST",
      headers: { authorization: `Bearer ${await token()}`, accept: "application/fhir+json" },
      body: new URLSearchParams({ family: "Bellweather" }),
    });
    expect(await reply.json()).toMatchObject({ total: 2 });
  });

  test("pages by sessions that can expire", async () => {
    const bearer = await token();
    const ids: unknown[] = [];
    let next: string | undefined = "Patient?gender=female&_count=4";
    while (next) {
      const { body }: { body: Json } = await get(next, bearer);
      ids.push(...(body.entry ?? []).map(({ resource }) => resource["id"]));
      next = body.link?.find(({ relation }) => relation === "next")?.url;
    }
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength((await get("Patient?gender=female", bearer)).body.total ?? 0);
    const gone = await get("Patient?sessionID=gone", bearer);
    expect([gone.status, codesOf(gone.body)]).toEqual([400, ["4113"]]);
  });

  test("says so in the bundle where nothing is found or a parameter is unknown", async () => {
    const { body } = await get("Patient?family=Nobody&mood=happy", await token());
    expect(body).toMatchObject({ total: 0, entry: [{ search: { mode: "outcome" } }] });
    expect(codesOf(body.entry?.[0]?.resource as Json)).toEqual(["4100", "4101"]);
  });

  test.each([
    ["Patient?family=Everyman", 400, "4127"],
    ["Patient", 400, "4110"],
    ["Observation?category=laboratory", 400, "4111"],
    ["Patient/nobody", 404, "4102"],
  ])("answers %s with %i and %s", async (path, status, code) => {
    const reply = await get(path, await token());
    expect([reply.status, codesOf(reply.body)]).toEqual([status, [code]]);
  });

  test("holds a token to its scopes", async () => {
    const { clientId: client_id, clientSecret: client_secret } = epicPatientsOnly;
    const bearer = await token({ grant_type: "client_credentials", client_id, client_secret });
    expect((await get("Patient?family=Ashdown", bearer)).status).toBe(200);
    const refused = await get(`Condition?patient=${patientId(0)}`, bearer);
    expect([refused.status, codesOf(refused.body)]).toEqual([403, ["4118"]]);
  });

  test("creates a valid observation, with its address and no body", async () => {
    const bearer = await token(asClient(await assertion(), "system/Observation.write system/*.rs"));
    const create = (resource: object) =>
      simulator.fetch(`${base}/Observation`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${bearer}`,
          accept: "application/fhir+json",
          "content-type": "application/fhir+json",
        },
        body: JSON.stringify(resource),
      });
    const observation = {
      resourceType: "Observation",
      status: "final",
      code: { text: "Weight" },
      subject: { reference: `Patient/${patientId(0)}` },
    };
    const made = await create(observation);
    expect([made.status, await made.text()]).toEqual([201, ""]);
    const { body } = await get(made.headers.get("location") ?? "", bearer);
    expect(body).toMatchObject(observation);
    expect((await create({ ...observation, status: undefined })).status).toBe(400);
    expect(
      (await create({ ...observation, subject: { reference: "Patient/nobody" } })).status,
    ).toBe(400);
  });
});

describe("updates", () => {
  test("replace a resource, but not one that has changed since it was read", async () => {
    const bearer = await token(asClient(await assertion(), "system/Observation.u system/*.rs"));
    const path = `Observation/${known.observation}`;
    const before = await get(path, bearer);
    const put = (version: string | null) =>
      simulator.fetch(`${base}/${path}`, {
        method: "PUT",
        headers: {
          authorization: `Bearer ${bearer}`,
          accept: "application/fhir+json",
          "content-type": "application/fhir+json",
          ...(version && { "if-match": version }),
        },
        body: JSON.stringify({ ...before.body, status: "amended" }),
      });
    const version = before.headers.get("etag");
    const first = await put(version);
    expect(first.status).toBe(200);
    expect(first.headers.get("etag")).not.toBe(version);
    expect((await put(version)).status).toBe(412);
    expect((await get(path, bearer)).body).toMatchObject({ status: "amended" });
  });
});

describe("bulk export", () => {
  test("is started, polled and fetched as NDJSON", async () => {
    const bearer = await token();
    const prefer = { prefer: "respond-async" };
    const path = `Group/${known.group}/$export?_type=Patient,Condition`;
    expect((await get(path, bearer)).status).toBe(400);
    const started = await get(path, bearer, prefer);
    expect(started.status).toBe(202);
    const at = started.headers.get("content-location") ?? "";
    const waiting = await get(at, bearer);
    expect([waiting.status, waiting.headers.get("retry-after")]).toEqual([202, "1"]);
    const done = await get(at, bearer);
    expect(done.body).toMatchObject({ requiresAccessToken: "true", error: [] });
    const output = done.body["output"] as { type: string; url: string; count: number }[];
    expect(output.map(({ type }) => type)).toEqual(["Patient", "Condition"]);
    const file = await get(output[1]?.url ?? "", bearer);
    const lines = file.text.trimEnd().split("\n");
    expect(lines).toHaveLength(30);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ resourceType: "Condition" });
    expect((await get("Group/nobody/$export", bearer, prefer)).status).toBe(404);
  });
});
