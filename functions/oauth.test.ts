import { describe, expect, test } from "vitest";

import { newOrg, call } from "../scripts/world.ts";
import { restApiCredentials } from "../simulator/rest-api.ts";
import {
  code,
  activityOf,
  changed,
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
  type Person,
} from "./oauth-stage.ts";

describe("connecting", () => {
  test("leads to the vendor and back, and calls are then made with what was granted", async () => {
    const { person, id } = await setUp();
    expect(await grantOf(person, id)).toMatchObject({
      status: "not_connected",
      scopes_asked: ["read", "write"],
    });
    const { url, reply } = await start(person, id);
    const asked = new URL(url);
    expect(asked.origin).toBe(world.simulatorUrl);
    expect(asked.pathname).toBe("/auth.example.com/oauth/authorize");
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: "code",
      client_id: "example-app",
      redirect_uri: `${world.publicUrl}/oauth/callback`,
      scope: "read write",
      code_challenge_method: "S256",
      state: expect.stringMatching(/^[\w-]{43}$/),
    });
    const [cookie = ""] = reply.headers.getSetCookie();
    expect(cookie).toMatch(
      /^oauth-browser=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax/,
    );

    const page = await person.visit((await decide(url)).href);
    expect(page.href).toBe(`${world.publicUrl}/integrations/view/?id=${id}&connected=1`);
    expect(await grantOf(person, id)).toMatchObject({
      status: "connected",
      scopes_asked: ["read", "write"],
      scopes_granted: ["read", "write"],
      missing: [],
      refreshes: true,
      connected_by: person.userId,
    });
    await person.call("POST", `/api/integrations/${id}/toggle`, { enabled: true });
    const called = await run(person, id);
    expect(called.body, JSON.stringify(called.body)).toMatchObject({ success: true });
    const log = await activityOf(person, id);
    expect(log.map(({ activity_type }) => activity_type)).toEqual([
      "executed",
      "enabled",
      "connected",
      "connect_started",
      "created",
    ]);
    expect(log[2]).toMatchObject({ actor: `user:${person.userId}`, status: "success" });
  });

  test("leaves nothing readable in the database, and no token in any answer", async () => {
    const { person, id } = await setUp();
    const { url } = await start(person, id);
    const states = JSON.stringify(
      await sql`select * from oauth_states where integration_id = ${id}`,
    );
    expect(states).not.toContain(new URL(url).searchParams.get("state"));
    expect(states).not.toContain([...person.cookies.values()].at(-1));
    const callback = await decide(url);
    await person.visit(callback.href);
    expect(await sql`select 1 from oauth_states where integration_id = ${id}`).toEqual([]);
    const [stored] = await sql`select tokens from grants where integration_id = ${id}`;
    expect(Object.keys(stored?.["tokens"] as object).toSorted()).toEqual(
      ["ct", "dk", "dv", "iv", "kek", "v"].toSorted(),
    );
    const row = await person.call("GET", `/api/integrations/${id}`);
    expect(JSON.stringify(row.body)).not.toMatch(
      /"(?:access_?token|refresh_?token|codeVerifier|ct)"/i,
    );
  });

  test("tests an integration that is switched on, so that its status is told at once", async () => {
    const { person, id } = await setUp({ ...rest, enabled: true });
    const before = rowOf(await person.call("GET", `/api/integrations/${id}`));
    expect(before).toMatchObject({ health_status: "error", last_cause: "credentials_expired" });
    await connect(person, id);
    expect(rowOf(await person.call("GET", `/api/integrations/${id}`))).toMatchObject({
      health_status: "active",
      last_error: null,
    });
  });

  test("brings the person back to the page they came from", async () => {
    const { person, id } = await setUp();
    const { url } = await start(person, id, { return_to: "/integrations/?tab=mine#top" });
    const page = await person.visit((await decide(url)).href);
    expect(page.href).toBe(`${world.publicUrl}/integrations/?tab=mine&connected=1#top`);
  });

  test("works from two tabs at once", async () => {
    const { person, id } = await setUp();
    const [first, second] = [await start(person, id), await start(person, id)];
    for (const { url } of [first, second]) {
      const page = await person.visit((await decide(url)).href);
      expect(page.searchParams.get("connected")).toBe("1");
    }
  });
});

describe("a sign-in comes to nothing, and says why,", () => {
  const failing = async (
    go: (callback: URL, person: Person, id: string) => Promise<string | undefined>,
    error: string,
    integration?: object,
  ) => {
    const { person, id } = await setUp(integration);
    const { url } = await start(person, id);
    const address = await go(await decide(url), person, id);
    const page = await person.visit(address ?? "");
    expect(page.searchParams.get("oauth_error")).toBe(error);
    expect(page.origin).toBe(world.publicUrl);
    expect((await grantOf(person, id))?.status).toBe("not_connected");
    return { person, id, page };
  };

  test("when the person does not agree", async () => {
    const { person, id } = await setUp();
    const { url } = await start(person, id);
    const page = await person.visit((await decide(url, "Deny")).href);
    expect(page.href).toBe(
      `${world.publicUrl}/integrations/view/?id=${id}&oauth_error=access_denied`,
    );
    expect((await activityOf(person, id))[0]).toMatchObject({
      activity_type: "connect_failed",
      details: { reason: "access_denied" },
    });
  });

  test("when its state was used before", async () => {
    const { person, id } = await setUp();
    const { url } = await start(person, id);
    const callback = await decide(url);
    expect((await person.visit(callback.href)).searchParams.get("connected")).toBe("1");
    const again = await person.visit(callback.href);
    expect(again.href).toBe(`${world.publicUrl}/integrations/?oauth_error=state`);
  });

  test("when two requests race with the same state: one of them only is heard", async () => {
    const { person, id } = await setUp();
    const { url } = await start(person, id);
    const { href } = await decide(url);
    const pages = await Promise.all([1, 2, 3, 4].map(() => person.visit(href)));
    const connected = pages.filter((page) => page.searchParams.has("connected"));
    expect(connected.length).toBe(1);
  });

  test("when another person of the same org brings it back", async () => {
    const { org, person, id } = await setUp();
    const other = await newPerson(org.orgId);
    const { url } = await start(person, id);
    for (const [name, value] of person.cookies) other.cookies.set(name, value);
    const callback = await decide(url);
    expect((await other.visit(callback.href)).searchParams.get("oauth_error")).toBe("session");
    // Spent, whoever brought it: it is not left for a second try.
    expect((await person.visit(callback.href)).searchParams.get("oauth_error")).toBe("state");
  });

  test("when the person has left the org, or may no longer change it", async () => {
    for (const change of ["delete", "demote"]) {
      const { org, person, id } = await setUp();
      const { url } = await start(person, id);
      const { href } = await decide(url);
      if (change === "delete")
        await sql`delete from members where organization_id = ${org.orgId} and user_id = ${person.userId}`;
      else
        await sql`update members set role = 'viewer' where organization_id = ${org.orgId} and user_id = ${person.userId}`;
      expect((await person.visit(href)).searchParams.get("oauth_error")).toBe("session");
      expect(await sql`select 1 from grants where integration_id = ${id}`).toEqual([]);
    }
  });

  test("when a member of another org brings it back", async () => {
    const { person, id } = await setUp();
    const stranger = (await setUp()).person;
    const { url } = await start(person, id);
    for (const [name, value] of person.cookies) stranger.cookies.set(name, value);
    const page = await stranger.visit((await decide(url)).href);
    expect(page.href).toBe(`${world.publicUrl}/integrations/?oauth_error=session`);
  });

  test("when nobody is signed in", async () => {
    const { person, id } = await setUp();
    const { url } = await start(person, id);
    const { pathname, search } = await decide(url);
    const browser = [...person.cookies].map((pair) => pair.join("=")).join("; ");
    const reply = await fetch(world.url + pathname + search, {
      redirect: "manual",
      headers: { cookie: browser },
    });
    expect(reply.headers.get("location")).toContain("oauth_error=session");
  });

  test("when it comes back in another browser", () =>
    failing(async ({ href }, person) => {
      person.cookies.clear();
      return href;
    }, "browser"));

  test("when it comes back with another browser's cookie", () =>
    failing(async ({ href }, person) => {
      person.cookies.set("oauth-browser", "x".repeat(43));
      return href;
    }, "browser"));

  test("when it took longer than ten minutes", () =>
    failing(async ({ href }, _, id) => {
      await sql`update oauth_states set expires_at = now() - interval '1 second' where integration_id = ${id}`;
      return href;
    }, "expired"));

  test("when another server answers", () =>
    failing(async (callback) => changed(callback, { iss: "https://evil.example" }), "issuer"));

  test("when a server that names itself does not", () =>
    failing(async (callback) => changed(callback, { iss: undefined }), "issuer"));

  test("when a server of no known name bears the name of another (mix-up)", async () => {
    const { signInIssuer: _, ...credentials } = code;
    await failing(
      async (callback) => changed(callback, { iss: "https://honest.example" }),
      "issuer",
      { ...rest, credentials },
    );
  });

  test("when the configuration changed meanwhile", () =>
    failing(async ({ href }, person, id) => {
      const reply = await person.call("PUT", `/api/integrations/${id}`, {
        credentials: { signInClientId: "another-app" },
      });
      expect(reply.status).toBe(200);
      return href;
    }, "changed"));

  test("when the integration was deleted meanwhile", async () => {
    const { person, id } = await setUp();
    const { url } = await start(person, id);
    const { href } = await decide(url);
    await person.call("DELETE", `/api/integrations/${id}`);
    expect((await person.visit(href)).searchParams.get("oauth_error")).toBe("state");
  });

  test("when the code is not one of the server's", () =>
    failing(async (callback) => changed(callback, { code: "made-up" }), "refused"));

  test("when the client's secret is wrong", () =>
    failing(async ({ href }) => href, "client", {
      ...rest,
      credentials: { ...code, signInClientSecret: "wrong-secret" },
    }));

  test("when the token endpoint fails", () =>
    failing(async ({ href }) => {
      await fault({ kind: "server_error", times: 1, match: "/oauth/app-token" });
      return href;
    }, "unavailable"));

  test("when the token endpoint answers with a page", () =>
    failing(async ({ href }) => {
      await fault({ kind: "garbage", times: 1, match: "/oauth/app-token" });
      return href;
    }, "unexpected"));

  test("whatever else comes to the callback", async () => {
    const { person } = await setUp();
    const odd = [
      "",
      "?",
      "?state=",
      "?state=%00",
      "?state=a&state=b",
      "?code=x",
      `?state=${"x".repeat(5000)}`,
      "?error=access_denied&state=%F0%9F%92%A9",
      "?state[]=1&iss=javascript:alert(1)",
    ];
    for (const query of odd) {
      const page = await person.visit(`${world.url}/oauth/callback${query}`);
      expect(page.href).toBe(`${world.publicUrl}/integrations/?oauth_error=state`);
    }
  });
});

describe("starting is refused", () => {
  test.each([
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "/\t/evil.example",
    "/%09/../..//evil.example/\n",
    "javascript:alert(1)",
    "integrations/",
    "/api/auth/sign-out",
    "/oauth/callback?state=x",
    "http:evil.example",
    "/ok\r\nlocation: https://evil.example",
  ])("to come back to %j", async (return_to) => {
    const { person, id } = await setUp();
    const reply = await person.call("POST", `/api/integrations/${id}/oauth/start`, { return_to });
    expect(reply.status).toBe(422);
    expect(reply.body["errors"]).toMatchObject([{ path: "return_to" }]);
    expect(await sql`select 1 from oauth_states where integration_id = ${id}`).toEqual([]);
  });

  test("by a key, which has no browser; by who may not change it; for another org's", async () => {
    const { org, person, id } = await setUp();
    const path = `/api/integrations/${id}/oauth/start`;
    expect((await org.call("POST", path, {})).status).toBe(403);
    for (const role of ["member", "viewer"])
      expect((await (await newPerson(org.orgId, role)).call("POST", path, {})).status).toBe(403);
    const stranger = (await setUp()).person;
    for (const route of ["start", "disconnect"])
      expect((await stranger.call("POST", `/api/integrations/${id}/oauth/${route}`)).status).toBe(
        404,
      );
    expect((await call(world.url + path, "POST", {})).status).toBe(401);
    expect((await grantOf(person, id))?.status).toBe("not_connected");
  });

  test("for an integration that is not connected by a sign-in", async () => {
    const { person, id } = await setUp({ ...rest, credentials: restApiCredentials.bearer });
    const reply = await person.call("POST", `/api/integrations/${id}/oauth/start`, {});
    expect(reply.status).toBe(422);
    expect(await grantOf(person, id)).toBeNull();
  });

  test("where the sign-in would lead to a private address", async () => {
    const org = await newOrg(world);
    const signInUrl = "https://localhost/authorize";
    const reply = await org.call("POST", "/api/integrations", {
      ...rest,
      credentials: { ...code, signInUrl },
    });
    const person = await newPerson(org.orgId);
    const { id } = rowOf(reply);
    const started = await person.call("POST", `/api/integrations/${id}/oauth/start`, {});
    expect(started.status).toBe(422);
  });

  test("with a value typed into the field that a sign-in fills", async () => {
    const org = await newOrg(world);
    const reply = await org.call("POST", "/api/integrations", {
      ...rest,
      credentials: { ...code, connect: "a-token-of-mine" },
    });
    expect(reply.status).toBe(422);
    expect(reply.body["errors"]).toMatchObject([{ path: "credentials.connect" }]);
  });
});
