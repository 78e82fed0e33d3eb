import type * as z from "zod";

/** How requests prove who they are; made from the credentials by the vendor's `auth`. */
export type Auth =
  | { kind: "none" }
  | { kind: "basic"; user: string; password: string }
  | { kind: "bearer"; token: string }
  | { kind: "header"; headers: Readonly<Record<string, string>> }
  | { kind: "query"; name: string; value: string }
  | {
      kind: "client_credentials";
      /** Without it, it is discovered from the FHIR base (SMART App Launch §well-known). */
      tokenUrl?: string | undefined;
      clientId: string;
      clientSecret: string;
      scope?: string | undefined;
      /** How the client authenticates: RFC 6749 §2.3.1 Basic, form body, or a JSON body. */
      style: "basic" | "body" | "json";
      extra?: Readonly<Record<string, string>>;
    }
  | {
      /** SMART Backend Services / RFC 7523. Without `tokenUrl` it is discovered from the FHIR base. */
      kind: "private_key_jwt";
      tokenUrl?: string | undefined;
      clientId: string;
      /** PKCS#8 PEM or JWK JSON. */
      privateKey: string;
      keyId?: string | undefined;
      algorithm: "RS384" | "ES384";
      scope: string;
    }
  | {
      /** RFC 6749 §4.1 with PKCE. The grant itself is stored with the integration, not in its fields. */
      kind: "authorization_code";
      authorizeUrl: string;
      tokenUrl: string;
      revokeUrl?: string | undefined;
      issuer?: string | undefined;
      clientId: string;
      clientSecret?: string | undefined;
      style: "basic" | "body" | "none";
      scopes: readonly string[];
      /** RFC 6749 says a space; Slack uses a comma. */
      scopeSeparator?: "," | " ";
      pkce: boolean;
      extra?: Readonly<Record<string, string>>;
    }
  | { kind: "signed_jwt"; token: (nowSeconds: number) => Promise<string> }
  | {
      /** A login call that answers with headers for the next calls and how long they hold. */
      kind: "session";
      login: (api: Api) => Promise<{ headers: Record<string, string>; expiresInSeconds: number }>;
    }
  | {
      kind: "aws_sigv4";
      accessKeyId: string;
      secretAccessKey: string;
      sessionToken?: string | undefined;
      region: string;
      service: string;
    };

export type Call = {
  /** Fills `{name}` in the path, percent-encoded; the template alone is ever logged. */
  path?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  headers?: Readonly<Record<string, string>>;
  json?: unknown;
  /** Undefined values are left out; an array repeats its name. */
  form?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  /** A body as it is, with its own content type in `headers`. */
  body?: string | Uint8Array<ArrayBuffer> | FormData;
};

/**
 * A vendor, bound to one integration. Paths are templates: `{accountSid}` is taken from `call.path`,
 * else from the integration's fields. An absolute `https://` URL must be on a host the vendor declares.
 * Every method throws `VendorFailure`. A reply that does not match its schema is `unexpected_reply`.
 */
export type Api = {
  /** The integration's base URL, its fields filled in and without a slash at the end. */
  readonly baseUrl: string;
  get<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  post<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  put<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  patch<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  delete<S extends z.ZodType>(path: string, reply: S, call?: Call): Promise<z.output<S>>;
  /** The whole exchange, for headers, other content types and byte streams; still fails like the others. */
  send(method: string, path: string, call?: Call): Promise<Response>;
};
