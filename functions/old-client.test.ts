import { describe, expect, inject, test } from "vitest";

import { newOrg, type TestOrg } from "../scripts/world.ts";

const world = inject("world");

type Row = Record<string, unknown> & { id: string; credentials: Record<string, unknown> };

const asText = (values: object) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));

/** The requests of EHRConnect's earlier web client: old keys, "" for what is not set, the org by header. */
function oldClient(org: TestOrg) {
  const headers = { "x-org-id": org.orgId };
  const post = (vendorId: string, environment: string, more: object) =>
    org.call(
      "POST",
      "/api/integrations",
      { org_id: org.orgId, vendor_id: vendorId, enabled: false, environment, ...more },
      headers,
    );
  return {
    create: (vendorId: string, environment: string, credentials: object) =>
      post(vendorId, environment, { api_endpoint: "", credentials, usage_mappings: [] }),
    /** As the wizard ends: each value as text, and an address though none was asked for. */
    finish: (vendorId: string, values: object) =>
      post(vendorId, "sandbox", {
        api_endpoint: "https://api.example.com",
        credentials: asText(values),
        usage_mappings: [
          { id: "map_appointment_reminders", workflow: "Appointment Reminders", enabled: false },
        ],
      }),
    /** Who opens the wizard again sends back what was stored, and the environment among it. */
    finishAgain: ({ id, environment, credentials }: Row) =>
      org.call("PUT", `/api/integrations/${id}`, {
        enabled: false,
        environment,
        api_endpoint: "https://api.example.com",
        credentials: asText({ ...credentials, environment }),
        usage_mappings: [],
      }),
    update: (id: string, change: object) =>
      org.call("PUT", `/api/integrations/${id}`, change, headers),
    list: () => org.call("GET", `/api/integrations?org_id=${org.orgId}`, undefined, headers),
    toggle: (id: string, enabled: boolean) =>
      org.call("POST", `/api/integrations/${id}/toggle`, { enabled }, headers),
    test: (id: string) => org.call("POST", `/api/integrations/${id}/test`, {}, headers),
    health: () =>
      org.call("GET", `/api/integrations/health/status?org_id=${org.orgId}`, undefined, headers),
    check: () => org.call("POST", "/api/integrations/health/check", { org_id: org.orgId }, headers),
  };
}

const fhirBaseUrl = "https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4";
const vendors = [
  {
    id: "epic",
    environment: "sandbox",
    sent: {
      clientId: "00000000-0000-4000-8000-000000000000",
      clientSecret: "example-client-secret",
      redirectUri: "https://ehr.example/callback",
      fhirBaseUrl,
      organizationId: "",
      enablePatientData: true,
      enableEncounters: true,
      enableObservations: false,
      enableMedications: true,
    },
    stored: { api_endpoint: fhirBaseUrl },
    credentials: {
      clientId: "00000000-0000-4000-8000-000000000000",
      clientSecret: "••••cret",
    },
  },
  {
    id: "stripe",
    environment: "sandbox",
    sent: {
      publishableKey: "pk_test_00000000000000000000000000",
      secretKey: "sk_test_00000000000000000000000000",
      webhookSecret: "whsec_00000000000000000000000000000000",
      webhookEvents: ["payment_intent.succeeded", "charge.refunded"],
    },
    stored: { api_endpoint: null },
    credentials: { secretKey: "••••0000", webhookSecret: "••••0000" },
  },
  {
    id: "twilio",
    environment: "production",
    sent: {
      accountSid: `AC${"0".repeat(32)}`,
      authToken: "12345678901234567890123456789012",
      phoneNumber: "+15005550006",
      messagingServiceSid: "",
    },
    stored: { api_endpoint: null },
    credentials: { fromNumber: "+15005550006", authToken: "••••9012" },
  },
] as const;

describe.each(vendors)("$id", ({ id: vendorId, environment, sent, stored, credentials }) => {
  test("is created, listed, tested, switched and checked as the earlier client asks for it", async () => {
    const org = await newOrg(world);
    const client = oldClient(org);
    const demo = await org.call("GET", `/api/integrations/vendors/${vendorId}/demo-credentials`);
    // Twilio's simulated account and number are its own; everything else is as it is above.
    const known = demo.body.data as Record<string, string>;
    const account = vendorId === "twilio" && {
      accountSid: known["accountSid"],
      phoneNumber: known["fromNumber"],
    };
    const created = await client.create(vendorId, environment, { ...sent, ...account });
    expect(created.status, JSON.stringify(created.body)).toBe(201);
    const row = created.body.data as Row;
    expect(row).toMatchObject({ vendor_id: vendorId, enabled: false, ...stored });
    expect(row.credentials).toMatchObject({
      ...credentials,
      ...(account && { fromNumber: account.phoneNumber }),
    });
    const stale = ["fhirBaseUrl", "redirectUri", "publishableKey", "webhookEvents", "phoneNumber"];
    for (const key of stale) expect(row.credentials).not.toHaveProperty(key);

    const listed = await client.list();
    expect(listed.body).toMatchObject({ success: true, count: 1, data: [{ id: row.id }] });

    const tested = await client.test(row.id);
    expect(tested.body).toMatchObject({ success: true, data: { cause: null } });

    const on = await client.toggle(row.id, true);
    expect(on.body).toMatchObject({
      success: true,
      data: { enabled: true, health_status: "active" },
    });
    expect((await client.check()).body).toMatchObject({ success: true });
    expect((await client.health()).body).toMatchObject({
      success: true,
      summary: { total: 1, enabled: 1, active: 1, errors: 0, inactive: 0 },
    });
    const off = await client.toggle(row.id, false);
    expect(off.body).toMatchObject({ data: { enabled: false, health_status: "inactive" } });
  });

  test("refuses what it never knew", async () => {
    const client = oldClient(await newOrg(world));
    const reply = await client.create(vendorId, environment, { ...sent, nonsense: "x" });
    expect(reply.status).toBe(422);
    expect(reply.body).toMatchObject({ errors: [{ path: "credentials.nonsense" }] });
  });
});

test("a change under an old key changes the field that it is today", async () => {
  const org = await newOrg(world);
  const client = oldClient(org);
  const [, , { id, environment, sent }] = vendors;
  const created = await client.create(id, environment, sent);
  const row = created.body.data as Row;
  const changed = await client.update(row.id, { credentials: { phoneNumber: "+15005550009" } });
  expect(changed.body).toMatchObject({
    data: { credentials: { fromNumber: "+15005550009", authToken: "••••9012" } },
  });
});

test.each([
  ["cerner", "oracle-health"],
  ["allscripts", "veradigm"],
])("an integration of %s is one of %s", async (former, vendorId) => {
  const org = await newOrg(world);
  const demo = await org.call("GET", `/api/integrations/vendors/${former}/demo-credentials`);
  const credentials = { ...(demo.body.data as object), redirectUri: "", organizationId: "" };
  const created = await oldClient(org).create(former, "sandbox", credentials);
  expect(created.status, JSON.stringify(created.body)).toBe(201);
  const row = created.body.data as Row;
  expect(row["vendor_id"]).toBe(vendorId);
  expect((await oldClient(org).test(row.id)).body).toMatchObject({ success: true });
});

test.each(["stripe", "twilio", "availity", "100ms"])(
  "%s is saved and saved again by the earlier wizard, which knows no address",
  async (vendorId) => {
    const org = await newOrg(world);
    const client = oldClient(org);
    const demo = await org.call("GET", `/api/integrations/vendors/${vendorId}/demo-credentials`);
    const created = await client.finish(vendorId, demo.body.data as object);
    expect(created.status, JSON.stringify(created.body)).toBe(201);
    const row = created.body.data as Row;
    expect(row).toMatchObject({ vendor_id: vendorId, api_endpoint: null });
    const saved = await client.finishAgain(row);
    expect(saved.status, JSON.stringify(saved.body)).toBe(200);
    expect(saved.body.data).toMatchObject({ api_endpoint: null, credentials: row.credentials });
  },
);

test.each([
  ["change-healthcare", "optum"],
  ["Cerner", "oracle-health"],
  ["opentok", "vonage"],
  ["épic", "epic"],
  ["text  message twilio", "twilio"],
])("who looks for %s finds %s", async (q, vendorId) => {
  const org = await newOrg(world);
  const found = await org.call("GET", `/api/integrations/vendors?q=${encodeURIComponent(q)}`);
  expect((found.body.data as { id: string }[]).map(({ id }) => id)).toEqual([vendorId]);
});

test("a request that names two organizations is refused, though the caller belongs to one", async () => {
  const [mine, theirs] = [await newOrg(world), await newOrg(world)];
  const header = { "x-org-id": mine.orgId };
  const list = (org: string) =>
    mine.call("GET", `/api/integrations?org_id=${org}`, undefined, header);
  expect((await list(theirs.orgId)).status).toBe(403);
  expect((await list(mine.orgId.toUpperCase())).status).toBe(200);
  const body = { vendor_id: "twilio", org_id: theirs.orgId };
  expect((await mine.call("POST", "/api/integrations", body, header)).status).toBe(403);
  const check = (org_id?: string) =>
    mine.call("POST", "/api/integrations/health/check", org_id && { org_id });
  expect((await check(theirs.orgId)).status).toBe(403);
  expect((await check()).status).toBe(200);
});
