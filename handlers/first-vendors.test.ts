import { describe, expect, test } from "vitest";

import { epicKeys, epicPatientsOnly, epicSecret } from "../simulator/epic.ts";
import { openaiRestrictedKey, openaiSpentKey } from "../simulator/openai.ts";
import { restApiCredentials } from "../simulator/rest-api.ts";
import { loadSimulation } from "../simulator/simulations.ts";
import { slackReadOnlyToken } from "../simulator/slack.ts";
import { stripeReadOnlyKey } from "../simulator/stripe.ts";
import { connectApi, type ConnectOptions, runOperation } from "./api.ts";
import type { AnyVendor, EnvironmentName } from "./define.ts";
import { vendor as epic } from "./epic.ts";
import { type FieldValues, parseFields } from "./fields.ts";
import { vendor as openai } from "./openai.ts";
import type { Wire } from "./outbound.ts";
import { vendor as restApi } from "./rest-api.ts";
import { vendor as slack } from "./slack.ts";
import { vendor as stripe } from "./stripe.ts";
import { vendor as twilio } from "./twilio.ts";

const vendors: Record<string, AnyVendor> = {
  epic,
  openai,
  "rest-api": restApi,
  slack,
  stripe,
  twilio,
};

/** One vendor, as a tenant has configured it, on the simulator. */
async function integration(
  id: string,
  more: FieldValues = {},
  environment: EnvironmentName = "sandbox",
  endpoint?: string,
) {
  const vendor = vendors[id];
  if (!vendor) throw new Error(`${id} is not one of these`);
  const simulation = await loadSimulation(id);
  const fields = new Set(vendor.steps.flatMap((step) => Object.keys(step.fields)));
  const given = Object.entries({ ...simulation.credentials, ...more });
  const known = Object.fromEntries(given.filter(([key, value]) => fields.has(key) && value !== ""));
  const { values, issues } = parseFields(vendor.steps, known);
  expect(issues).toEqual([]);
  const options: ConnectOptions = {
    vendorId: id,
    vendor,
    values,
    environment,
    endpoint,
    wire: async (request) => simulation.app.fetch(request),
    resolve: async () => ["93.184.216.34"],
    sleep: async () => undefined,
  };
  return {
    test: () => vendor.test(connectApi(options), values, environment),
    run: async (operation: string, params: object, idempotencyKey?: string) =>
      (await runOperation({ ...options, operation, params, idempotencyKey })) as never,
  };
}

describe("epic", () => {
  test("signs in with a key of either kind, and with a secret", async () => {
    for (const [algorithm, key] of [
      ["RS384", epicKeys.rs384],
      ["ES384", epicKeys.es384],
    ] as const) {
      const it = await integration("epic", {
        algorithm,
        privateKey: key.privateKey,
        keyId: key.kid,
        testPatientId: "",
      });
      expect((await it.test()).checked).toEqual(["token issued", "patient search allowed"]);
    }
    const it = await integration("epic", { ...epicSecret, privateKey: "", keyId: "" });
    expect((await it.test()).checked[0]).toBe("token issued");
  });

  test("is refused with a wrong secret", async () => {
    const wrong = { ...epicSecret, clientSecret: "wrong-secret", privateKey: "", keyId: "" };
    const it = await integration("epic", wrong);
    await expect(it.test()).rejects.toMatchObject({ failure: "credentials_rejected" });
  });

  test("takes the integration that the product's documentation creates", async () => {
    const credentials = { clientId: "your-client-id", clientSecret: "your-client-secret" };
    const { values, issues } = parseFields(epic.steps, credentials);
    expect(issues).toEqual([]);
    expect((epic as AnyVendor).auth(values)).toMatchObject({ kind: "client_credentials" });
  });

  test("finds a patient, reads the chart, and pages", async () => {
    const it = await integration("epic");
    const { patients }: { patients: { id: string; family?: string }[] } = await it.run(
      "searchPatients",
      { family: "Ashdown", raw: true },
    );
    const [patient] = patients;
    expect(patient).toMatchObject({ family: "Ashdown", raw: { resourceType: "Patient" } });
    const of = { patient: patient?.id };
    const first: { observations: object[]; next?: string } = await it.run("searchObservations", {
      ...of,
      category: "vital-signs",
      limit: 1,
    });
    expect(first.observations).toHaveLength(1);
    expect(first.next).toMatch(/^\/Observation\?/);
    const second: { observations: object[] } = await it.run("searchObservations", {
      ...of,
      cursor: first.next,
    });
    expect(second.observations).toHaveLength(1);
    expect(second.observations).not.toEqual(first.observations);
  });

  test("does not follow a cursor to another place", async () => {
    const it = await integration("epic");
    for (const cursor of [
      "https://evil.example.com/Patient",
      "//evil.example.com/",
      "/../../oauth2/token",
    ])
      await expect(it.run("searchPatients", { cursor })).rejects.toMatchObject({
        failure: "invalid_request",
      });
  });

  test("names Epic's own codes", async () => {
    const it = await integration("epic");
    await expect(it.run("readPatient", { id: "foo" })).rejects.toMatchObject({
      failure: "not_found",
    });
    await expect(it.run("searchPatients", { family: "Everyman" })).rejects.toMatchObject({
      failure: "invalid_request",
      vendorCode: "4127",
      message: expect.stringMatching(/narrow the search/),
    });
    const nobody: object = await it.run("searchPatients", { family: "Nobody-at-all" });
    expect(nobody).toMatchObject({ patients: [], total: 0 });
  });

  test("says which permission is missing", async () => {
    const it = await integration("epic", { ...epicPatientsOnly, privateKey: "", keyId: "" });
    await it.test();
    await expect(
      it.run("searchConditions", { patient: "erXuFYUfucBZaryVksYEcMg3" }),
    ).rejects.toMatchObject({ failure: "forbidden" });
  });

  test("exports a group, and deletes nothing but exports", async () => {
    const scopes = "system/Group.read system/Patient.read";
    const it = await integration("epic", { scopes });
    const { resources }: { resources: { id: string }[] } = await it.run("searchResources", {
      type: "Group",
    });
    const group = resources[0]?.id;
    const { job }: { job: string } = await it.run("startExport", {
      group,
    });
    let state: { done: boolean; files?: { type: string; file: string }[] } = { done: false };
    for (let i = 0; i < 10 && !state.done; i++) state = await it.run("checkExport", { job });
    const file = state.files?.find(({ type }) => type === "Patient")?.file;
    const lines: Response = await it.run("downloadExportFile", { file });
    expect(JSON.parse((await lines.text()).split("\n")[0] ?? "")).toMatchObject({
      resourceType: "Patient",
    });
    expect(await it.run("cancelExport", { job })).toEqual({ cancelled: true });
    await expect(
      it.run("cancelExport", { job: `/interconnect-fhir-oauth/api/FHIR/R4/Group/${group}` }),
    ).rejects.toMatchObject({ failure: "unexpected_reply" });
  });

  test("writes an observation, and reads it back", async () => {
    const scopes = "system/Observation.read system/Observation.write system/Patient.read";
    const it = await integration("epic", { scopes });
    const { patients }: { patients: { id: string }[] } = await it.run("searchPatients", {
      family: "Ashdown",
    });
    const resource = {
      resourceType: "Observation",
      status: "final",
      category: [{ coding: [{ code: "vital-signs" }] }],
      code: { coding: [{ system: "http://loinc.org", code: "8867-4" }] },
      subject: { reference: `Patient/${patients[0]?.id}` },
      effectiveDateTime: "2026-11-23T12:00:00Z",
      valueQuantity: { value: 61, unit: "/min" },
    };
    const { id }: { id: string } = await it.run("createResource", { resource });
    expect(await it.run("readResource", { type: "Observation", id })).toMatchObject({
      resource: { valueQuantity: { value: 61 } },
    });
  });
});

describe("stripe", () => {
  test("tells a key of the wrong mode before it is used", async () => {
    await (await integration("stripe")).test();
    const production = await integration("stripe", {}, "production");
    await expect(production.test()).rejects.toThrow(/test key/);
  });

  test("accepts a restricted key that may not read the account", async () => {
    const restricted = await integration("stripe", { secretKey: stripeReadOnlyKey });
    await restricted.test();
    await expect(
      restricted.run("createPaymentIntent", { amount: 100, currency: "usd" }),
    ).rejects.toMatchObject({ failure: "forbidden" });
  });

  test.each(["", "a[b]", "a]"])("refuses %j as a key of metadata", async (key) => {
    const it = await integration("stripe");
    await expect(it.run("createCustomer", { metadata: { [key]: "203713" } })).rejects.toMatchObject(
      { errors: [{ path: expect.stringMatching(/^params\.metadata/) }] },
    );
  });

  test("pays once for one key, refunds a part, and sends an invoice", async () => {
    const it = await integration("stripe");
    const pay = { amount: 2500, currency: "usd", reference: "visit-42" };
    const first: { id: string } = await it.run("createPaymentIntent", pay, "key-1");
    expect(await it.run("createPaymentIntent", pay, "key-1")).toEqual(first);
    const { id: customer }: { id: string } = await it.run("createCustomer", {
      name: "Camila Lopez",
      metadata: { mrn: "203713" },
    });
    const draft: { id: string } = await it.run("createInvoice", { customer, currency: "usd" });
    const item = { customer, currency: "usd", amount: 12000, description: "Office visit" };
    await it.run("addInvoiceItem", { ...item, invoice: draft.id });
    expect(await it.run("finalizeInvoice", { id: draft.id })).toMatchObject({
      status: "open",
      amountDue: 12000,
    });
  });
});

describe("twilio", () => {
  test("reads the account, and sends what the product's documentation sends", async () => {
    const it = await integration("twilio");
    expect((await it.test()).checked).toContain("account is active");
    const params = { to: "+15558675310", message: "Your appointment is confirmed!" };
    const sent: { messageId: string } = await it.run("sendSMS", params);
    expect(await it.run("getSMS", { id: sent.messageId })).toMatchObject({
      body: params.message,
    });
    expect(await it.run("makeCall", { to: "+15558675310", say: "A & B <c>" })).toMatchObject({
      callId: expect.stringMatching(/^CA/),
    });
  });

  /** Twilio's answers to a Standard API key, and to a Main key of an account that is suspended. */
  const answering =
    (status: string | undefined): Wire =>
    async ({ url }) => {
      if (!/Accounts\/AC\w+\.json$/.test(url)) return Response.json({ incoming_phone_numbers: [] });
      return status
        ? Response.json({ friendly_name: "Clinic", status })
        : Response.json({ code: 20003, message: "Authenticate" }, { status: 401 });
    };
  const withKey = async (wire: Wire) => {
    const accountSid = "AC0123456789abcdef0123456789abcdef";
    const apiKeySid = "SK0123456789abcdef0123456789abcdef";
    const values = { accountSid, apiKeySid, apiKeySecret: "example-secret" };
    const options: ConnectOptions = {
      vendorId: "twilio",
      vendor: twilio,
      values,
      environment: "production",
      wire,
    };
    return twilio.test(
      connectApi(options),
      parseFields(twilio.steps, values).values as never,
      "production",
    );
  };

  test("accepts an API key that may not read the account", async () => {
    expect((await withKey(answering(undefined))).checked).toContain("API key accepted");
  });

  test("does not call a suspended account good", async () => {
    await expect(withKey(answering("suspended"))).rejects.toThrow(/suspended/);
  });
});

describe("openai", () => {
  test("generates, streams, embeds and transcribes", async () => {
    const it = await integration("openai");
    expect((await it.test()).checked).toContainEqual(expect.stringMatching(/is available/));
    const { text }: { text: string } = await it.run("generateText", { prompt: "Hello" });
    expect(text).toMatch(/./);
    const stream: Response = await it.run("streamText", { prompt: "Hello" });
    expect(await stream.text()).toMatch(/event: response\.completed/);
  });

  test("says which key cannot do what, and fails for a model that is gone", async () => {
    const restricted = await integration("openai", { apiKey: openaiRestrictedKey });
    await expect(restricted.test()).rejects.toMatchObject({ failure: "forbidden" });
    const spent = await integration("openai", { apiKey: openaiSpentKey });
    await expect(spent.run("generateText", { prompt: "Hello" })).rejects.toMatchObject({
      failure: "forbidden",
      message: expect.stringMatching(/no credit/),
    });
    const gone = await integration("openai", { defaultModel: "gone-model" });
    await expect(gone.test()).rejects.toMatchObject({ failure: "not_found" });
  });
});

describe("slack", () => {
  test("posts to the default channel, and takes a 200 with ok false for the failure it is", async () => {
    const it = await integration("slack");
    await it.test();
    const posted: { id: string; channel: string } = await it.run("postMessage", { text: "Hi" });
    expect(await it.run("deleteMessage", posted)).toMatchObject({ deleted: true });
    await expect(it.run("findUserByEmail", { email: "nobody@example.com" })).rejects.toMatchObject({
      failure: "not_found",
      vendorCode: "users_not_found",
    });
    const wrong = await integration("slack", { botToken: "xoxb-0-0-wrong" });
    await expect(wrong.test()).rejects.toMatchObject({ failure: "credentials_rejected" });
  });

  test("does not call a token good that cannot post", async () => {
    const it = await integration("slack", { botToken: slackReadOnlyToken });
    await expect(it.test()).rejects.toThrow(/chat:write/);
  });
});

describe("rest-api", () => {
  // A sign-in by code needs the browser and the stored grant: functions/oauth.test.ts has it.
  const alone = Object.entries(restApiCredentials).filter(([kind]) => kind !== "code");
  test.each(alone)("signs in by %s", async (_kind, credentials) => {
    const endpoint = "https://sandbox.api.example.com/v1";
    const api = await integration("rest-api", credentials, "sandbox", endpoint);
    await api.test();
    expect(await api.run("get", { path: "/items/42" })).toMatchObject({
      status: 200,
      body: { name: "Saline 0.9%" },
    });
  });

  const endpoint = "https://sandbox.api.example.com/v1";
  const { values } = parseFields(restApi.steps, restApiCredentials.bearer);
  const options = (wire: Wire): ConnectOptions => ({
    vendorId: "rest-api",
    vendor: restApi,
    values,
    environment: "sandbox",
    endpoint,
    wire,
  });

  test("takes a web page for a wrong address, and an unlisted status for a failure", async () => {
    const html = { headers: { "content-type": "text/html" } };
    const answers: [Response, RegExp][] = [
      [new Response("<html>Sign in</html>", html), /web page/],
      [new Response("{}", { status: 206 }), /206/],
    ];
    for (const [answer, sentence] of answers) {
      const api = connectApi(options(async () => answer));
      await expect(restApi.test(api, values as never, "sandbox")).rejects.toThrow(sentence);
    }
  });

  test("logs no part of a path, and keeps to the address that the tenant gave", async () => {
    const routes: string[] = [];
    const wire: Wire = async ({ url }) => new Response(url.slice(endpoint.length));
    const get = (path: string) =>
      runOperation({
        ...options(wire),
        log: ({ route }) => routes.push(route),
        operation: "get",
        params: { path },
      });
    expect(await get("/people/Jane%20Roe/a%2Fb")).toMatchObject({
      body: "/people/Jane%20Roe/a%2Fb",
    });
    expect(routes.join()).not.toMatch(/people|Jane/);
    for (const path of [
      "//evil.example.com",
      "/a//b",
      "/../admin",
      "/a/%2E%2E/b",
      "/%zz",
      "x",
      "/{id}",
    ])
      await expect(get(path)).rejects.toThrow();
  });
});
