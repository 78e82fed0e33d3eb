import { logActivity } from "../db/activity.ts";
import {
  claimRefresh,
  getGrant,
  type Grant,
  loseGrant,
  releaseRefresh,
  saveRefreshed,
} from "../db/grants.ts";
import { getIntegration, type Integration, recordCheck } from "../db/integrations.ts";
import { OrgDb } from "../db/org.ts";
import { requireAlgorithm } from "../handlers/authorize.ts";
import type { AnyVendor } from "../handlers/define.ts";
import type { FieldValues } from "../handlers/fields.ts";
import {
  type AuthorizationCode,
  type Endpoints,
  isFresh,
  type LocatedCode,
  type Outlet,
  refreshGrant,
  revokeGrant,
  type Token,
} from "../handlers/oauth.ts";
import { loadVendor } from "../handlers/registry.ts";
import { sha256Hex } from "../handlers/signature.ts";
import { findPlace } from "../handlers/target.ts";
import { type VendorCause, VendorFailure } from "../problem.ts";
import { openValues } from "./credentials.ts";
import type { Env } from "./env.ts";
import { openHeldKey } from "./held-keys.ts";
import type { Seal } from "./vault.ts";
import { resolveOf, wireOf } from "./wire.ts";

/** What a token request came to: plain values, since an Error loses its class between isolates. */
export type TokenOutcome =
  | { ok: true; token: Token }
  | {
      ok: false;
      /** `unavailable`: on our side, and the vendor is not to blame. */
      failure: VendorCause | "unavailable";
      message: string;
      retryAfter?: number | undefined;
    };

/** What is sealed in a grant's row. */
type Held = { token: Token; fetchedAt: number; endpoints: Endpoints };

type Place = { orgId: string; integrationId: string };

/** A token set that the vendor has issued and the database has not confirmed. */
type Pending = { grantId: string; version: number; set: Parameters<typeof saveRefreshed>[3] };

/** Storage that outlives a crash of the isolate: the Durable Object's own. */
export type Journal = {
  read(): Promise<Pending | undefined>;
  write(pending: Pending): Promise<void>;
  clear(): Promise<void>;
};

export type CodeAuth = { auth: AuthorizationCode; baseUrl: string; boundTo: string };

/** How an integration is connected by sign-in, and what its grant holds for; undefined where it is not. */
export async function codeOf(
  target: Pick<Integration, "vendorId" | "environment" | "apiEndpoint">,
  vendor: AnyVendor,
  values: FieldValues,
): Promise<CodeAuth | undefined> {
  const auth = vendor.auth(values);
  if (auth.kind !== "authorization_code") return undefined;
  const { vendorId, environment, apiEndpoint } = target;
  const { baseUrl } = findPlace(vendor, environment, apiEndpoint, values);
  const { clientId, authorizeUrl = "", tokenUrl = "" } = auth;
  const parts = [vendorId, environment, baseUrl, clientId, authorizeUrl, tokenUrl];
  return { auth, baseUrl, boundTo: await sha256Hex(JSON.stringify(parts)) };
}

/** The client as it proves itself: with the key that we hold for the org, if it names one. */
export async function clientOf(
  env: Env,
  orgId: string,
  auth: AuthorizationCode,
): Promise<AuthorizationCode> {
  const { heldKey: kid, onlyAlgorithm } = auth.signing ?? {};
  if (kid === undefined) return auth;
  const signing = await openHeldKey(env, orgId, kid);
  requireAlgorithm(signing, onlyAlgorithm);
  return { ...auth, signing };
}

/** A server that is slow to answer a refresh may have rotated the token: it is given more time. */
const refreshTimeoutMs = 30_000;
const leaseSeconds = 45;

export const outletOf = (env: Env, vendor: AnyVendor): Outlet => ({
  wire: wireOf(env),
  resolve: resolveOf(env),
  failure: vendor.failure,
});

export const endpointsOf = (auth: LocatedCode): Endpoints => ({
  authorizeUrl: auth.authorizeUrl,
  tokenUrl: auth.tokenUrl,
  revokeUrl: auth.revokeUrl,
  issuer: auth.issuer,
  issRequired: auth.issRequired,
});

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/**
 * When the clock refreshes: at four fifths of the token's life, or ten minutes before its end. One
 * that lives less than five minutes is fetched when it is needed; its refresh token is still kept
 * from lapsing.
 */
function nextRefresh({ token, fetchedAt }: Held): number | undefined {
  const { expiresAt, refreshExpiresAt, refreshToken } = token;
  if (refreshToken === undefined) return undefined;
  const life = (expiresAt ?? fetchedAt) - fetchedAt;
  const ahead =
    expiresAt !== undefined && life >= 5 * minuteMs
      ? expiresAt - Math.min(10 * minuteMs, life / 5)
      : Infinity;
  const alive =
    refreshExpiresAt === undefined
      ? Infinity
      : refreshExpiresAt - Math.min(2 * dayMs, (refreshExpiresAt - fetchedAt) / 5);
  const at = Math.min(ahead, alive);
  return Number.isFinite(at) ? at : undefined;
}

const dateOf = (ms: number | undefined) => (ms === undefined ? null : new Date(ms));
export const scopesOf = (scope: string | undefined) => scope?.split(/[\s,]+/).filter(Boolean) ?? [];

/** The columns of a token set; `seal` is for the grant's row. */
export async function tokenSet(seal: Seal, held: Held) {
  const { token } = held;
  return {
    tokens: await seal(held),
    scopesGranted: scopesOf(token.scope),
    expiresAt: dateOf(token.expiresAt),
    refreshExpiresAt: dateOf(token.refreshExpiresAt),
    refreshable: token.refreshToken !== undefined,
    nextRefreshAt: dateOf(nextRefresh(held)),
  };
}

const openHeld = (env: Env, grant: Grant) =>
  grant.tokens
    ? env.vault.open<Held>({ orgId: grant.orgId, id: grant.id }, grant.tokens)
    : undefined;

const expired = (message: string): TokenOutcome => ({
  ok: false,
  failure: "credentials_expired",
  message,
});
const changed = "The configuration changed since the sign-in: connect again";
const ended = (vendor: string) => `${vendor} no longer accepts the sign-in: connect again`;

/** Throws again what is not the vendor's doing or the credentials'. */
function outcomeOf(error: unknown): TokenOutcome {
  if (!(error instanceof VendorFailure)) throw error;
  const { failure, message, retryAfter } = error;
  return { ok: false, failure, message, retryAfter };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export type Wanted = {
  /** The configuration that the caller goes by. */
  boundTo?: string | undefined;
  /** SHA-256 of an access token that the vendor refused before its end. */
  refused?: string | undefined;
  /** The clock's visit: the version that it found to be due; it waits for nobody. */
  due?: number | undefined;
};

/** A token that is refused so soon after its birth would be no better if it were born again. */
const tooYoungMs = 10_000;

/**
 * The grant's access token, refreshed if need be: by one caller at a time over all isolates and
 * deployments (the claim in the row), and saved before anybody gets it. To be called by one at a
 * time for an integration.
 */
export async function currentToken(
  env: Env,
  place: Place,
  wanted: Wanted,
  journal: Journal,
): Promise<TokenOutcome> {
  const db = new OrgDb(env.client, { orgId: place.orgId, actor: "clock" });
  await settlePending(db, journal);
  const giveUpAt = Date.now() + (leaseSeconds + 5) * 1000;
  for (;;) {
    const [[grant], [row]] = await db.run(
      getGrant(db, place.integrationId),
      getIntegration(db, place.integrationId),
    );
    if (!grant || !row) return expired("Nobody has signed in at the vendor yet");
    const vendor = await loadVendor(row.vendorId);
    const held = await openHeld(env, grant);
    if (!vendor || !held) return expired(ended(vendor?.name ?? row.vendorId));
    if (wanted.boundTo !== undefined && wanted.boundTo !== grant.boundTo) return expired(changed);

    const { token, fetchedAt } = held;
    const now = Date.now();
    const refused =
      wanted.refused !== undefined &&
      now - fetchedAt > tooYoungMs &&
      wanted.refused === (await sha256Hex(token.accessToken));
    const usable = (token.expiresAt ?? Infinity) > now && !refused;
    const due = wanted.due === grant.version;
    if (usable && isFresh(token, fetchedAt, now) && !due) return { ok: true, token };
    if (token.refreshToken === undefined) {
      // Refused without an end: the vendor's own answer says what is wrong.
      if (usable || refused) return { ok: true, token };
      const lost = await lose(db, row, grant, ended(vendor.name));
      if (lost) return lost;
      continue;
    }
    const values = await openValues(env.vault, row);
    const code = await codeOf(row, vendor, values);
    if (code?.boundTo !== grant.boundTo) return expired(changed);
    if (now > giveUpAt)
      return usable
        ? { ok: true, token }
        : { ok: false, failure: "unavailable", message: "A new access token is being fetched" };

    const client = await clientOf(env, place.orgId, code.auth).catch(outcomeOf);
    if ("ok" in client) return client;
    const owner = { orgId: grant.orgId, id: grant.id };
    const seal = await env.vault.prepare(owner, grant.tokens?.dv);
    const by = crypto.randomUUID();
    const [[claimed]] = await db.run(claimRefresh(db, grant.id, grant.version, by, leaseSeconds));
    if (!claimed) {
      if (wanted.due !== undefined) return { ok: true, token };
      await sleep(200);
      continue;
    }
    if (grant.refreshStartedAt) await logInterruption(db, row, grant.refreshStartedAt);
    const auth = { ...client, ...held.endpoints };
    const outcome = await refresh(
      env,
      db,
      { row, vendor, grant, held, auth, seal, by, usable },
      journal,
    );
    if (outcome) return outcome;
  }
}

type Refresh = {
  row: Integration;
  vendor: AnyVendor;
  grant: Grant;
  held: Held;
  auth: LocatedCode;
  /** For the answer, ready before the refresh token is spent. */
  seal: Seal;
  /** The claim. */
  by: string;
  /** The present access token still works. */
  usable: boolean;
};

/** Undefined: the grant was replaced meanwhile, and is to be read again. */
async function refresh(
  env: Env,
  db: OrgDb,
  { row, vendor, grant, held, auth, seal, by, usable }: Refresh,
  journal: Journal,
): Promise<TokenOutcome | undefined> {
  const outlet = { ...outletOf(env, vendor), timeoutMs: refreshTimeoutMs };
  let fresh: Token;
  try {
    fresh = await refreshGrant(auth, held.token.refreshToken ?? "", outlet);
  } catch (error) {
    if (!(error instanceof VendorFailure)) throw error;
    if (error.failure === "credentials_expired") {
      const [[now]] = await db.run(getGrant(db, row.id));
      const replaced = now?.id !== grant.id || now.version !== grant.version;
      return replaced ? undefined : lose(db, row, grant, ended(vendor.name));
    }
    await db.run(
      releaseRefresh(db, grant.id, by, error.message),
      ...(grant.lastError === null ? [logFailure(db, row, error)] : []),
    );
    return usable ? { ok: true, token: held.token } : outcomeOf(error);
  }
  const { token: before, endpoints } = held;
  const next: Held = {
    token: {
      ...fresh,
      scope: fresh.scope ?? before.scope,
      extra: { ...before.extra, ...fresh.extra },
      refreshExpiresAt: fresh.refreshExpiresAt ?? before.refreshExpiresAt,
    },
    fetchedAt: Date.now(),
    endpoints,
  };
  const set = await tokenSet(seal, next);
  await journal.write({ grantId: grant.id, version: grant.version, set });
  const saved = await settleWithPatience(db, journal);
  if (saved === "kept")
    return { ok: false, failure: "unavailable", message: "The new access token is not saved yet" };
  if (saved === "saved") return { ok: true, token: next.token };
  const [[now]] = await db.run(getGrant(db, row.id));
  // Disconnected while the vendor was asked: nobody would ever revoke what it answered.
  if (!now) await revokeGrant(auth, next.token, outlet).catch(() => undefined);
  return undefined;
}

/** Saves what a crash or a database that was away has left in the journal. */
async function settlePending(
  db: OrgDb,
  journal: Journal,
): Promise<"nothing" | "saved" | "replaced"> {
  const pending = await journal.read();
  if (!pending) return "nothing";
  const [[saved]] = await db.run(saveRefreshed(db, pending.grantId, pending.version, pending.set));
  await journal.clear();
  return saved ? "saved" : "replaced";
}

/** The old refresh token may be spent already, so that this is not given up at the first failure. */
async function settleWithPatience(
  db: OrgDb,
  journal: Journal,
): Promise<"nothing" | "saved" | "replaced" | "kept"> {
  for (const pauseMs of [200, 500, 1_000, 2_000, 0]) {
    try {
      return await settlePending(db, journal);
    } catch {
      await sleep(pauseMs);
    }
  }
  return "kept";
}

/** Undefined where somebody replaced the grant meanwhile. */
async function lose(
  db: OrgDb,
  row: Integration,
  grant: Grant,
  message: string,
): Promise<TokenOutcome | undefined> {
  const [[lost]] = await db.run(loseGrant(db, grant.id, grant.version, message));
  if (!lost) return undefined;
  const cause = "credentials_expired";
  await db.run(
    recordCheck(
      db,
      row.id,
      { result: "failed", latencyMs: null, account: null, cause, error: message },
      { decisive: true },
    ),
    logActivity(db, {
      ...subject(row),
      activityType: "reconnect_needed",
      status: "failure",
      details: { connected_at: grant.connectedAt.toISOString() },
      errorMessage: message,
    }),
  );
  return expired(message);
}

const subject = (row: Integration) => ({ integrationId: row.id, vendorId: row.vendorId });

const logFailure = (db: OrgDb, row: Integration, error: VendorFailure) =>
  logActivity(db, {
    ...subject(row),
    activityType: "refresh_failed",
    status: "failure",
    details: { cause: error.failure, vendor_code: error.vendorCode },
    errorMessage: error.message,
  });

const logInterruption = (db: OrgDb, row: Integration, startedAt: Date) =>
  db.run(
    logActivity(db, {
      ...subject(row),
      activityType: "refresh_interrupted",
      status: "failure",
      details: { started_at: startedAt.toISOString() },
      errorMessage:
        "A refresh of the sign-in was begun and its result not saved; it is tried again",
    }),
  );

export type Revocation = "revoked" | "unsupported" | "failed" | "nothing";

/** Revokes the grant's tokens at the vendor, and says what came of it; the row is left as it is. */
export async function revokeAt(env: Env, place: Place): Promise<Revocation> {
  const db = new OrgDb(env.client, { orgId: place.orgId, actor: "clock" });
  const [[grant], [row]] = await db.run(
    getGrant(db, place.integrationId),
    getIntegration(db, place.integrationId),
  );
  const vendor = row && (await loadVendor(row.vendorId));
  const held = grant && (await openHeld(env, grant));
  if (!row || !vendor || !held) return "nothing";
  const auth = vendor.auth(await openValues(env.vault, row));
  if (auth.kind !== "authorization_code") return "failed";
  try {
    const located = { ...(await clientOf(env, place.orgId, auth)), ...held.endpoints };
    const done = await revokeGrant(located, held.token, outletOf(env, vendor));
    return done ? "revoked" : "unsupported";
  } catch (error) {
    if (!(error instanceof VendorFailure)) throw error;
    return "failed";
  }
}
