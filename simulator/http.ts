import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

export type Received = {
  method: string;
  /** As sent: `/api.stripe.com/v1/balance?limit=1`. */
  target: string;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
};

const hopByHop = new Set(["connection", "host", "keep-alive", "transfer-encoding", "upgrade"]);

async function receive(incoming: IncomingMessage): Promise<Received> {
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (!hopByHop.has(name.toLowerCase())) headers.append(name, rawHeaders[i + 1] ?? "");
  }
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    method: incoming.method ?? "GET",
    target: incoming.url ?? "/",
    headers,
    body: new Uint8Array(Buffer.concat(chunks)),
  };
}

function writeHead(response: Response, outgoing: ServerResponse) {
  for (const [name, value] of response.headers)
    if (name !== "set-cookie") outgoing.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length) outgoing.setHeader("set-cookie", cookies);
  outgoing.writeHead(response.status);
}

async function send(response: Response, outgoing: ServerResponse) {
  writeHead(response, outgoing);
  if (!response.body) {
    outgoing.end();
    return;
  }
  await pipeline(
    Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
    outgoing,
  );
}

/** Announces the whole body, sends half of it, and drops the line. */
async function sendHalf(response: Response, outgoing: ServerResponse) {
  const body = new Uint8Array(await response.arrayBuffer());
  response.headers.delete("transfer-encoding");
  response.headers.set("content-length", String(Math.max(body.length, 2)));
  writeHead(response, outgoing);
  outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => outgoing.destroy());
}

/** What happens to a request: a reply, half a reply, or none (the line is dropped, as by a host that is not there). */
export type Outcome =
  | { kind: "reply"; response: Response }
  | { kind: "truncated"; response: Response }
  | { kind: "reset" };

/** Serves on 127.0.0.1 only. Rejects if the port is taken. */
export async function listen(
  port: number,
  handle: (received: Received) => Promise<Outcome>,
): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const exchange = async () => {
      const outcome = await handle(await receive(incoming));
      if (outcome.kind === "reply") await send(outcome.response, outgoing);
      else if (outcome.kind === "truncated") await sendHalf(outcome.response, outgoing);
      else incoming.socket.destroy();
    };
    exchange().catch((error: unknown) => {
      // The client left in the middle of a stream, which tests of cancellation do on purpose.
      if (!outgoing.destroyed && !outgoing.headersSent)
        outgoing.writeHead(500).end(`The simulator failed: ${String(error)}`);
      else outgoing.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP address");
  return {
    port: address.port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
