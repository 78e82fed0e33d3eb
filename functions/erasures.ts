import { createRoute, z } from "@hono/zod-openapi";
import {
  base64ToString,
  base64ToUint8Array,
  stringToBase64,
  uint8ArrayToHex,
} from "uint8array-extras";

import { logActivity } from "../db/activity.ts";
import {
  answersToSearch,
  countUnsent,
  type Erased,
  erase,
  eventsToSearch,
  lockEvents,
  type SearchedEvent,
} from "../db/erasure.ts";
import { lockDestinations } from "../db/events.ts";
import type { OrgDb } from "../db/org.ts";
import type { Envelope } from "../db/schema.ts";
import { Problem } from "../problem.ts";
import { guarded } from "./access.ts";
import { eachLimited } from "./each-limited.ts";
import type { Env, Settings } from "./env.ts";
import type { StoredPayload } from "./envelope.ts";
import { json, jsonBody, newApp } from "./http.ts";
import { bodyText, type Subject, subjectOf } from "./subject.ts";

/** One request looks for so long, and opens so many envelopes (each may be a call to a key service). */
const stepMs = 2_000;
const stepOpens = 400;
/** What was being written when the search passed its place is looked for once more at the end. */
const overlapMs = 5 * 60_000;

const Counts = z
  .object({
    /** Webhooks whose payload, headers, type or id name the person. */
    events: z.number().int(),
    /** Their deliveries that had not been sent, and now end. */
    deliveries: z.number().int(),
    /** Kept beginnings of endpoints' replies. */
    excerpts: z.number().int(),
    /** Kept answers of requests with an Idempotency-Key. */
    answers: z.number().int(),
  })
  .openapi("ErasureCounts");
const Step = z
  .object({
    run_id: z.uuid(),
    dry_run: z.boolean(),
    /** All of it, over the steps so far. */
    found: Counts,
    searched: z.object({ events: z.number().int(), answers: z.number().int() }),
    /** Rows that did not open, whose content nobody can read and which stay as they are. */
    unreadable: z.number().int(),
    done: z.boolean(),
    /** Send the same request with it until `done`. */
    cursor: z.string().nullable(),
  })
  .openapi("Erasure");

const fewestCharacters = 4;
const Wanted = z
  .strictObject({
    /** A phone number, email address, record number or full name, as in what the vendors sent. */
    subject: z
      .string()
      .trim()
      .max(200)
      .refine(
        (text) => (text.match(/[\p{L}\p{N}]/gu) ?? []).length >= fewestCharacters,
        `At least ${fewestCharacters} letters or digits`,
      ),
    /** Only counts. */
    dry_run: z.boolean(),
    cursor: z.string().max(4_000).optional(),
  })
  .openapi("ErasureRequest");

const step = createRoute({
  method: "post",
  path: "/",
  operationId: "eraseSubject",
  summary: "Erase what names a person, step by step: repeat with the cursor until it is done",
  description:
    "Opens what is kept of webhooks, replies and answers, and erases what names the person. What was sent on already is with whoever received it.",
  ...guarded("erasure:write"),
  request: jsonBody(Wanted),
  responses: {
    200: json(
      z.object({ success: z.literal(true), data: Step, message: z.string() }),
      "How far it is",
    ),
  },
});

/** Events, answers, and both again as far as they came late. */
const phases = 4;
const Progress = z.object({
  runId: z.uuid(),
  subject: z.string(),
  dryRun: z.boolean(),
  startedAt: z.number(),
  phase: z.number().int(),
  after: z.string(),
  found: Counts,
  searched: z.object({ events: z.number(), answers: z.number() }),
  unreadable: z.number(),
});
type Progress = z.infer<typeof Progress>;

/** What stands for the subject in the audit log: whoever asks again can be shown that it was done. */
async function pseudonym(settings: Settings, orgId: string, subject: Subject): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const secret = encoder.encode(settings.URL_TOKEN_SECRET);
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  const text = encoder.encode(`erasure|${orgId}|${subject.normal}`);
  return uint8ArrayToHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, text)));
}

const cursorOwner = (orgId: string) => ({ orgId, id: "erasure" });

async function readCursor(env: Env, orgId: string, cursor: string): Promise<Progress> {
  try {
    const envelope = JSON.parse(base64ToString(cursor)) as Envelope;
    return Progress.parse(await env.vault.open(cursorOwner(orgId), envelope));
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem("invalid_request", "The cursor is not one of this search", { cause: error });
  }
}

type Opened = { text: string } | undefined;

/** Undefined where it does not open: altered, or its key is gone. A key service that is away ends the step. */
async function tryOpen<T>(
  env: Env,
  owner: { orgId: string; id: string },
  envelope: Envelope,
  read: (opened: T) => string,
): Promise<Opened> {
  try {
    return { text: read(await env.vault.open<T>(owner, envelope)) };
  } catch (error) {
    if (error instanceof Problem) throw error;
    return undefined;
  }
}

const payloadText = ({ body, query }: StoredPayload) =>
  `${bodyText(base64ToUint8Array(body))}\n${query ?? ""}`;

type Found = { events: string[]; named: string[]; excerpts: string[]; answers: string[] };

async function searchEvent(
  env: Env,
  orgId: string,
  event: SearchedEvent,
  subject: Subject,
  found: Found,
): Promise<number> {
  let unreadable = 0;
  const texts = [JSON.stringify(event.headers), event.content_type ?? ""];
  if (event.payload) {
    const opened = await tryOpen(env, { orgId, id: event.id }, event.payload, payloadText);
    if (opened) texts.push(opened.text);
    else unreadable += 1;
  }
  const named = subject.namedIn([event.type, event.dedup_key]);
  if (named) found.named.push(event.id);
  if (named || subject.namedIn(texts)) {
    found.events.push(event.id);
    found.excerpts.push(...event.excerpts.map(({ id }) => id));
  } else
    for (const { id, excerpt } of event.excerpts) {
      const opened = await tryOpen<string>(env, { orgId, id }, excerpt, (text) => text);
      if (!opened) unreadable += 1;
      else if (subject.namedIn([opened.text])) found.excerpts.push(id);
    }
  return unreadable;
}

/** Searches one page and moves the progress on; answers how many envelopes it opened. */
async function searchPage(
  env: Env,
  db: OrgDb,
  progress: Progress,
  subject: Subject,
): Promise<number> {
  const { orgId } = db.actor;
  const late = progress.phase >= 2;
  const place = {
    after: progress.after,
    since: late ? new Date(progress.startedAt - overlapMs) : undefined,
  };
  const found: Found = { events: [], named: [], excerpts: [], answers: [] };
  let opens = 0;
  let unreadable = 0;
  let last: string | undefined;
  if (progress.phase % 2 === 0) {
    const [rows] = await db.run(eventsToSearch(db, place));
    await eachLimited(rows, async (event) => {
      opens += event.excerpts.length + (event.payload ? 1 : 0);
      unreadable += await searchEvent(env, orgId, event, subject, found);
    });
    last = rows.at(-1)?.seq;
    if (!late) progress.searched.events += rows.length;
  } else {
    const [rows] = await db.run(answersToSearch(db, place));
    await eachLimited(rows, async ({ id, answer }) => {
      opens += 1;
      const opened = await tryOpen(env, { orgId, id }, answer, (body) => JSON.stringify(body));
      if (!opened) unreadable += 1;
      else if (subject.namedIn([opened.text])) found.answers.push(id);
    });
    last = rows.at(-1)?.key;
    if (!late) progress.searched.answers += rows.length;
  }
  if (!late) progress.unreadable += unreadable;
  const counts = await settle(db, progress, found);
  for (const kind of Object.keys(counts) as (keyof Erased)[]) progress.found[kind] += counts[kind];
  if (last === undefined) progress.phase += 1;
  progress.after = last ?? "";
  return opens;
}

/** Erases what was found, or only counts it. */
async function settle(db: OrgDb, progress: Progress, found: Found): Promise<Erased> {
  const none = { events: 0, deliveries: 0, excerpts: 0, answers: 0 };
  const { events, excerpts, answers } = found;
  if (!events.length && !excerpts.length && !answers.length) return none;
  if (progress.dryRun) {
    const [[unsent]] = await db.run(countUnsent(db, events));
    return {
      events: events.length,
      deliveries: unsent?.n ?? 0,
      excerpts: excerpts.length,
      answers: answers.length,
    };
  }
  const run = { id: progress.runId, subject: progress.subject };
  const [, , [erased]] = await db.run(
    lockDestinations(db, undefined),
    lockEvents(db, events),
    erase(db, found, run),
  );
  return erased ?? none;
}

function tell({ dryRun, found }: Progress, done: boolean): string {
  if (!done) return "There is more to look through";
  const total = found.events + found.excerpts + found.answers;
  if (!total) return "Nothing that is kept names this person";
  return dryRun ? `${total} records name this person` : `${total} records are erased`;
}

export const erasureRoutes = newApp().openapi(step, async (c) => {
  const { db } = c.var;
  const input = c.req.valid("json");
  const { orgId } = await db.authenticate();
  const subject = subjectOf(input.subject);
  const standsFor = await pseudonym(c.env.settings, orgId, subject);
  const progress: Progress = input.cursor
    ? await readCursor(c.env, orgId, input.cursor)
    : {
        runId: crypto.randomUUID(),
        subject: standsFor,
        dryRun: input.dry_run,
        startedAt: Date.now(),
        phase: 0,
        after: "",
        found: { events: 0, deliveries: 0, excerpts: 0, answers: 0 },
        searched: { events: 0, answers: 0 },
        unreadable: 0,
      };
  if (progress.subject !== standsFor || progress.dryRun !== input.dry_run)
    throw new Problem("invalid_request", "The cursor is of another search");

  const until = Date.now() + stepMs;
  let opens = 0;
  // A dry run need not look for what came while it ran.
  const end = progress.dryRun ? 2 : phases;
  while (progress.phase < end && opens < stepOpens && Date.now() < until)
    opens += await searchPage(c.env, db, progress, subject);
  const done = progress.phase >= end;
  if (done && !progress.dryRun)
    await db.run(
      logActivity(db, {
        integrationId: null,
        vendorId: null,
        activityType: "subject_erased",
        status: "success",
        details: {
          ...progress.found,
          run_id: progress.runId,
          subject: standsFor,
          searched: progress.searched.events + progress.searched.answers,
          unreadable: progress.unreadable,
          done: true,
        },
      }),
    );
  const cursor = done
    ? null
    : stringToBase64(JSON.stringify(await c.env.vault.seal(cursorOwner(orgId), progress)), {
        urlSafe: true,
      });
  return c.json(
    {
      success: true as const,
      data: {
        run_id: progress.runId,
        dry_run: progress.dryRun,
        found: progress.found,
        searched: progress.searched,
        unreadable: progress.unreadable,
        done,
        cursor,
      },
      message: tell(progress, done),
    },
    200,
  );
});
