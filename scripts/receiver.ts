import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Webhook } from "standardwebhooks";

export type Delivered = {
  id: string;
  headers: Record<string, string>;
  text: string;
  body: { type: string; data: unknown; [more: string]: unknown };
  at: number;
  /** Whether one of `secrets` verifies it, by the reference implementation. */
  verified: boolean;
};
export type Answered = {
  status: number;
  body?: string;
  headers?: Record<string, string>;
  delayMs?: number;
};

/** A tenant's own endpoint, which the Worker reaches at `https://<host>/…` through the simulator. */
export type Receiver = {
  url: string;
  received: Delivered[];
  secrets: string[];
  /** The most requests that were under way at the same time. */
  peak: number;
  answer: (delivered: Delivered) => Answered | Promise<Answered>;
  close(): Promise<void>;
};

export async function startReceiver(simulatorUrl: string): Promise<Receiver> {
  let underWay = 0;
  const receiver: Receiver = {
    url: "",
    received: [],
    secrets: [],
    peak: 0,
    answer: () => ({ status: 200, body: "ok", headers: { "content-type": "text/plain" } }),
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  const server = createServer((request, response) => {
    const exchange = async () => {
      underWay += 1;
      receiver.peak = Math.max(receiver.peak, underWay);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      const headers = request.headers as Record<string, string>;
      const verified = receiver.secrets.some((secret) => {
        try {
          new Webhook(secret).verify(text, headers);
          return true;
        } catch {
          return false;
        }
      });
      const delivered: Delivered = {
        id: headers["webhook-id"] ?? "",
        headers,
        text,
        body: JSON.parse(text) as Delivered["body"],
        at: Date.now(),
        verified,
      };
      receiver.received.push(delivered);
      const { status, body = "", headers: more, delayMs } = await receiver.answer(delivered);
      if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs));
      response.writeHead(status, more).end(body);
    };
    exchange()
      .catch(() => response.destroy())
      .finally(() => (underWay -= 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const host = `receiver-${randomBytes(5).toString("hex")}.example`;
  const registered = await fetch(`${simulatorUrl}/_simulator/forward`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ host, url: `http://127.0.0.1:${port}` }),
  });
  if (!registered.ok) throw new Error(`The simulator answered ${registered.status}`);
  receiver.url = `https://${host}/hooks`;
  return receiver;
}

/** Waits until `found` answers with something; throws after `ms`. */
export async function eventually<T>(
  found: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  ms = 15_000,
): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    const value = await found();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > until) throw new Error(`Waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
