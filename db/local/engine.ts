import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";

import { messages, PGlite, protocol } from "@electric-sql/pglite";
import { DatabaseError, Pool, type PoolClient } from "pg";

import { lockFolder } from "./lock.ts";

export type Statement = { query: string; params: readonly (string | null)[] };
export type Field = {
  name: string;
  tableID: number;
  columnID: number;
  dataTypeID: number;
  dataTypeSize: number;
  dataTypeModifier: number;
  format: "text";
};
/** Values are the very text that Postgres sent. */
export type Result = {
  fields: Field[];
  rows: (string | null)[][];
  command: string;
  rowCount: number | null;
};
export const isolationLevels = {
  ReadUncommitted: "read uncommitted",
  ReadCommitted: "read committed",
  RepeatableRead: "repeatable read",
  Serializable: "serializable",
} as const;
export type TransactionOptions = {
  isolation?: keyof typeof isolationLevels | undefined;
  readOnly?: boolean | undefined;
  deferrable?: boolean | undefined;
};

/** Each call starts on a clean session (role, settings, prepared statements) and leaves one. */
export type Engine = {
  query(statement: Statement, signal?: AbortSignal): Promise<Result>;
  transaction(
    statements: readonly Statement[],
    options?: TransactionOptions,
    signal?: AbortSignal,
  ): Promise<Result[]>;
  /** Many statements without parameters, all or nothing. */
  exec(sql: string): Promise<void>;
  close(): Promise<void>;
};
export type EmbeddedEngine = Engine & {
  /** A tarball of the whole database: to start from it takes a tenth of the time of a new one. */
  snapshot(): Promise<Blob>;
};

export const errorFields = [
  "severity",
  "code",
  "detail",
  "hint",
  "position",
  "internalPosition",
  "internalQuery",
  "where",
  "schema",
  "table",
  "column",
  "dataType",
  "constraint",
  "file",
  "line",
  "routine",
] as const;
type ErrorFields = Partial<Record<(typeof errorFields)[number], string | undefined>>;

/** Postgres refused a statement. */
export class SqlError extends Error {
  override name = "SqlError";
  readonly fields: ErrorFields;

  constructor(error: ErrorFields & { message: string }) {
    super(error.message, { cause: error });
    this.fields = Object.fromEntries(errorFields.map((field) => [field, error[field]]));
  }
}

/** There is no database to ask; the statement may or may not have run. */
export class DatabaseGone extends Error {
  override name = "DatabaseGone";
}

type Session = {
  run(statement: Statement): Promise<Result>;
  exec(sql: string): Promise<void>;
  isIdle(): boolean;
};
type WithSession = <T>(work: (session: Session) => Promise<T>) => Promise<T>;

function engineOn(withSession: WithSession, close: () => Promise<void>): Engine {
  return {
    query: (statement, signal) =>
      withSession((session) => {
        signal?.throwIfAborted();
        return session.run(statement);
      }),
    transaction: (statements, options = {}, signal) =>
      withSession(async (session) => {
        signal?.throwIfAborted();
        await session.exec(begin(options));
        const results: Result[] = [];
        for (const statement of statements) {
          results.push(await session.run(statement));
          signal?.throwIfAborted();
        }
        await session.exec("commit");
        return results;
      }),
    exec: (sql) => withSession((session) => session.exec(sql)),
    close,
  };
}

function begin({ isolation, readOnly, deferrable }: TransactionOptions) {
  const modes = [
    isolation && `isolation level ${isolationLevels[isolation]}`,
    readOnly && "read only",
    deferrable && "deferrable",
  ];
  return `begin ${modes.filter(Boolean).join(", ")}`;
}

async function reset(session: Session) {
  if (!session.isIdle()) await session.exec("rollback");
  await session.exec("discard all");
}

/** PGlite in memory, or in a folder where what was acknowledged survives `kill -9`. */
export async function openEmbedded(
  from: { dataDir?: string | undefined; snapshot?: Blob | undefined } = {},
): Promise<EmbeddedEngine> {
  const { dataDir, snapshot } = from;
  const load = snapshot && { loadDataDir: snapshot };
  let unlock = () => {};
  let folder: string | undefined;
  if (dataDir !== undefined) {
    mkdirSync(dataDir, { recursive: true });
    unlock = await lockFolder(dataDir);
    folder = join(dataDir, "pgdata");
  }
  try {
    if (folder !== undefined && !existsSync(folder)) await createFolder(folder, load);
    const source = folder === undefined ? { ...load } : { dataDir: folder };
    return embeddedEngine(await PGlite.create(source), unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

// Made beside and renamed, so that a process killed half-way leaves no half of a database.
async function createFolder(folder: string, load: { loadDataDir: Blob } | undefined) {
  const unfinished = `${folder}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  const pglite = await PGlite.create(unfinished, { ...load });
  await pglite.close();
  renameSync(unfinished, folder);
}

function embeddedEngine(pglite: PGlite, unlock: () => void): EmbeddedEngine {
  let gone: string | undefined;
  let last: Promise<unknown> = Promise.resolve();

  // PGlite is one connection: whoever asked first has it first, and alone. The pause between two
  // turns lets replies leave, for PGlite computes on this thread.
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(() => {
      if (gone) throw new DatabaseGone(gone);
      return work();
    });
    last = turn.then(
      () => setImmediate(),
      () => setImmediate(),
    );
    return turn;
  }

  const session = embeddedSession(pglite, () => {
    gone = "The embedded Postgres has crashed; restart the process";
    return new DatabaseGone(gone);
  });
  const withSession: WithSession = (work) =>
    inTurn(async () => {
      try {
        return await work(session);
      } finally {
        if (!gone) await reset(session);
        // In PGlite's single-user mode there is no login that DISCARD ALL could go back to.
        if (!gone) await session.exec("set session authorization postgres");
      }
    });
  async function close() {
    await last;
    if (!gone) {
      gone = "The embedded Postgres is closed";
      await pglite.close();
    }
    unlock();
  }
  return {
    ...engineOn(withSession, close),
    snapshot: () =>
      inTurn(async () => {
        await session.exec("checkpoint");
        return pglite.dumpDataDir("none");
      }),
  };
}

function embeddedSession(pglite: PGlite, crashed: () => DatabaseGone): Session {
  const { serialize } = protocol;
  let status = "I";

  async function send(request: Uint8Array[]) {
    const chunks: Uint8Array[] = [];
    await pglite.execProtocolRawStream(Buffer.concat(request), {
      // The chunk is a view of the memory of the WebAssembly, which the next one overwrites.
      onRawData: (chunk) => void chunks.push(chunk.slice()),
    });
    const reply: object[] = [];
    new protocol.Parser().parse(Buffer.concat(chunks), (message) => void reply.push(message));
    // PGlite swallows a crash of the WebAssembly; what it then lacks is the end of the reply.
    const end = reply.at(-1);
    if (!(end instanceof messages.ReadyForQueryMessage)) throw crashed();
    status = end.status;
    const error = reply.find((message) => message instanceof messages.DatabaseError);
    if (error) throw new SqlError(error);
    return reply;
  }

  return {
    async run({ query, params }) {
      const reply = await send([
        serialize.parse({ text: query }),
        serialize.bind({ values: [...params] }),
        serialize.describe({ type: "P" }),
        serialize.execute(),
        // Ends a COPY FROM STDIN, which would wait for ever; ignored after all other statements.
        serialize.copyFail("this endpoint cannot copy"),
        serialize.sync(),
      ]);
      const result: Result = { fields: [], rows: [], command: "", rowCount: null };
      for (const message of reply) {
        if (message instanceof messages.RowDescriptionMessage) {
          result.fields = message.fields.map(toField);
        } else if (message instanceof messages.DataRowMessage) {
          result.rows.push(message.fields);
        } else if (message instanceof messages.CommandCompleteMessage) {
          const [command = "", ...counts] = message.text.split(" ");
          const count = Number(counts.at(-1) ?? NaN);
          Object.assign(result, { command, rowCount: Number.isNaN(count) ? null : count });
        }
      }
      return result;
    },
    async exec(sql) {
      await send([serialize.query(sql)]);
    },
    isIdle: () => status === "I",
  };
}

const toField = (field: Omit<Field, "format">): Field => ({
  name: field.name,
  tableID: field.tableID,
  columnID: field.columnID,
  dataTypeID: field.dataTypeID,
  dataTypeSize: field.dataTypeSize,
  dataTypeModifier: field.dataTypeModifier,
  format: "text",
});

/** Any Postgres behind a `postgres://` URL. */
export function openPostgres(url: string): Engine {
  const rawText = { getTypeParser: () => (value: string) => value };
  const pool = new Pool({
    connectionString: url,
    max: 10,
    types: rawText,
    connectionTimeoutMillis: 10_000,
    application_name: "neon-compatible endpoint",
  });
  // A connection that breaks is reported by the statement on it; the event alone would end the process.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));

  const withSession: WithSession = async (work) => {
    const client = await pool.connect().catch((error: unknown) => {
      throw gone(error);
    });
    const session = pooledSession(client);
    try {
      return await work(session);
    } finally {
      // The pool waits for the cleaning, the caller does not. A COPY FROM STDIN in a prepared
      // statement leaves pg waiting for a reply that never comes.
      void within(3_000, reset(session)).then(
        () => client.release(),
        () => client.release(true),
      );
    }
  };
  return engineOn(withSession, () => pool.end());
}

async function within(timeMs: number, promise: Promise<void>) {
  const timer = new AbortController();
  const late = setTimeout(timeMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`Not done after ${timeMs} ms`);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

function pooledSession(client: PoolClient): Session {
  return {
    async run({ query, params }) {
      // With no values pg would take the simple protocol, which allows several statements.
      const config = { text: query, values: [...params], queryMode: "extended" };
      const result = await client
        .query<(string | null)[]>({ ...config, rowMode: "array" })
        .catch(rethrow);
      return {
        fields: result.fields.map(toField),
        rows: result.rows,
        command: result.command ?? "",
        rowCount: result.rowCount,
      };
    },
    async exec(sql) {
      await client.query(sql).catch(rethrow);
    },
    isIdle: () => client.getTransactionStatus() === "I",
  };
}

function rethrow(error: unknown): never {
  const isOfStatement = error instanceof DatabaseError && error.severity === "ERROR";
  throw isOfStatement ? new SqlError(error) : gone(error);
}

const gone = (cause: unknown) =>
  new DatabaseGone(`Postgres is not reachable: ${describe(cause)}`, { cause });

// Node's error for a name with several addresses has no message of its own.
const describe = (cause: unknown) =>
  cause instanceof AggregateError ? cause.errors.map(String).join(", ") : String(cause);
