import { call, type Reply } from "./world.ts";

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
