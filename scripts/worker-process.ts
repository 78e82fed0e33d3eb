import { fork } from "node:child_process";
import { once } from "node:events";

import { freePort, type RunningWorker, startWorker, type WorkerOptions } from "./worker.ts";

type Order = { start: Omit<WorkerOptions, "log"> } | { tick: number };
type Report = { ready: true } | { log: string } | { ticked: number; error?: string };

export type WorkerProcess = {
  url: string;
  tick(): Promise<void>;
  /** SIGKILL to the whole group: nothing is flushed, closed or said. */
  kill(): Promise<void>;
};

/** The Worker in a process group of its own, so that a test can kill it with all that it holds. */
export async function startWorkerProcess(
  options: Omit<WorkerOptions, "log">,
  log: (line: string) => void = () => {},
): Promise<WorkerProcess> {
  const port = options.port ?? (await freePort());
  const child = fork(new URL(import.meta.url), { detached: true, stdio: "ignore" });
  child.setMaxListeners(0);
  const exited = once(child, "exit");
  const send = (order: Order) => child.send(order);
  child.on("message", (report: Report) => {
    if ("log" in report) log(report.log);
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.on("message", (report: Report) => {
      if ("ready" in report) resolve();
    });
    void exited.then(() => reject(new Error("The Worker's process ended before it was ready")));
  });
  send({ start: { ...options, port } });
  await ready;
  let ticks = 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async tick() {
      const number = (ticks += 1);
      const ticked = new Promise<Report>((resolve) => {
        child.on("message", (report: Report) => {
          if ("ticked" in report && report.ticked === number) resolve(report);
        });
        void exited.then(() => resolve({ ticked: number, error: "killed" }));
      });
      send({ tick: number });
      const report = await ticked;
      if ("error" in report) throw new Error(report.error);
    },
    async kill() {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, "SIGKILL");
      await exited;
      // The runtime is the child's own child: its port is free only once it is gone as well.
      const url = `http://127.0.0.1:${port}/healthz`;
      const answers = () =>
        fetch(url, { signal: AbortSignal.timeout(500) }).then(
          () => true,
          () => false,
        );
      while (await answers()) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}

if (import.meta.main) {
  const report = (message: Report) => process.send?.(message);
  let worker: RunningWorker | undefined;
  const obey = async (order: Order) => {
    if ("start" in order) {
      worker = await startWorker({ ...order.start, log: (log) => report({ log }) });
      report({ ready: true });
      return;
    }
    const error = await worker?.tick().then(
      () => undefined,
      (reason: unknown) => String(reason),
    );
    report({ ticked: order.tick, ...(error ? { error } : {}) });
  };
  process.on("message", (order: Order) => void obey(order));
  // The test that started this one is gone.
  process.on("disconnect", () => process.kill(-process.pid, "SIGKILL"));
}
