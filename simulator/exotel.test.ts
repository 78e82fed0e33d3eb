import { afterAll, beforeEach, describe, expect, test } from "vitest";

import { connectApi } from "../handlers/api.ts";
import { vendor } from "../handlers/exotel.ts";
import type { FieldValues } from "../handlers/fields.ts";
import { VendorFailure } from "../problem.ts";
import { exotelSeeded } from "./exotel.ts";
import { startSimulator } from "./server.ts";
import { causesOf, connectVendor, meaning } from "./wire.ts";

/**
 * Exotel publishes no SDK for Node: what is sent is held against its reference (developer.exotel.com,
 * Voice v1 and SMS), written out here, and against the simulation, which follows the same.
 */
const simulator = await startSimulator({ vendors: ["exotel"] });
const connected = connectVendor(simulator, "exotel", vendor);
const { credentials, run } = connected;
afterAll(() => simulator.close());
beforeEach(() => simulator.reset());

const seeded = exotelSeeded;
const root = "https://api.in.exotel.com/v1/Accounts/riverside1";
const basic = `${credentials["apiKey"]}:${credentials["apiToken"]}`;
const callback = String(credentials["callbackUrl"]);
const said = () => Promise.all(simulator.requests("exotel").map((each) => meaning(each)));
const failureOf = async (running: Promise<unknown>) => {
  const failure = await running.catch((error: unknown) => error);
  return failure instanceof VendorFailure ? failure : expect.fail(`not refused: ${failure}`);
};
const without = (...names: string[]): FieldValues =>
  Object.fromEntries(Object.entries(credentials).filter(([name]) => !names.includes(name)));

const [from, to] = ["+919876543210", "+919876543211"];
const form = (...fields: string[]) => ({
  type: "application/x-www-form-urlencoded",
  body: fields.toSorted(),
});
const reports = [
  `StatusCallback=${callback}`,
  "StatusCallbackContentType=application/json",
  "StatusCallbackEvents[0]=terminal",
  "StatusCallbackEvents[1]=answered",
];

describe("what is sent", () => {
  test.each<[string, object, string, string, object?]>([
    [
      "sendSMS",
      { to, body: "See you at 10", reference: "visit-42" },
      "POST",
      "/Sms/send.json",
      form(
        "From=RIVRSD",
        `To=${to}`,
        "Body=See you at 10",
        "EncodingType=plain",
        "DltEntityId=1101456789012345678",
        "DltTemplateId=1107161234567890123",
        "CustomField=visit-42",
        `StatusCallback=${callback}`,
      ),
    ],
    [
      "connectCall",
      { from, to, record: true, maxSeconds: 600, ringSeconds: 30 },
      "POST",
      "/Calls/connect.json",
      form(
        `From=${from}`,
        `To=${to}`,
        "CallerId=08047112233",
        "CallType=trans",
        "Record=true",
        "TimeLimit=600",
        "TimeOut=30",
        ...reports,
      ),
    ],
    [
      "connectToFlow",
      { to, statusCallback: "https://clinic.example/calls" },
      "POST",
      "/Calls/connect.json",
      form(
        `From=${to}`,
        "Url=http://my.exotel.com/riverside1/exoml/start_voice/926",
        "CallerId=08047112233",
        "CallType=trans",
        "Record=false",
        "StatusCallback=https://clinic.example/calls",
        ...reports.slice(1),
      ),
    ],
    ["getSMS", { id: seeded.sentSms }, "GET", `/SMS/Messages/${seeded.sentSms}.json`],
    ["getCall", { id: seeded.completed }, "GET", `/Calls/${seeded.completed}.json`],
    ["lookupNumber", { number: to }, "GET", "/Numbers/09876543211.json"],
    ["getBalance", {}, "GET", "/Balance.json"],
  ])("by %s is what the reference says", async (operation, params, method, path, body = {}) => {
    await run(operation, params);
    expect(await said()).toEqual([
      { method, address: root + path, query: [], authorization: { basic }, ...body },
    ]);
  });

  test("goes to the region of the account", async () => {
    const values = { ...credentials, subdomain: "api.exotel.com" };
    const failure = await failureOf(run("getBalance", {}, { values }));
    expect(failure.failure).toBe("credentials_rejected");
    expect(simulator.requests("exotel")[0]?.host).toBe("api.exotel.com");
  });

  test("is Unicode only where the text is", async () => {
    for (const body of ["Namaste", "नमस्ते"]) await run("sendSMS", { to, body });
    const encodings = (await said()).flatMap(({ body }) =>
      (body as string[]).filter((field) => field.startsWith("EncodingType")),
    );
    expect(encodings).toEqual(["EncodingType=plain", "EncodingType=unicode"]);
  });
});

describe("texts and calls", () => {
  type Sent = { id: string; status: string };
  test("are read as what became of them", async () => {
    const sent = (await run("sendSMS", { to, body: "See you at 10" })) as Sent;
    expect(sent.status).toBe("queued");
    expect(await run("getSMS", sent)).toMatchObject({ status: "delivered", to, from: "RIVRSD" });
  });

  test("say why they failed: without its DLT entity no text arrives in India", async () => {
    const values = without("dltEntityId", "dltTemplateId");
    const sent = (await run("sendSMS", { to, body: "See you at 10" }, { values })) as Sent;
    expect(await run("getSMS", sent)).toMatchObject({
      status: "failed",
      error: "FAILED_DLT_ENTITY",
    });
    expect(await run("getSMS", { id: seeded.failedSms })).toMatchObject({ error: "FAILED_DND" });
  });

  test("need a sender, a caller and a flow", async () => {
    const values = without("senderId", "exoPhone", "flowId");
    for (const [operation, params] of [
      ["sendSMS", { to, body: "See you at 10" }],
      ["connectCall", { from, to }],
      ["connectToFlow", { to, callerId: "08047112233" }],
    ] as const)
      expect((await failureOf(run(operation, params, { values }))).failure).toBe("not_configured");
    expect(await said()).toEqual([]);
  });

  test("are refused with Exotel's own code", async () => {
    const failure = await failureOf(run("connectCall", { from, to, callerId: "08000000000" }));
    expect(failure).toMatchObject({ failure: "invalid_request", vendorCode: "34001" });
  });

  test("are listed page by page", async () => {
    type Page = { calls: { id: string }[]; next?: string };
    const first = (await run("listCalls", { limit: 4 })) as Page;
    const rest = (await run("listCalls", { limit: 4, cursor: first.next })) as Page;
    expect([first.calls.length, rest.calls.length, rest.next]).toEqual([4, 2, undefined]);
    expect(new Set([...first.calls, ...rest.calls].map(({ id }) => id)).size).toBe(6);
    const busy = (await run("listCalls", { status: "busy" })) as Page;
    expect(busy.calls.map(({ id }) => id)).toEqual([seeded.busy]);
  });

  test("are listed of a time, as Exotel writes it", async () => {
    const [after, before] = ["2026-11-01 00:00:00", "2026-11-23 23:59:59"];
    await run("listCalls", { after, before });
    expect((await said())[0]?.query).toContain(`DateCreated=gte:${after};lte:${before}`);
  });

  test("have a price and a length once Exotel knows them", async () => {
    const call = await run("getCall", { id: seeded.completed });
    expect(call).toMatchObject({ status: "completed", seconds: 17, price: 1.5 });
    const going = await run("getCall", { id: seeded.ongoing });
    expect(going).toMatchObject({ seconds: undefined, price: undefined });
  });

  test("that are not there are said to be so, also where Exotel answers 400", async () => {
    const failure = await failureOf(run("getCall", { id: "0".repeat(32) }));
    expect(failure.failure).toBe("not_found");
    const body = { RestException: { Status: 404, Message: "No matching results" } };
    const reply = { status: 400, headers: new Headers(), body };
    expect(vendor.failure?.(reply)?.cause).toBe("not_found");
  });

  test.each<[number, unknown, string | undefined]>([
    [200, { RestException: { Message: "No matching results" } }, "not_found"],
    [200, "No matching results", "not_found"],
    [200, { SMSMessage: { Sid: "s1", Status: "sent", Body: "No matching results" } }, undefined],
    [503, { RestException: { Status: 503, Code: 40_405 } }, "rate_limited"],
    [503, { RestException: { Status: 503, Code: 35_000 } }, undefined],
  ])("are refused in Exotel's own ways: %d %j", (status, body, cause) => {
    const reply = { status, headers: new Headers(), body };
    expect(vendor.failure?.(reply)?.cause).toBe(cause);
  });
});

describe("numbers", () => {
  test("are looked up as Exotel knows them", async () => {
    const lookup = (number: string) => run("lookupNumber", { number });
    expect(await lookup(from)).toMatchObject({ type: "Mobile", doNotDisturb: true });
    expect(await lookup(to)).toMatchObject({ doNotDisturb: false });
    expect(await lookup("+917912345678")).toMatchObject({
      type: "Landline",
      doNotDisturb: undefined,
    });
  });

  test("are listed page by page", async () => {
    type Page = { numbers: { name: string }[]; next?: string };
    const first = (await run("listNumbers", { limit: 1 })) as Page;
    const second = (await run("listNumbers", { limit: 1, cursor: first.next })) as Page;
    expect([...first.numbers, ...second.numbers].map(({ name }) => name)).toEqual([
      "Front desk",
      "Night line",
    ]);
    expect(second.next).toBeUndefined();
  });
});

describe("the test", () => {
  test("names the account and its region", async () => {
    await expect(connected.test()).resolves.toMatchObject({ account: "riverside1 (Mumbai)" });
    expect(await connected.cause(connected.changed({ accountSid: "riverside2" }))).toBe(
      "not_found",
    );
  });

  test("names each way in which it can fail", async () => {
    const wrong = { ...credentials, apiToken: "0".repeat(48) };
    expect(await causesOf(connected, wrong)).toEqual({
      wrongKey: "credentials_rejected",
      // An API key does not expire: one that was deleted is answered like a wrong one.
      expiredKey: "credentials_rejected",
      missingScope: "forbidden",
      unreachable: "vendor_unavailable",
      tooMany: "rate_limited",
      garbage: "unexpected_reply",
    });
  });

  test("knows an account that has run out of credit", () => {
    const reply = { status: 402, headers: new Headers(), body: {} };
    expect(vendor.failure?.(reply)).toMatchObject({ cause: "forbidden" });
  });
});

describe("webhooks", () => {
  const url = "https://edge.example/webhooks/exotel/1?token=unguessable-token";
  const { verify, events, confirm } = vendor.webhooks ?? expect.fail();
  const values = { ...credentials, webhookToken: "unguessable-token" } as never;
  const api = connectApi(connected.options());
  async function received(request: Request) {
    const body = new Uint8Array(await request.arrayBuffer());
    return { method: request.method, url: request.url, headers: request.headers, body };
  }
  async function sent(type: string, body?: object) {
    const { webhook } = simulator.simulation("exotel");
    return received((await webhook?.({ url, credentials, type, body })) ?? expect.fail());
  }
  type Incoming = Awaited<ReturnType<typeof sent>>;

  test("must hold the token in their address", async () => {
    const incoming = await sent("call.completed");
    expect(await verify.verify(incoming, values, 0)).toEqual({ ok: true });
    const judge = (address: string) => verify.verify({ ...incoming, url: address }, values, 0);
    expect(await judge(url.replace("unguessable", "guessed"))).toMatchObject({
      reason: "mismatch",
    });
    expect(await judge(url.replace(/\?.*/, ""))).toMatchObject({ reason: "missing" });
    const unset = await verify.verify(incoming, { ...credentials, webhookToken: "" } as never, 0);
    expect(unset).toMatchObject({ reason: "not_configured" });
  });

  test("are read alike as JSON, as a form, as multipart and from the address", async () => {
    const fields = { CallSid: seeded.completed, Status: "completed", EventType: "terminal" };
    const multipart = new FormData();
    for (const [name, value] of Object.entries(fields)) multipart.set(name, value);
    multipart.set("CustomField", 'line\r\none; name="CallSid"');
    const query = new URLSearchParams(fields).toString();
    const forms: Request[] = [
      new Request(url, { method: "POST", body: JSON.stringify({ ...fields, Legs: [] }) }),
      new Request(url, { method: "POST", body: new URLSearchParams(fields) }),
      new Request(url, { method: "POST", body: multipart }),
      new Request(`${url}&${query}`),
      // As it is kept: the method is gone, the address without its token.
      new Request(`https://edge.example/webhooks/exotel/1?${query}`, { method: "POST" }),
    ];
    for (const request of forms) {
      const incoming = await received(request);
      expect(events(incoming)).toEqual([
        { id: `${seeded.completed}.completed`, type: "call.completed" },
      ]);
      expect(await confirm?.(api, events(incoming)[0] ?? expect.fail(), incoming)).toBe(true);
    }
  });

  test("of a call that its flow reports are told apart by what they say, not by the call", async () => {
    expect(events(await sent("call.reported"))).toEqual([{ type: "call.reported" }]);
  });

  test.each([
    ["delivered", "", "message.delivered"],
    ["DELIVERED_TO_HANDSET", "", "message.delivered"],
    ["sent", "DELIVERED_TO_HANDSET", "message.delivered"],
    ["sent", "DELIVERED_TO_OPERATOR", "message.sent"],
    ["submitted", "", "message.sent"],
    ["failed", "FAILED_DND", "message.failed"],
    ["failed-dnd", "", "message.failed"],
    ["failed", "SENDER_BLOCKED_BY_DLT", "message.failed"],
    ["failed", "DLT_TEMPLATE_NOT_FOUND", "message.failed"],
    ["undelivered", "", "message.failed"],
    ["expired", "", "message.failed"],
    ["sending", "", "message.queued"],
  ])("of a text that is %s, %s, are %s", async (Status, DetailedStatus, type) => {
    const body = { SmsSid: "s1", Status, DetailedStatus };
    expect(events(await sent("message.delivered", body))).toEqual([
      { id: `s1.${type.split(".")[1]}`, type },
    ]);
  });

  test("that tell of nothing known are kept under another name, and not believed", async () => {
    const heartbeat = { status_type: "CRITICAL", data: {} };
    const request = new Request(url, { method: "POST", body: JSON.stringify(heartbeat) });
    const incoming = await received(request);
    expect(events(incoming)).toEqual([{ type: "other" }]);
    expect(await confirmed(incoming)).toBe(false);
  });

  const confirmed = async (incoming: Incoming) =>
    confirm?.(api, events(incoming)[0] ?? expect.fail(), incoming);

  test.each(vendor.webhooks?.types ?? [])("are read back from the API: %s", async (type) => {
    expect(await confirmed(await sent(type))).toBe(true);
  });

  test.each<[string, string, object]>([
    ["a call that never was", "call.completed", { CallSid: "0".repeat(32) }],
    ["a text that never was", "message.delivered", { SmsSid: "0".repeat(32) }],
    ["an id that leads elsewhere", "call.completed", { CallSid: "../Balance" }],
    ["a busy line as a talk", "call.completed", { CallSid: seeded.busy }],
    ["a busy line as answered", "call.answered", { CallSid: seeded.busy }],
    ["a failed text as delivered", "message.delivered", { SmsSid: seeded.failedSms }],
  ])("are not believed: %s", async (_what, type, body) => {
    expect(await confirmed(await sent(type, body))).toBe(false);
  });

  test.each<[string, string, object]>([
    ["a call that still goes on", "call.completed", { CallSid: seeded.ongoing }],
    ["a call that still rings", "call.answered", { CallSid: seeded.ringing }],
    ["a text that is still on its way", "message.delivered", { SmsSid: seeded.sentSms }],
  ])("are asked about again while the API does not show it: %s", async (_what, type, body) => {
    const incoming = await sent(type, body);
    await expect(confirmed(incoming)).rejects.toMatchObject({ failure: "vendor_unavailable" });
  });

  test("are asked about again while Exotel cannot say", async () => {
    const incoming = await sent("call.completed");
    simulator.fault({ vendor: "exotel", kind: "server_error" });
    await expect(confirmed(incoming)).rejects.toMatchObject({ failure: "vendor_unavailable" });
    simulator.clearFaults();
  });
});
