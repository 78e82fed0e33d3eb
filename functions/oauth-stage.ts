import { neon, neonConfig } from "@neondatabase/serverless";
import { expect, inject } from "vitest";

import { newMember, newOrg, type Reply, call } from "../scripts/world.ts";
import { restApiCredentials } from "../simulator/rest-api.ts";

export const world = inject("world");
neonConfig.fetchEndpoint = world.endpoint;
export const sql = neon(world.databaseUrl);

export type Grant = {
  status: string;
  scopes_asked: string[];
  scopes_granted: string[];
  missing: string[];
  refreshes: boolean;
  connected_by: string | null;
};
export type Row = {
  id: string;
  grant: Grant | null;
  health_status: string;
  account: string | null;
};
export const rowOf = (reply: Reply) => reply.body.data as Row;

/** A person with a session, in a browser that keeps cookies and follows what it is told. */
export async function newPerson(orgId: string, role = "owner") {
  const member = await newMember(world, orgId, role);
  const cookies = new Map<string, string>();
  const header = () => [member.cookie, ...[...cookies].map((pair) => pair.join("="))].join("; ");
  const keep = (headers: Headers) => {
    for (const line of headers.getSetCookie()) {
      const [name = "", value = ""] = line.split(";", 1)[0]?.split("=") ?? [];
      cookies.set(name, value);
    }
  };
  return {
    ...member,
    cookies,
    async call(method: string, path: string, body?: unknown): Promise<Reply> {
      const headers = { cookie: header(), origin: world.publicUrl, "x-org-id": orgId };
      const reply = await call(world.url + path, method, body, headers);
      keep(reply.headers);
      return reply;
    },
    /** Opens an address of ours as a link on another site does; answers where it leads. */
    async visit(address: string): Promise<URL> {
      const { pathname, search } = new URL(address);
      const reply = await fetch(world.url + pathname + search, {
        redirect: "manual",
        headers: { cookie: header() },
      });
      keep(reply.headers);
      expect(reply.status, await reply.text()).toBe(303);
      return new URL(reply.headers.get("location") ?? "");
    },
  };
}
export type Person = Awaited<ReturnType<typeof newPerson>>;

export const { code } = restApiCredentials;
export const rest = {
  vendor_id: "rest-api",
  environment: "sandbox",
  api_endpoint: "https://sandbox.api.example.com/v1",
  credentials: code,
};

export async function setUp(integration: object = rest) {
  const org = await newOrg(world);
  const person = await newPerson(org.orgId);
  const added = await org.call("POST", "/api/integrations", integration);
  expect(added.status, JSON.stringify(added.body)).toBe(201);
  return { org, person, id: rowOf(added).id };
}

export async function start(person: Person, id: string, body: object = {}) {
  const reply = await person.call("POST", `/api/integrations/${id}/oauth/start`, body);
  expect(reply.status, JSON.stringify(reply.body)).toBe(200);
  return { reply, url: (reply.body.data as { authorization_url: string }).authorization_url };
}

/** The vendor's page: the person presses a link of it, and is sent to an address of ours. */
export async function decide(url: string, decision: "Allow" | "Deny" = "Allow"): Promise<URL> {
  const page = await (await fetch(url)).text();
  const link = new RegExp(`href="([^"]+)">${decision}<`).exec(page)?.[1]?.replaceAll("&amp;", "&");
  const reply = await fetch(new URL(link ?? "", url), { redirect: "manual" });
  return new URL(reply.headers.get("location") ?? "");
}

export const changed = (callback: URL, change: Record<string, string | undefined>) => {
  const url = new URL(callback);
  for (const [name, value] of Object.entries(change))
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  return url.href;
};

export async function connect(person: Person, id: string) {
  const { url } = await start(person, id);
  const page = await person.visit((await decide(url)).href);
  expect(page.searchParams.get("connected"), page.href).toBe("1");
  return page;
}

export const grantOf = async (person: Person, id: string) =>
  rowOf(await person.call("GET", `/api/integrations/${id}`)).grant;

export async function activityOf(person: Person, id: string) {
  const reply = await person.call("GET", `/api/integrations/${id}/activity`);
  return reply.body.data as {
    activity_type: string;
    status: string;
    details: Record<string, unknown>;
    actor: string;
  }[];
}

export const fault = (order: object) =>
  fetch(`${world.simulatorUrl}/_simulator/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ vendor: "rest-api", ...order }),
  });

export const run = (person: Person, id: string) =>
  person.call("POST", `/api/integrations/${id}/execute`, {
    operation: "get",
    params: { path: "/items/42" },
  });
