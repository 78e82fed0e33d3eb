import { createHash } from "node:crypto";
import { realpathSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Two processes on one PGlite folder corrupt it, and PGlite itself lets them. */
export async function lockFolder(folder: string): Promise<() => void> {
  const id = createHash("sha256").update(realpathSync(folder)).digest("hex").slice(0, 32);
  const address = lockAddress(`pglite-${id}`);
  if (process.platform !== "linux" && process.platform !== "win32") await removeStale(address);
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(address, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    throw new Error(`${folder} is open in another process; stop that one first`);
  });
  return () => void server.close();
}

// The system drops an abstract socket or a pipe with its process, so kill -9 leaves no stale lock.
function lockAddress(name: string) {
  if (process.platform === "linux") return `\0${name}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  return join(tmpdir(), `${name}.sock`);
}

async function removeStale(path: string) {
  const isHeld = await new Promise<boolean>((resolve) => {
    const socket = connect(path)
      .once("connect", () => resolve(true))
      .once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
  if (!isHeld) rmSync(path, { force: true });
}
