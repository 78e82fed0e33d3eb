import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export type DatabaseProxy = {
  endpoint: string;
  /** Requests since the start: one is one round trip. */
  trips: number;
  /** Called with the text of each request before the database sees it. */
  before: (statements: string) => Promise<void> | void;
  /** Called once the database has answered, and before the Worker hears of it. */
  after: (statements: string) => Promise<void> | void;
  /** The endpoint stops listening, and breaks off what is under way. */
  stop(): Promise<void>;
  start(): Promise<void>;
};

/** Stands between the Worker and its database, to count, to look on, and to be away. */
export async function startDatabaseProxy(endpoint: string): Promise<DatabaseProxy> {
  let server: Server;
  let port = 0;
  const proxy: DatabaseProxy = {
    endpoint: "",
    trips: 0,
    before: () => {},
    after: () => {},
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
    async start() {
      server = createServer((request, response) => {
        const exchange = async () => {
          const chunks: Buffer[] = [];
          for await (const chunk of request) chunks.push(chunk as Buffer);
          const body = Buffer.concat(chunks).toString();
          proxy.trips += 1;
          await proxy.before(body);
          const { host: _host, connection: _connection, ...headers } = request.headers;
          const answer = await fetch(endpoint, {
            method: "POST",
            headers: headers as Record<string, string>,
            body,
          });
          const text = await answer.text();
          await proxy.after(body);
          response
            .writeHead(answer.status, { "content-type": "application/json", connection: "close" })
            .end(text);
        };
        exchange().catch(() => response.destroy());
      });
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject).listen(port, "127.0.0.1", resolve);
      });
      ({ port } = server.address() as AddressInfo);
      proxy.endpoint = `http://127.0.0.1:${port}/sql`;
    },
  };
  await proxy.start();
  return proxy;
}
