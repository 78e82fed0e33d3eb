import { expect, test } from "vitest";

import { loadSimulation } from "../simulator/simulations.ts";
import { connectApi, runOperation } from "./api.ts";
import { type AnyVendor, exampleValues } from "./define.ts";
import type { Tokens } from "./oauth.ts";
import { registry, type VendorId } from "./registry.ts";
import { scripted } from "./testing.ts";

const signedIn: Tokens = {
  get: async () => ({ accessToken: "example-token" }),
  drop: async () => undefined,
};

/** What the vendor's own schema of a reply allows, though its examples show more; a `Response` as it is. */
type Sparse = { vendor: VendorId; operation: string; replies: unknown[]; result: unknown };

const notFound = () => Response.json({ error: "not found" }, { status: 404 });
const fifty = Array.from({ length: 50 }, (_, i) => `+91804711${2200 + i}`);

const cases: Sparse[] = [
  {
    vendor: "openai",
    operation: "generateText",
    replies: [{ id: "resp_1", output: [{ type: "reasoning", summary: [] }] }],
    result: { id: "resp_1", text: "", model: "example-model" },
  },
  {
    vendor: "openai",
    operation: "listModels",
    replies: [{ data: [{ id: "m1", owned_by: null, shutdown_date: null }] }],
    result: { models: [{ id: "m1" }] },
  },
  {
    vendor: "openai",
    operation: "moderateText",
    replies: [
      { results: [{ flagged: true, categories: { hate: true, illicit: null, scores: { a: 1 } } }] },
    ],
    result: { flagged: true, categories: ["hate"] },
  },
  {
    vendor: "deepgram",
    operation: "transcribeAudio",
    replies: [
      { metadata: { request_id: "r1" }, results: { channels: [{}], utterances: [{ speaker: 0 }] } },
    ],
    result: {
      status: "completed",
      id: "r1",
      text: "",
      utterances: [{ speaker: "0", text: "", startMs: 0, endMs: 0 }],
    },
  },
  {
    vendor: "deepgram",
    operation: "listModels",
    replies: [{ stt: [{}, { canonical_name: "nova" }, { name: "live", batch: false }] }],
    result: { models: [{ id: "nova", name: "nova", kind: "speech", languages: [] }] },
  },
  { vendor: "deepgram", operation: "listProjects", replies: [{}], result: { projects: [] } },
  {
    vendor: "deepgram",
    operation: "listKeys",
    replies: [{ api_keys: [{}, { api_key: {} }, { api_key: { api_key_id: "k1" } }] }],
    result: { keys: [{ id: "k1", scopes: [] }] },
  },
  {
    vendor: "deepgram",
    operation: "getRequest",
    replies: [{ projects: [{}, { project_id: "p1" }, { project_id: "p2" }] }, {}, { request: {} }],
    result: { id: "a3f1c9d2-4b7e-4f9a-8c3d-2e5f7b9a1c0d" },
  },
  {
    vendor: "slack",
    operation: "listChannels",
    replies: [{ ok: true, channels: [{ id: "G0123456789", is_mpim: true }] }],
    result: {
      channels: [{ id: "G0123456789", name: "G0123456789", private: false, joined: false }],
    },
  },
  {
    vendor: "slack",
    operation: "findUserByEmail",
    replies: [{ ok: true, user: { id: "U1", real_name: null, profile: { email: null } } }],
    result: { id: "U1", name: "U1" },
  },
  {
    vendor: "anthropic",
    operation: "listModels",
    replies: [{ data: [{ id: "m1", max_tokens: null, retires_at: null }], last_id: null }],
    result: { models: [{ id: "m1" }] },
  },
  {
    vendor: "plivo",
    operation: "getSMS",
    replies: [
      { message_uuid: "m1", message_state: "failed", to_number: null, units: null, error_code: 30 },
    ],
    result: { id: "m1", status: "failed", error: "30" },
  },
  {
    vendor: "plivo",
    operation: "getSMS",
    replies: [{ message_uuid: "m1", message_state: "sent", error_code: "000" }],
    result: { id: "m1", status: "sent" },
  },
  {
    vendor: "plivo",
    operation: "listNumbers",
    replies: [
      {
        meta: { limit: 20, offset: 0, next: null },
        objects: [{ number: "14155550100", number_type: null, sms_enabled: null }],
      },
    ],
    result: { numbers: [{ number: "+14155550100" }] },
  },
  {
    vendor: "plivo",
    operation: "lookupNumber",
    replies: [{ country: { iso2: null }, format: {}, carrier: null }],
    result: { number: "+14154305555" },
  },
  {
    vendor: "twilio",
    operation: "getSMS",
    replies: [{ sid: "SM1", status: null, to: null, direction: null, num_segments: null }],
    result: { id: "SM1", status: "unknown" },
  },
  {
    vendor: "twilio",
    operation: "listSMS",
    replies: [{ messages: [{ sid: "SM1" }], next_page_uri: "/Messages.json?PageSize=1" }],
    result: { messages: [{ id: "SM1", status: "unknown" }] },
  },
  {
    vendor: "twilio",
    operation: "makeCall",
    replies: [{ sid: "CA1", status: null }],
    result: { id: "CA1", callId: "CA1", status: "unknown" },
  },
  {
    vendor: "twilio",
    operation: "checkVerification",
    replies: [{ status: null }],
    result: { approved: false, status: "unknown" },
  },
  {
    vendor: "stripe",
    operation: "getPaymentIntent",
    replies: [
      {
        id: "pi_1",
        status: "canceled",
        amount: 1,
        currency: "usd",
        created: 1_795_435_200,
        customer: { id: "cus_1", deleted: true },
        last_payment_error: { type: "card_error", code: null },
      },
    ],
    result: {
      id: "pi_1",
      status: "canceled",
      amount: 1,
      currency: "usd",
      createdAt: "2026-11-23T12:00:00.000Z",
      customer: "cus_1",
    },
  },
  {
    vendor: "stripe",
    operation: "createCheckoutSession",
    replies: [{ id: "cs_1", url: null, status: null }],
    result: { id: "cs_1", status: "open" },
  },
  {
    vendor: "stripe",
    operation: "createInvoice",
    replies: [{ id: "in_1", status: null, currency: "usd", amount_due: 0 }],
    result: { id: "in_1", status: "draft", amountDue: 0, currency: "usd" },
  },
  {
    vendor: "vonage",
    operation: "checkVerification",
    replies: [{ request_id: "1", status: "pending" }],
    result: { approved: false, status: "pending" },
  },
  {
    vendor: "vonage",
    operation: "checkVerification",
    replies: [
      Response.json(
        { type: "https://developer.nexmo.com/api-errors#bad-request", title: "Invalid Code" },
        { status: 400 },
      ),
    ],
    result: { approved: false, status: "pending" },
  },
  {
    vendor: "vonage",
    operation: "getVideoRecording",
    replies: [{ id: "a1", status: "paused", createdAt: 1_795_435_200_000, size: null, url: null }],
    result: { id: "a1", status: "paused", startedAt: "2026-11-23T12:00:00.000Z" },
  },
  {
    vendor: "optum",
    operation: "acknowledgeReport",
    replies: [{ status: "deleted", meta: {} }],
    result: { name: "R5000000.XY", acknowledged: true },
  },
  {
    vendor: "athenahealth",
    operation: "readPatient",
    replies: [
      {
        resourceType: "Patient",
        id: "p1",
        name: [{ given: [null, "Jo"], _given: [{ extension: [] }, null], family: "Ray" }],
        address: [{ line: ["1 Main St", null] }],
      },
    ],
    result: {
      patient: {
        id: "p1",
        name: "Jo Ray",
        family: "Ray",
        given: "Jo",
        identifiers: [],
        address: { lines: ["1 Main St"] },
      },
    },
  },
  {
    vendor: "athenahealth",
    operation: "searchConditions",
    replies: [{ resourceType: "Bundle" }],
    result: { conditions: [] },
  },
  {
    vendor: "vonage",
    operation: "getCall",
    replies: [{ uuid: "c1", status: "busy", duration: "", start_time: null, end_time: null }],
    result: { id: "63f61863-4a51-4f6b-86e1-46edebcf9356", status: "busy" },
  },
  {
    vendor: "vonage",
    operation: "getCall",
    replies: [{ network: "65512" }],
    result: { id: "63f61863-4a51-4f6b-86e1-46edebcf9356", status: "unknown" },
  },
  {
    vendor: "vonage",
    operation: "makeCall",
    replies: [{ uuid: "c1", direction: "outbound" }],
    result: { id: "c1", status: "unknown" },
  },
  {
    vendor: "vonage",
    operation: "getSMS",
    replies: [{ records: [{ message_id: "m1" }] }],
    result: { id: "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", status: "unknown" },
  },
  {
    vendor: "vonage",
    operation: "lookupNumber",
    replies: [{ request_id: null, insights: { format: null, current_carrier: null } }],
    result: { number: "+14040000000" },
  },
  {
    vendor: "vonage",
    operation: "listNumbers",
    replies: [{ count: 2, numbers: [{ country: "GB" }, { msisdn: "447007000000" }] }],
    result: { numbers: [{ number: "+447007000000", features: [] }] },
  },
  {
    vendor: "vonage",
    operation: "getVideoRecording",
    replies: [{ id: "a1", status: null, createdAt: null }],
    result: { id: "a1", status: "unknown" },
  },
  {
    vendor: "vonage",
    operation: "getVideoRecording",
    replies: [{ id: "a1", status: "stopped", createdAt: Number.MAX_SAFE_INTEGER }],
    result: { id: "a1", status: "stopped" },
  },
  {
    vendor: "agora",
    operation: "listProjects",
    replies: [
      {
        projects: [
          { id: "p1", name: "Clinic", vendor_key: "k1", status: 1, created: 8_640_000_000_001 },
        ],
      },
    ],
    result: { projects: [{ id: "p1", name: "Clinic", appId: "k1", enabled: true }] },
  },
  {
    vendor: "agora",
    operation: "getRecording",
    replies: [
      { serverResponse: { status: 5, fileList: [{ fileName: "1.mp4", sliceStartTime: -1e18 }] } },
    ],
    result: {
      id: "38f8e3cfdc474cd56fc1ceba380d7e1a",
      status: "recording",
      files: [{ name: "1.mp4" }],
    },
  },
  {
    vendor: "exotel",
    operation: "listCalls",
    replies: [{ Metadata: { NextPageUri: "http://[" }, Calls: [] }],
    result: { calls: [] },
  },
  {
    vendor: "plivo",
    operation: "getCall",
    replies: [{ call_uuid: "c1", call_state: "ANSWER", end_time: "2026-13-45 25:61:61+05:30" }],
    result: { id: "9834029e-58b6-11e1-b8b7-a5bd0e4e126f", status: "answer" },
  },
  {
    vendor: "plivo",
    operation: "getCall",
    replies: [notFound(), notFound(), { call_uuid: "c1", call_status: "queued" }],
    result: { id: "9834029e-58b6-11e1-b8b7-a5bd0e4e126f", status: "queued" },
  },
  {
    vendor: "vonage",
    operation: "getSMS",
    replies: [{ records: [{ status: "rejected", error_code: 1170, to: null, from: null }] }],
    result: { id: "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", status: "rejected", error: "1170" },
  },
  {
    vendor: "exotel",
    operation: "listNumbers",
    replies: [
      {
        page: 0,
        page_size: 50,
        incoming_phone_numbers: fifty.map((phone_number) => ({ phone_number })),
      },
    ],
    result: { numbers: fifty.map((number) => ({ number })), next: "1" },
  },
];

test.each(cases)(
  "a sparse reply of $vendor to $operation is understood",
  async ({ vendor: vendorId, operation, replies, result }) => {
    const vendor = await registry[vendorId]();
    const { wire, requests } = scripted(
      ...replies.map((reply) =>
        reply instanceof Response
          ? reply
          : reply === undefined
            ? new Response()
            : Response.json(reply),
      ),
    );
    const { params } = vendor.operations[operation]?.example ?? {};
    const { credentials } = await loadSimulation(vendorId);
    const values = { ...exampleValues(vendor), ...credentials };
    const run = { vendorId, vendor, values, wire, tokens: signedIn, operation, params };
    expect(await runOperation({ ...run, environment: "production" })).toEqual(result);
    expect(requests).toHaveLength(replies.length);
  },
);

const truncated =
  "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCA\n-----END PUBLIC KEY-----\n";
test.each([[{ capabilities: null }], [{ keys: null }], [{ keys: { public_key: truncated } }]])(
  "an application of Vonage's that tells no more than %j passes its test",
  async (reply) => {
    const vendor: AnyVendor = await registry.vonage();
    const { credentials } = await loadSimulation("vonage");
    const values = { ...exampleValues(vendor), ...credentials };
    const { wire } = scripted(Response.json(reply));
    const options = {
      vendorId: "vonage",
      vendor,
      values,
      wire,
      environment: "production" as const,
    };
    await expect(vendor.test(connectApi(options), values, "production")).resolves.toEqual({
      account: values["applicationId"],
      checked: ["key and secret accepted", "application found"],
    });
  },
);

test("a health check of Optum's that names its version alone is an answer", async () => {
  const vendor: AnyVendor = await registry.optum();
  const values = exampleValues(vendor);
  const { wire } = scripted(
    Response.json({ version: "v3" }),
    Response.json({ reports: [], meta: { senderId: "Clinic" } }),
  );
  const options = { vendorId: "optum", vendor, values, wire, tokens: signedIn };
  const api = connectApi({ ...options, environment: "sandbox" });
  await expect(vendor.test(api, values, "sandbox")).resolves.toMatchObject({ account: "Clinic" });
});
