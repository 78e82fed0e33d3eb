import { and, type InferInsertModel, type InferSelectModel, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";

import type { Client } from "./client.ts";

/** A table that belongs to tenants. One without `orgId` does not type-check as an argument here. */
export type OrgTable = PgTable & { orgId: PgColumn; id: PgColumn };
type Row<T extends OrgTable> = InferSelectModel<T>;
type NewRow<T extends OrgTable> = Omit<InferInsertModel<T>, "orgId">;
type Change<T extends OrgTable> = { [K in keyof NewRow<T>]?: NewRow<T>[K] | SQL };

/** Who asks, as the request proves it. `roles` and `scope` are what the route demands. */
export type Ticket = {
  sessionToken?: string;
  keyHash?: string;
  /** The org that the caller names; without it the session's active org. */
  orgId?: string | undefined;
  roles: readonly string[];
  scope: string;
  ip?: string | undefined;
  requestId?: string | undefined;
};

/** A place inside the Worker that acts for an org it knows: a webhook, a queue message, the clock. */
export type Standing = {
  orgId: string;
  actor: string;
  ip?: string | undefined;
  requestId?: string | undefined;
};

export type Actor = {
  orgId: string;
  userId: string | null;
  keyId: string | null;
  role: string;
  name: string | null;
  email: string | null;
  orgName: string;
};

type Query = Parameters<Client["batch"]>[0][number];

/** One statement, not yet run. Only an OrgDb makes them, and only `run` sends them. */
export class Statement<out T> {
  readonly #query: Query;
  declare readonly result: T;
  constructor(query: unknown) {
    this.#query = query as Query;
  }
  static query(statement: Statement<unknown>): Query {
    return statement.#query;
  }
}

type Results<S extends readonly Statement<unknown>[]> = { [I in keyof S]: S[I]["result"] };
type Raw = { rows: Record<string, unknown>[] };

const setting = (name: string, value: string | undefined) =>
  sql`set_config(${name}, ${value ?? ""}, true)`;

/**
 * The tenant-scoped door. Statements of tenant tables exist only as methods here, each bound to one
 * org, and run in one transaction under a role to which row-level security applies: a forgotten
 * filter cannot be written, and hand-written SQL cannot cross orgs either.
 */
export class OrgDb {
  readonly #client: Client;
  #who: Ticket | Standing;
  #actor: Actor | undefined;
  /** Round trips so far, for the Server-Timing header. */
  trips = 0;

  constructor(client: Client, who: Ticket | Standing) {
    this.#client = client;
    this.#who = who;
  }

  /** Whether a `run` has come back, so that `actor` may be read. */
  get known(): boolean {
    return this.#actor !== undefined;
  }

  /** Set once the first `run` of a request has come back. */
  get actor(): Actor {
    if (!this.#actor) throw new Error("nothing has run yet");
    return this.#actor;
  }

  /** A body that names an org counts like the header; it must come before the first `run`. */
  chooseOrg(orgId: string | undefined) {
    if (orgId && "roles" in this.#who) this.#who = { ...this.#who, orgId };
  }

  /** Proves who asks and does nothing else: for work that needs no rows, and before saying what is wrong with a body. */
  async authenticate(): Promise<Actor> {
    if (!this.#actor) await this.run();
    return this.actor;
  }

  select<T extends OrgTable>(
    table: T,
    where?: SQL,
    more: { orderBy?: readonly (SQL | PgColumn)[]; limit?: number } = {},
  ): Statement<Row<T>[]> {
    const from: PgTable = table;
    let query = this.#client
      .select()
      .from(from)
      .where(and(this.mine(table), where))
      .$dynamic();
    if (more.orderBy) query = query.orderBy(...more.orderBy);
    if (more.limit !== undefined) query = query.limit(more.limit);
    return new Statement(query);
  }

  insert<T extends OrgTable>(table: T, row: NewRow<T> | readonly NewRow<T>[]): Statement<Row<T>[]> {
    const rows = (Array.isArray(row) ? row : [row]).map((one: object) => ({
      ...one,
      orgId: sql`app_org_id()`,
    }));
    return new Statement(
      this.#client
        .insert(table as PgTable)
        .values(rows)
        .returning(),
    );
  }

  update<T extends OrgTable>(table: T, set: Change<T>, where: SQL): Statement<Row<T>[]> {
    return new Statement(
      this.#client
        .update(table as PgTable)
        .set(set)
        .where(and(this.mine(table), where))
        .returning(),
    );
  }

  delete<T extends OrgTable>(table: T, where: SQL): Statement<Row<T>[]> {
    return new Statement(
      this.#client
        .delete(table as PgTable)
        .where(and(this.mine(table), where))
        .returning(),
    );
  }

  /** Hand-written SQL for what the methods cannot say; only `db/` calls it, and row security holds. */
  sql<T>(query: SQL): Statement<T[]> {
    return new Statement(this.#client.execute(query));
  }

  /** The condition that every join of a tenant table repeats. */
  mine(table: OrgTable): SQL {
    return sql`${table.orgId} = app_org_id()`;
  }

  /**
   * Runs the statements in order as one transaction and one round trip; all or nothing.
   * Throws what Postgres says: EH401 and EH403 come from `authenticate`.
   */
  async run<const S extends readonly Statement<unknown>[]>(...statements: S): Promise<Results<S>> {
    this.trips += 1;
    const queries = [
      this.#client.execute(this.#prelude()),
      this.#client.execute(sql`select ${setting("role", "ehrconnect_tenant")}`),
      ...statements.map((statement) => Statement.query(statement)),
    ] as unknown as Parameters<Client["batch"]>[0];
    const [first, , ...rest] = (await this.#client.batch(queries)) as unknown as [
      Raw,
      Raw,
      ...(Raw | unknown[])[],
    ];
    this.#learn(first.rows[0]);
    // A builder answers with its rows, `execute` with the driver's whole result.
    return rest.map((result) => (Array.isArray(result) ? result : result.rows)) as Results<S>;
  }

  #prelude(): SQL {
    const who = this.#who;
    if ("roles" in who)
      return sql`select * from authenticate(${who.sessionToken ?? null}, ${who.keyHash ?? null},
        ${who.orgId ?? null}::uuid, array[${sql.join(
          who.roles.map((role) => sql`${role}`),
          sql`, `,
        )}]::text[], ${who.scope}, ${who.ip ?? null}, ${who.requestId ?? null})`;
    return sql`select ${setting("app.org_id", who.orgId)}, ${setting("app.actor", who.actor)},
      ${setting("app.user_id", this.#actor?.userId ?? undefined)}, ${setting("app.ip", who.ip)},
      ${setting("app.request_id", who.requestId)}`;
  }

  /** Later trips of the same request keep the org and actor: what was begun may be finished and logged. */
  #learn(row: Record<string, unknown> | undefined) {
    if (this.#actor || !("roles" in this.#who)) return;
    if (!row) throw new Error("authenticate returned no row");
    const text = (key: string) => (row[key] ?? null) as string | null;
    const actor: Actor = {
      orgId: row["org_id"] as string,
      userId: text("user_id"),
      keyId: text("key_id"),
      role: row["role"] as string,
      name: text("name"),
      email: text("email"),
      orgName: row["org_name"] as string,
    };
    this.#actor = actor;
    this.#who = {
      orgId: actor.orgId,
      actor: actor.keyId ? `key:${actor.keyId}` : `user:${actor.userId}`,
      ip: this.#who.ip,
      requestId: this.#who.requestId,
    };
  }
}

/** Work over all orgs (the clock, the queues): one transaction under the system role. */
export async function runSystem(
  client: Client,
  ...queries: SQL[]
): Promise<Record<string, unknown>[][]> {
  const batch = [
    client.execute(sql`select ${setting("role", "ehrconnect_system")}`),
    ...queries.map((query) => client.execute(query)),
  ] as unknown as Parameters<Client["batch"]>[0];
  const [, ...results] = (await client.batch(batch)) as unknown as Raw[];
  return results.map((result) => result.rows);
}
