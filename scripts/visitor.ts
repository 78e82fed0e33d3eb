import { call, newMember, type Reply, type TestOrg } from "./world.ts";

type World = { url: string; publicUrl: string; databaseUrl: string; endpoint: string };

/** A browser's side of signing in: keeps cookies as they are set, and names the page's origin. */
export class Visitor {
  readonly #url: string;
  readonly #origin: string;
  readonly cookies = new Map<string, string>();
  /** `Set-Cookie` lines of the last answer. */
  lines: string[] = [];

  constructor(world: { url: string; publicUrl: string }) {
    this.#url = world.url;
    this.#origin = world.publicUrl;
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const reply = await call(`${this.#url}${path}`, method, body, {
      origin: this.#origin,
      ...(cookie ? { cookie } : {}),
      ...headers,
    });
    this.lines = reply.headers.getSetCookie();
    for (const line of this.lines) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "" || /max-age=0\b/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return reply;
  }

  auth(path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply> {
    return this.ask(body === undefined ? "GET" : "POST", `/api/auth${path}`, body, headers);
  }

  signIn(email: string, password: string): Promise<Reply> {
    return this.auth("/sign-in/email", { email, password });
  }
}

/** Of all people that tests make. */
export const testPassword = "a long test password";

export async function signedIn(
  world: World,
  email: string,
  password = testPassword,
): Promise<Visitor> {
  const visitor = new Visitor(world);
  const reply = await visitor.signIn(email, password);
  if (reply.status !== 200) throw new Error(`Not signed in: ${JSON.stringify(reply.body)}`);
  return visitor;
}

/** A person in an org with a role, in a browser of their own. */
export async function signedInMember(world: World, org: TestOrg, role: string) {
  const { email, userId } = await newMember(world, org.orgId, role);
  return { email, userId, visitor: await signedIn(world, email) };
}

/** The audit log's rows of one kind, newest first. */
export async function activityOf(org: TestOrg, type: string) {
  const reply = await org.call("GET", `/api/activity?activity_type=${type}`);
  if (reply.status !== 200) throw new Error(`No activity: ${JSON.stringify(reply.body)}`);
  return reply.body.data as { details: Record<string, unknown>; actor: string }[];
}
