import { createRoute, z } from "@hono/zod-openapi";

import { type Integration, listIntegrations } from "../db/integrations.ts";
import { capabilities, type CapabilityName } from "../handlers/capabilities.ts";
import type { AnyVendor } from "../handlers/define.ts";
import { environmentNames } from "../handlers/define.ts";
import { vendorId } from "../handlers/registry.ts";
import { wordsOf } from "../handlers/words.ts";
import { Problem, type VendorCause, VendorFailure } from "../problem.ts";
import { guarded } from "./access.ts";
import { CallHeaders, carryOut } from "./execute.ts";
import { issuesOf, json, newApp } from "./http.ts";
import { claim } from "./idempotency.ts";
import { cards, mustLoadVendor } from "./vendors.ts";

const names = Object.keys(capabilities) as [CapabilityName, ...CapabilityName[]];

type Json = Record<string, z.core.util.JSONType>;

export const Tried = z.object({
  integration_id: z.uuid(),
  vendor_id: z.string(),
  cause: z.string(),
  message: z.string(),
});

const executeCapability = createRoute({
  method: "post",
  path: "/execute",
  operationId: "executeCapability",
  summary: "Run a capability on the first healthy integration that has it",
  ...guarded("integrations:execute"),
  request: {
    headers: CallHeaders,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({
            capability: z.enum(names),
            params: z.record(z.string(), z.unknown()).default({}),
            /** An integration's or a vendor's id that goes first; it alone, where params name a record of its. */
            prefer: z.string().min(1).max(100).optional(),
            /** A workflow of `usage_mappings`: integrations mapped to it go before the others. */
            workflow: z.string().min(1).max(200).optional(),
            /** Production where the org has one that can serve, else sandbox; the two are never mixed. */
            environment: z.enum(environmentNames).optional(),
          }),
        },
      },
    },
  },
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.object({
          capability: z.string(),
          integration_id: z.uuid(),
          vendor_id: z.string(),
          operation: z.string(),
          result: z.unknown(),
          latency_ms: z.number().int(),
          tried: z.array(Tried),
        }),
      }),
      "The result in the capability's own form, which integration served it, and which were tried before",
    ),
  },
});
const list = createRoute({
  method: "get",
  path: "/capabilities",
  operationId: "listCapabilities",
  summary: "The vendor-neutral operations, with JSON Schemas and the vendors that have them",
  security: [],
  responses: {
    200: json(
      z.object({
        success: z.literal(true),
        data: z.array(
          z.object({
            id: z.string(),
            title: z.string(),
            effect: z.enum(["read", "write"]),
            params: z.custom<Json>().openapi({ type: "object" }),
            result: z.custom<Json>().openapi({ type: "object" }),
            vendors: z.array(z.string()),
          }),
        ),
        count: z.number().int(),
      }),
      "Capabilities",
    ),
  },
});

const schema = (type: z.ZodType, io: "input" | "output") =>
  z.toJSONSchema(type, { io }) as unknown as Json;

const vendorsWith = (name: CapabilityName) =>
  cards.filter((card) => card.capabilities.includes(name)).map((card) => card.id);

/** The vendor's operation that fulfils the capability. */
function operationFor(vendor: AnyVendor, name: CapabilityName): string | undefined {
  return Object.entries(vendor.operations).find(([, one]) => one.capability === name)?.[0];
}

const healthRank = { active: 0, testing: 1, inactive: 2, error: 3 } as const;

type Wish = {
  prefer?: string | undefined;
  workflow?: string | undefined;
  environment?: string | undefined;
};
const isPreferred = (row: Integration, { prefer }: Wish) =>
  prefer !== undefined && (row.id === prefer || row.vendorId === vendorId(prefer));

/** Workflows are the same where their words are: neither case nor spaces count. */
const nameOf = (workflow: string) => wordsOf(workflow).join(" ");

/** Its mappings to the workflow that is wished for. */
function mapped(row: Integration, wish: Wish) {
  const workflow = nameOf(wish.workflow ?? "");
  return workflow ? row.usageMappings.filter((each) => nameOf(each.workflow) === workflow) : [];
}
const isMapped = (row: Integration, wish: Wish) => mapped(row, wish).some(({ enabled }) => enabled);

/** Mapped workflow first, then what the caller prefers, then health, then age. */
function rank(rows: readonly Integration[], wish: Wish): Integration[] {
  const environment =
    wish.environment ??
    (rows.some((row) => row.environment === "production") ? "production" : "sandbox");
  const score = (row: Integration) => [
    isMapped(row, wish) ? 0 : 1,
    isPreferred(row, wish) ? 0 : 1,
    healthRank[row.healthStatus],
  ];
  return rows
    .filter((row) => row.environment === environment)
    .filter((row) => isMapped(row, wish) || !mapped(row, wish).length)
    .map((row) => ({ row, score: score(row) }))
    .toSorted((a, b) => {
      const at = a.score.findIndex((part, index) => part !== b.score[index]);
      return at < 0 ? 0 : (a.score[at] ?? 0) - (b.score[at] ?? 0);
    })
    .map(({ row }) => row);
}

/**
 * Whose record `named` is nobody but the caller can tell: the one integration there is, the one that
 * is preferred, or that the workflow is mapped to. No other is asked, since its patient of that id
 * may be somebody else.
 */
function owner(ranked: readonly Integration[], wish: Wish, named: string): readonly Integration[] {
  const ofWorkflow = ranked.filter((row) => isMapped(row, wish));
  const owners = wish.prefer
    ? ranked.filter((row) => isPreferred(row, wish))
    : ofWorkflow.length
      ? ofWorkflow
      : ranked;
  if (owners.length < 2) return owners;
  const message = `Name the integration that \`params.${named}\` is of`;
  throw new Problem("invalid_request", message, { errors: [{ path: "prefer", message }] });
}

/** Failures that another integration may not share. A refused request or missing record, it would. */
const elsewhere: ReadonlySet<VendorCause> = new Set([
  "credentials_rejected",
  "credentials_expired",
  "forbidden",
  "rate_limited",
  "vendor_unavailable",
  "timeout",
  "unexpected_reply",
  "not_configured",
]);

export const capabilityRoutes = newApp()
  .openapi(list, (c) => {
    const data = names.map((id) => ({
      id,
      title: capabilities[id].title,
      effect: capabilities[id].effect,
      params: schema(capabilities[id].params, "input"),
      result: schema(capabilities[id].result, "output"),
      vendors: vendorsWith(id),
    }));
    return c.json({ success: true as const, data, count: data.length }, 200);
  })
  .openapi(executeCapability, async (c) => {
    const { db } = c.var;
    const { capability, params, ...wish } = c.req.valid("json");
    const headers = c.req.valid("header");
    const contract = capabilities[capability];
    const ofOne: readonly string[] = "ofOne" in contract ? contract.ofOne : [];
    const parsed = contract.params.safeParse(params);
    if (!parsed.success) {
      await db.authenticate();
      const errors = issuesOf(parsed.error).map(({ path, message }) => ({
        path: `params.${path}`,
        message,
      }));
      throw new Problem("invalid_request", undefined, { errors });
    }
    const found = listIntegrations(db, { active: true, vendorIds: vendorsWith(capability) });
    const key = headers["idempotency-key"];
    const use = key === undefined ? undefined : await claim(c, key);
    const [rows, , claimed = [], standing = []] = use
      ? await db.run(found, ...use.statements)
      : await db.run(found);
    const before = await use?.resolve(claimed, standing, contract.effect === "read");
    if (before) return before as never;

    const tried: z.infer<typeof Tried>[] = [];
    try {
      const ranked = rank(rows, wish);
      const named = ofOne.find((param) => parsed.data[param as never] !== undefined);
      for (const row of named ? owner(ranked, wish, named) : ranked) {
        const vendor = await mustLoadVendor(row.vendorId);
        const operation = operationFor(vendor, capability);
        if (!operation) continue;
        try {
          const { result, latencyMs } = await carryOut(
            c,
            row,
            vendor,
            operation,
            parsed.data,
            headers,
          );
          const shaped = contract.result.safeParse(result);
          if (!shaped.success)
            throw new VendorFailure("unexpected_reply", undefined, {
              mayHaveHappened: contract.effect === "write",
            });
          const answer = {
            success: true as const,
            data: {
              capability,
              integration_id: row.id,
              vendor_id: row.vendorId,
              operation,
              result: shaped.data as unknown,
              latency_ms: latencyMs,
              tried,
            },
          };
          await use?.settle(200, answer);
          return c.json(answer, 200);
        } catch (error) {
          if (error instanceof Problem)
            error.members = { integration_id: row.id, vendor_id: row.vendorId, tried: [...tried] };
          // After a write that may have happened nobody else is asked: the patient gets one text, not two.
          if (!(error instanceof VendorFailure) || error.mayHaveHappened) throw error;
          if (!elsewhere.has(error.failure)) throw error;
          tried.push({
            integration_id: row.id,
            vendor_id: row.vendorId,
            cause: error.failure,
            message: error.message,
          });
        }
      }
      const none = new Problem(
        "no_integration",
        tried.length
          ? `None of ${tried.length} integrations could serve ${capability}: ${tried.map((one) => `${one.vendor_id} (${one.cause})`).join(", ")}`
          : `No integration that is switched on has ${capability}`,
      );
      none.members = { tried };
      throw none;
    } catch (error) {
      await use?.fail(error);
      throw error;
    }
  });
