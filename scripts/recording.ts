import { existsSync } from "node:fs";

import { afterAll } from "vitest";

import { canaryFolder, record, recordSent } from "./canaries.ts";

/**
 * For vitest's `setupFiles`: all that tests send to a Worker and all that it answers is kept, to be
 * searched when its world ends.
 */
const ask = globalThis.fetch;
const underWay = new Set<Promise<void>>();

const folderOf = ({ hostname, port, origin }: URL): string | undefined => {
  if (!port || (hostname !== "127.0.0.1" && hostname !== "localhost")) return undefined;
  const folder = canaryFolder(origin);
  return existsSync(folder) ? folder : undefined;
};

/** A stream ends when its reader leaves, and media are not text. */
const isText = (response: Response) =>
  /json|text\/(?!event-stream)|xml|yaml|urlencoded/.test(
    response.headers.get("content-type") ?? "",
  );

globalThis.fetch = async (input, init) => {
  const request = input instanceof Request ? input : undefined;
  const url = new URL(request?.url ?? String(input));
  const folder = folderOf(url);
  if (!folder) return ask(input, init);
  const sent = new Headers(init?.headers ?? request?.headers);
  if (sent.has("x-not-recorded")) return ask(input, init);
  const method = init?.method ?? request?.method ?? "GET";
  const body = init?.body ?? (await request?.clone().text());
  recordSent(folder, {
    path: url.pathname,
    headers: Object.fromEntries(sent),
    body: typeof body === "string" ? body : "",
  });
  const response = await ask(input, init);
  const { status, headers } = response;
  const shown = [...headers].filter(([name]) => name !== "set-cookie");
  const head = [String(status), ...shown.map((pair) => pair.join(": "))].join("\n");
  const where = `${method} ${url.pathname}`;
  if (!response.body || !isText(response)) {
    record(folder, { where, text: head });
    return response;
  }
  const reading = response
    .clone()
    .text()
    .then(
      (text) => record(folder, { where, text: `${head}\n\n${text}` }),
      // The test left before the end.
      () => undefined,
    );
  underWay.add(reading);
  void reading.then(() => underWay.delete(reading));
  return response;
};

afterAll(() => Promise.all(underWay));
