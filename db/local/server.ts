import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import {
  DatabaseGone,
  type Engine,
  isolationLevels,
  openEmbedded,
  openPostgres,
  type Result,
  SqlError,
  type Statement,
  type TransactionOptions,
} from "./engine.ts";

/** Neon's own limit for one request over HTTP. */
const maxBodyBytes = 64 * 1024 * 1024;
/** Postgres counts parameters in 16 bits. */
const maxParams = 65_535;

type Options = {
  /** Where PGlite keeps its files; in memory without it. */
  dataDir?: string | undefined;
  /** A real Postgres instead of PGlite. */
  url?: string | undefined;
  /** What a new PGlite starts from, see `EmbeddedEngine.snapshot`. */
  snapshot?: Blob | undefined;
  port?: number | undefined;
  /** What the connection string must carry; random without it. */
  password?: string | undefined;
};
export type Database = {
  /** For `@neondatabase/serverless`, whose `fetchEndpoint` has to be set to `endpoint`. */
  url: string;
  endpoint: string;
  engine: Engine;
  close(): Promise<void>;
};

/** Opens the database and serves it on 127.0.0.1 the way Neon does at `/sql`. */
export async function startDatabase(options: Options = {}): Promise<Database> {
  const engine = options.url ? openPostgres(options.url) : await openEmbedded(options);
  const password = options.password ?? randomBytes(18).toString("base64url");
  const server = createServer((request, response) => {
    void answer(engine, password, request, response);
  });
  // A Worker keeps idle connections; one that we close as it is used fails its request.
  server.keepAliveTimeout = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(options.port ?? 0, "127.0.0.1", resolve);
    });
  } catch (error) {
    await engine.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
    endpoint: `http://127.0.0.1:${port}/sql`,
    engine,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await engine.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

class Refused extends Error {
  override name = "Refused";
  readonly status: number;
  readonly code: string | undefined;

  constructor(status: number, message: string, code?: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function answer(
  engine: Engine,
  password: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const abort = new AbortController();
  response.on("close", () => abort.abort());
  const { status, body } = await reply(engine, password, request, abort.signal).catch(failure);
  // A caller that is still sending hears the answer only when somebody reads on.
  request.resume();
  if (response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function reply(
  engine: Engine,
  password: string,
  request: IncomingMessage,
  signal: AbortSignal,
) {
  if (request.url !== "/sql") throw new Refused(404, "Only /sql is here");
  if (request.method !== "POST") throw new Refused(405, "Only POST is answered");
  const header = (name: string) => request.headers[`neon-${name}`];
  checkPassword(header("connection-string"), password);
  if (header("raw-text-output") !== "true") {
    throw new Refused(400, "Neon-Raw-Text-Output: true is the only output of this endpoint");
  }
  const asArray = header("array-mode") === "true";
  const body = parseBody(await readBody(request));
  if (Array.isArray(body)) {
    const transaction = {
      isolation: readIsolation(header("batch-isolation-level")),
      readOnly: header("batch-read-only") === "true",
      deferrable: header("batch-deferrable") === "true",
    };
    const results = await engine.transaction(body, transaction, signal);
    return { status: 200, body: { results: results.map((result) => present(result, asArray)) } };
  }
  return { status: 200, body: present(await engine.query(body, signal), asArray) };
}

function present(result: Result, asArray: boolean) {
  const { fields, rows } = result;
  const toObject = (row: Result["rows"][number]) =>
    Object.fromEntries(fields.map(({ name }, column) => [name, row[column]]));
  return { ...result, rows: asArray ? rows : rows.map(toObject), rowAsArray: asArray };
}

function failure(error: unknown) {
  if (error instanceof SqlError) {
    return { status: 400, body: { message: error.message, ...error.fields } };
  }
  if (error instanceof Refused) {
    return { status: error.status, body: { message: error.message, code: error.code } };
  }
  if (error instanceof DatabaseGone) return { status: 503, body: { message: error.message } };
  if (error instanceof DOMException && error.name === "AbortError") {
    return { status: 499, body: { message: "The caller has gone" } };
  }
  console.error(error);
  return { status: 500, body: { message: "The database endpoint failed; see its log" } };
}

function checkPassword(connectionString: string | string[] | undefined, password: string) {
  const url = typeof connectionString === "string" ? URL.parse(connectionString) : null;
  if (!url) throw new Refused(400, "The header Neon-Connection-String must be a postgres:// URL");
  const sent = Buffer.from(decode(url.password));
  const expected = Buffer.from(password);
  if (sent.length === expected.length && timingSafeEqual(sent, expected)) return;
  throw new Refused(400, `password authentication failed for user "${url.username}"`, "28P01");
}

function decode(text: string) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readIsolation(level: string | string[] | undefined): TransactionOptions["isolation"] {
  if (level === undefined) return undefined;
  const known = Object.keys(isolationLevels) as (keyof typeof isolationLevels)[];
  const isolation = known.find((name) => name === level);
  if (!isolation)
    throw new Refused(400, `Neon-Batch-Isolation-Level is one of ${known.join(", ")}`);
  return isolation;
}

async function readBody(request: IncomingMessage) {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += chunk.length;
      if (size > maxBodyBytes) break;
      chunks.push(chunk);
    }
  } catch {
    throw new Refused(400, "The body did not arrive");
  }
  if (size > maxBodyBytes) throw new Refused(413, `A body has at most ${maxBodyBytes} bytes`);
  return Buffer.concat(chunks).toString();
}

function parseBody(text: string): Statement | Statement[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Refused(400, "The body is not JSON");
  }
  if (!isObject(body)) throw new Refused(400, "The body must be an object");
  const { queries } = body;
  if (queries === undefined) return parseStatement(body);
  if (!Array.isArray(queries)) throw new Refused(400, "queries must be an array");
  return queries.map(parseStatement);
}

function parseStatement(statement: unknown): Statement {
  if (!isObject(statement) || typeof statement["query"] !== "string") {
    throw new Refused(400, "A statement must have the text of its query");
  }
  const { query, params = [] } = statement;
  // Postgres would read what follows a NUL as the next part of the protocol message.
  if (query.includes("\0")) throw new Refused(400, "A query must not have a NUL in it");
  if (!Array.isArray(params)) throw new Refused(400, "params must be an array");
  if (params.length > maxParams) {
    throw new Refused(400, `A query has at most ${maxParams} parameters`);
  }
  return { query: query.toWellFormed(), params: params.map(toText) };
}

const isObject = (value: unknown): value is Record<string, unknown> & { query?: string } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Neon's encoding of a JSON value as the text of a parameter. */
function toText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value.toWellFormed();
  return Array.isArray(value) ? toArrayText(value) : JSON.stringify(value).toWellFormed();
}

function toArrayText(values: unknown[]): string {
  const elements = values.map((value) => {
    if (Array.isArray(value)) return toArrayText(value);
    const text = toText(value);
    return text === null ? "NULL" : `"${text.replace(/["\\]/g, "\\$&")}"`;
  });
  return `{${elements.join(",")}}`;
}
