import { describe, expect, test } from "vitest";

import { call, newOrg } from "../scripts/world.ts";
import { athenaFhirOnly } from "../simulator/athenahealth.ts";
import { ecwKeys, ecwPerson } from "../simulator/eclinicalworks.ts";
import { epicSecret } from "../simulator/epic.ts";
import { known } from "../simulator/fhir/records.ts";
import { oracleSecret } from "../simulator/oracle-health.ts";
import { slackApp } from "../simulator/slack.ts";
import { stripePlatform } from "../simulator/stripe.ts";
import { veradigmSecret } from "../simulator/veradigm.ts";
import {
  code,
  activityOf,
  connect,
  decide,
  fault,
  grantOf,
  newPerson,
  rest,
  rowOf,
  run,
  setUp,
  sql,
  start,
  world,
} from "./oauth-stage.ts";

describe("the end of a grant", () => {
  test("is told to the vendor when the person disconnects", async () => {
    const { person, id } = await setUp({ ...rest, enabled: true });
    await connect(person, id);
    expect((await run(person, id)).status).toBe(200);
    const reply = await person.call("POST", `/api/integrations/${id}/oauth/disconnect`);
    expect(reply.body).toMatchObject({
      success: true,
      data: { revocation: "revoked", grant: { status: "not_connected" } },
    });
    expect((await activityOf(person, id))[0]).toMatchObject({
      activity_type: "disconnected",
      status: "success",
      details: { revocation: "revoked" },
    });
    const called = await run(person, id);
    expect(called.body).toMatchObject({ cause: "credentials_expired" });
    expect(await sql`select 1 from grants where integration_id = ${id}`).toEqual([]);
    const twice = await person.call("POST", `/api/integrations/${id}/oauth/disconnect`);
    expect(twice.body.data).toMatchObject({ revocation: "nothing" });
  });

  test("is told to the vendor before a deletion, which goes ahead even if it fails", async () => {
    for (const [broken, revocation] of [
      [false, "revoked"],
      [true, "failed"],
    ] as const) {
      const { person, id } = await setUp();
      await connect(person, id);
      if (broken) await fault({ kind: "server_error", times: 1, match: "/oauth/revoke" });
      const reply = await person.call("DELETE", `/api/integrations/${id}`);
      expect(reply.body).toMatchObject({ success: true, data: { id, revocation } });
      expect(String(reply.body["message"]).includes("did not confirm")).toBe(broken);
      expect((await person.call("GET", `/api/integrations/${id}`)).status).toBe(404);
      const [logged] = (await person.call("GET", "/api/activity")).body.data as {
        activity_type: string;
        details: object;
      }[];
      expect(logged).toMatchObject({ activity_type: "deleted", details: { revocation } });
    }
  });

  test("says so where the vendor has no way to be told", async () => {
    const { signInRevokeUrl: _, ...credentials } = code;
    const { person, id } = await setUp({ ...rest, credentials });
    await connect(person, id);
    const reply = await person.call("POST", `/api/integrations/${id}/oauth/disconnect`);
    expect(reply.body.data).toMatchObject({ revocation: "unsupported" });
  });

  test("comes with a change of client, server or address: the old tokens go nowhere", async () => {
    const { person, id } = await setUp({ ...rest, enabled: true });
    await connect(person, id);
    await person.call("PUT", `/api/integrations/${id}`, {
      api_endpoint: "https://api.clinic.example/v1",
    });
    expect(await grantOf(person, id)).toMatchObject({ status: "reconnect" });
    const before = (await (
      await fetch(`${world.simulatorUrl}/_simulator/requests?vendor=rest-api`)
    ).json()) as { host: string }[];
    const called = await run(person, id);
    expect(called.body).toMatchObject({ cause: "credentials_expired" });
    const after = (await (
      await fetch(`${world.simulatorUrl}/_simulator/requests?vendor=rest-api`)
    ).json()) as { host: string }[];
    const there = (all: { host: string }[]) =>
      all.filter(({ host }) => host === "api.clinic.example").length;
    expect(there(after)).toBe(there(before));
  });

  test("does not come with a change of anything else", async () => {
    const { person, id } = await setUp({ ...rest, enabled: true });
    await connect(person, id);
    await person.call("PUT", `/api/integrations/${id}`, { credentials: { probePath: "/items" } });
    expect((await grantOf(person, id))?.status).toBe("connected");
    expect((await run(person, id)).status).toBe(200);
  });
});

test("values that are not saved are tested with the stored sign-in", async () => {
  const { person, id } = await setUp();
  const draft = { ...rest, credentials: { ...code, probePath: "/items" }, integration_id: id };
  const before = await person.call("POST", "/api/integrations/test", draft);
  expect(before.body).toMatchObject({
    success: false,
    message: expect.stringContaining("A person has to press Connect"),
    data: { cause: "credentials_expired" },
  });
  await connect(person, id);
  const reply = await person.call("POST", "/api/integrations/test", draft);
  expect(reply.body, JSON.stringify(reply.body)).toMatchObject({ success: true });
  const elsewhere = { ...draft, credentials: { ...code, signInClientId: "another-app" } };
  const other = await person.call("POST", "/api/integrations/test", elsewhere);
  expect(other.body).toMatchObject({ success: false, data: { cause: "credentials_expired" } });
});

describe("a vendor of its own kind", () => {
  test("Slack: scopes with commas, a bot's token, and its own revocation", async () => {
    const { person, id } = await setUp({
      vendor_id: "slack",
      enabled: true,
      credentials: { ...slackApp, defaultChannel: "C0123456789" },
    });
    const { url } = await start(person, id);
    expect(new URL(url).searchParams.get("scope")).toMatch(/^chat:write,channels:read,/);
    expect(new URL(url).searchParams.has("code_challenge")).toBe(false);
    await person.visit((await decide(url)).href);
    expect(await grantOf(person, id)).toMatchObject({
      status: "connected",
      missing: [],
      refreshes: true,
    });
    const row = rowOf(await person.call("GET", `/api/integrations/${id}`));
    expect(row).toMatchObject({
      health_status: "active",
      account: "Simulated Clinic (as clinicbot)",
    });
    const reply = await person.call("POST", `/api/integrations/${id}/oauth/disconnect`);
    expect(reply.body.data).toMatchObject({ revocation: "revoked" });
  });

  const byPerson = {
    signIn: "user",
    userScopes: "openid offline_access user/Patient.read user/Observation.rs",
  };
  const oracleTenant = "ec2458f2-1e24-41c8-b71b-0e701af7583d";
  const ecwPlace = {
    authorize: "oauthserver.eclinicalworks.com/oauth/oauth2/authorize",
    aud: "https://fhir4.eclinicalworks.com/fhir/r4/FEIGCD",
    revocation: "unsupported",
  };
  const { privateKey, kid } = ecwKeys.rs384;
  test.each([
    {
      vendor: "epic",
      proof: epicSecret,
      authorize: "fhir.epic.com/interconnect-fhir-oauth/oauth2/authorize",
      aud: "https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4",
      revocation: "revoked",
    },
    {
      vendor: "oracle-health",
      proof: { ...oracleSecret, tenantId: oracleTenant },
      authorize: `authorization.cerner.com/tenants/${oracleTenant}/protocols/oauth2/profiles/smart-v1/personas/provider/authorize`,
      aud: `https://fhir-ehr-code.cerner.com/r4/${oracleTenant}`,
      revocation: "revoked",
    },
    {
      vendor: "athenahealth",
      proof: { ...athenaFhirOnly, practiceId: "195900" },
      authorize: "api.preview.platform.athenahealth.com/oauth2/v1/authorize",
      aud: "https://api.preview.platform.athenahealth.com/fhir/r4",
      revocation: "revoked",
    },
    {
      vendor: "veradigm",
      proof: veradigmSecret,
      authorize:
        "fhir.fhirpoint.open.allscripts.com/fhirroute/authorizationV2/CP00101/connect/authorize",
      aud: "https://fhir.fhirpoint.open.allscripts.com/fhirroute/fhir/CP00101",
      revocation: "unsupported",
    },
    { vendor: "eclinicalworks", proof: { ...ecwPerson, practiceCode: "FEIGCD" }, ...ecwPlace },
    {
      vendor: "eclinicalworks",
      proof: { clientId: ecwPerson.clientId, practiceCode: "FEIGCD", privateKey, keyId: kid },
      ...ecwPlace,
    },
  ])(
    "$vendor: addresses that its FHIR server names, and what the person may see",
    async ({ vendor, proof, authorize, aud, revocation }) => {
      const { person, id } = await setUp({
        vendor_id: vendor,
        enabled: true,
        credentials: { ...proof, ...byPerson },
      });
      const { url } = await start(person, id);
      expect(new URL(url).pathname).toBe(`/${authorize}`);
      expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({
        aud,
        code_challenge_method: "S256",
        scope: byPerson.userScopes,
      });
      await person.visit((await decide(url)).href);
      expect(rowOf(await person.call("GET", `/api/integrations/${id}`))).toMatchObject({
        health_status: "active",
        grant: { status: "connected", missing: [] },
      });
      const read = (operation: string, params: object) =>
        person.call("POST", `/api/integrations/${id}/execute`, { operation, params });
      expect((await read("searchPatients", { family: "Lopez" })).status).toBe(200);
      const patient = vendor === "athenahealth" ? "a-195900.E-1" : known.patient;
      const beyond = await read("searchConditions", { patient });
      expect(beyond.body).toMatchObject({ cause: "forbidden" });
      const reply = await person.call("POST", `/api/integrations/${id}/oauth/disconnect`);
      expect(reply.body.data).toMatchObject({ revocation });
    },
  );

  const heldApp = async (algorithm: string) => {
    const org = await newOrg(world);
    const person = await newPerson(org.orgId);
    const made = await org.call("POST", "/api/signing-keys", { algorithm });
    const { kid: signingKeyId, jwks_url: jwksUrl } = made.body.data as Record<string, string>;
    const clientId = crypto.randomUUID();
    await call(`${world.simulatorUrl}/fhir4.eclinicalworks.com/simulated-portal/apps`, "POST", {
      clientId,
      jwksUrl,
      scopes: [],
    });
    const added = await org.call("POST", "/api/integrations", {
      vendor_id: "eclinicalworks",
      enabled: true,
      credentials: { clientId, signingKeyId, practiceCode: "FEIGCD", ...byPerson },
    });
    expect(added.status, JSON.stringify(added.body)).toBe(201);
    return { person, id: rowOf(added).id };
  };

  test("a key that we hold proves the app that a person lets in", async () => {
    const { person, id } = await heldApp("RS384");
    await connect(person, id);
    const found = await person.call("POST", `/api/integrations/${id}/execute`, {
      operation: "searchPatients",
      params: { family: "Lopez" },
    });
    expect(found.status, JSON.stringify(found.body)).toBe(200);
  });

  test("a key of a kind that the vendor does not take is refused before anybody signs in", async () => {
    const { person, id } = await heldApp("ES384");
    const reply = await person.call("POST", `/api/integrations/${id}/oauth/start`);
    expect(reply.body).toMatchObject({ cause: "invalid_request", success: false });
    expect(reply.body["error"]).toMatch(/RS384 only/);
  });

  test("Stripe: a platform that an account lets act, and lets go", async () => {
    const { person, id } = await setUp({
      vendor_id: "stripe",
      enabled: true,
      credentials: {
        platformClientId: stripePlatform.clientId,
        platformKey: stripePlatform.key,
      },
    });
    await connect(person, id);
    const row = rowOf(await person.call("GET", `/api/integrations/${id}`));
    expect(row).toMatchObject({ health_status: "active", grant: { missing: [] } });
    const reply = await person.call("DELETE", `/api/integrations/${id}`);
    expect(reply.body.data).toMatchObject({ revocation: "revoked" });
  });
});
