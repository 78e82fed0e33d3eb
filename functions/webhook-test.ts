import { createRoute, z } from "@hono/zod-openapi";

import { getIntegration } from "../db/integrations.ts";
import { Problem } from "../problem.ts";
import { guarded } from "./access.ts";
import { openValues, webhookUrl } from "./credentials.ts";
import { ById, json, newApp } from "./http.ts";
import { mustLoadVendor } from "./vendors.ts";

const Sent = z.array(z.object({ status: z.number().int(), body: z.string() }));
const Refusal = z.object({ error: z.string() });

const test = createRoute({
  method: "post",
  path: "/{id}/webhook-test",
  operationId: "testWebhook",
  summary: "Development only: the simulated vendor sends a signed event",
  ...guarded("integrations:test"),
  request: {
    params: ById,
    body: {
      required: true,
      content: {
        "application/json": { schema: z.strictObject({ type: z.string().max(200).optional() }) },
      },
    },
  },
  responses: {
    200: json(
      z.object({
        success: z.boolean(),
        message: z.string(),
        data: z.object({ status: z.number().int().nullable() }),
      }),
      "What we answered; an event that was refused is a 200 with `success: false`",
    ),
  },
});

/** Asks the simulator to sign with the integration's own credentials and to post to its address. */
export const webhookTestRoutes = newApp().openapi(test, async (c) => {
  const { SIMULATOR_URL } = c.env.settings;
  if (!SIMULATOR_URL) throw new Problem("not_found", "There is no simulator here");
  const { db } = c.var;
  const [[row]] = await db.run(getIntegration(db, c.req.valid("param").id));
  if (!row) throw new Problem("not_found");
  const vendor = await mustLoadVendor(row.vendorId);
  const url = await webhookUrl(c.env.settings, vendor, row, true);
  if (!url) throw new Problem("conflict", `${vendor.name} sends no webhooks`);
  const { type } = c.req.valid("json");
  const response = await fetch(`${SIMULATOR_URL}/_simulator/webhooks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      vendor: row.vendorId,
      url,
      credentials: await openValues(c.env.vault, row),
      ...(type ? { type } : {}),
    }),
  });
  if (!response.ok) {
    const { error } = Refusal.parse(await response.json());
    return c.json({ success: false, message: error, data: { status: null } }, 200);
  }
  const [sent] = Sent.parse(await response.json());
  if (!sent) throw new Problem("internal");
  const success = sent.status >= 200 && sent.status < 300;
  const message = success
    ? "The event was signed, sent and accepted"
    : `The event was refused with ${sent.status}`;
  return c.json({ success, message, data: { status: sent.status } }, 200);
});
