/**
 * Folders for sockets, which only this user can enter, and which no program leaves behind for long.
 *
 * A socket's path has a limit, about 100 bytes, and the folder for temporary files may be a long one, or missing, or not ours to write
 * to. Then the system's own are tried, as Python's `tempfile` does.
 *
 * A folder is removed by who made it, when it is done with it and when its program ends. What a program leaves that was killed, the next
 * one removes ({@linkcode sweep}): a folder's name tells the process that made it, when that began, and in which space of process numbers
 * that was. Of those that this process cannot look up (it may not do all, or it is another container, or another system) those of
 * children go when they are old, for they are needed for a moment only, and others when nobody listens at their socket.
 *
 * @module
 */
import { isAllGranted, isGranted, mustBeGranted } from "../threading/_core/granted.ts";
import { isMain } from "../threading/_core/mod.ts";
import { whoAmI } from "./_self.ts";

/** What a folder is for: a child that starts, a manager's server, a listener. */
export type Kind = "mp" | "manager" | "listener";

/** What the names begin with; the kind follows. */
const PREFIX = "batteries-";
/** The longest name of a socket in a folder. */
const SOCKET = "/socket";
/** The longest path of a socket, in bytes. */
const LONGEST = Deno.build.os === "linux" ? 107 : 103;
/** Where to go when the folder for temporary files will not do. */
const ELSEWHERE = Deno.build.os === "windows" ? [] : ["/tmp", "/var/tmp", "/usr/tmp"];
/** A folder for a child is needed for some milliseconds; one of that age, in milliseconds, is nobody's. */
const STALE = 600_000;
/** Milliseconds after which a socket that nobody listens at is not one that somebody is just making. */
const OLD = 60_000;

/** Folders that this thread has made and not removed. */
const made = new Set<string>();
let watching = false;

/**
 * Makes a folder. `what` is for the message: "start Process-1".
 *
 * @throws {Deno.errors.NotCapable} when a permission is missing.
 * @throws {Deno.errors.NotFound} when no folder for temporary files can be used.
 */
export function makeFolder(kind: Kind, what: string): string {
  const prefix = `${PREFIX}${kind}-${ownMark()}-`;
  let first: unknown;
  for (const dir of [undefined, ...ELSEWHERE]) {
    try {
      return keep(makeIn(dir, prefix));
    } catch (error) {
      first ??= error;
    }
  }
  if (first instanceof Deno.errors.NotCapable) {
    throw new Deno.errors.NotCapable(`Cannot ${what}: ${first.message}`, { cause: first });
  }
  const tmpdir = temporary();
  throw new Deno.errors.NotFound(
    `Cannot ${what}: it takes a folder for temporary files, and ${
      tmpdir === undefined ? "there is none" : `'${tmpdir}' will not do`
    } (${
      first instanceof Error ? first.message : first
    }); set TMPDIR to a folder that exists, that this user may write to, and whose path is short`,
    { cause: first },
  );
}

/** The folder for temporary files, where that may be known. */
function temporary(): string | undefined {
  const { os } = Deno.build;
  const names = os === "windows" ? ["TMP", "TEMP"] : ["TMPDIR"];
  if (!names.every((variable) => isGranted({ name: "env", variable }))) return undefined;
  const [said] = names.map((name) => Deno.env.get(name)).filter((folder) => folder);
  return said ?? (os === "linux" ? "/tmp" : undefined);
}

function makeIn(dir: string | undefined, prefix: string): string {
  // Who may not know where it is, has to be one who may write anywhere.
  const path = dir ?? temporary();
  mustBeGranted([
    path === undefined ? { name: "write" } : { name: "write", path },
    path === undefined ? { name: "read" } : { name: "read", path },
  ]);
  const made = Deno.makeTempDirSync({ dir, prefix });
  // A relative TMPDIR must not mean another folder after a Deno.chdir().
  const folder = /^(\/|\w:|\\\\)/.test(made) ? made : Deno.realPathSync(made);
  if (new TextEncoder().encode(folder + SOCKET).length <= LONGEST) return folder;
  Deno.removeSync(folder);
  throw new RangeError(`the path is too long for a socket, whose limit is ${LONGEST} bytes`);
}

function keep(folder: string): string {
  made.add(folder);
  if (!watching) {
    watching = true;
    addEventListener("unload", () => made.forEach(removeFolder));
  }
  return folder;
}

/** Removes a folder and all that is in it, if it is there. */
export function removeFolder(folder: string): void {
  made.delete(folder);
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch {
    // Somebody else has done it.
  }
}

// ---- What others have left -------------------------------------------------------------------------------------------------------------

let space: string | undefined;

/** Where process numbers mean the same as here: a number of the system's; `""` when it does not tell, or not us. */
function ownSpace(): string {
  return space ??= findSpace();
}

function findSpace(): string {
  if (Deno.build.os !== "linux" || !isAllGranted()) return "";
  try {
    return (Deno.statSync("/proc/self/ns/pid").ino ?? "").toString(36);
  } catch {
    return "";
  }
}

let mark: string | undefined;

/** In a folder's name: where this process's number holds, the number, and when it began. */
function ownMark(): string {
  return mark ??= `${ownSpace()}.${Deno.pid.toString(36)}.${ownStart()}`;
}

/** `""` where the system does not tell, or not us: then the number alone has to do. */
function ownStart(): string {
  if (ownSpace() === "") return "";
  try {
    return startIn(Deno.readTextFileSync("/proc/self/stat")) ?? "";
  } catch {
    return "";
  }
}

/**
 * When a process began, from what Linux tells of it; `undefined` when it has ended. Nobody may have asked yet how it ended, and in a
 * container perhaps nobody ever does: then it is still there, as a zombie.
 */
function startIn(stat: string): string | undefined {
  // "42 (any ) name) S 1 …": the name may hold anything, so count from the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : Number(fields[19]).toString(36);
}

/** Whether the process with that mark has ended; `undefined` when that cannot be told from here. */
function hasEnded(mark: string): boolean | undefined {
  const [space, number, start] = mark.split(".");
  if (space === "" || space !== ownSpace()) return undefined;
  try {
    const now = startIn(Deno.readTextFileSync(`/proc/${parseInt(number, 36)}/stat`));
    return now === undefined || (start !== "" && start !== now);
  } catch (error) {
    // It was not there, or went while it was read.
    const { code } = error as { code?: string };
    return code === "ENOENT" || code === "ESRCH" ? true : undefined;
  }
}

let swept = false;

/** Removes, once in a program, what others have left beside `folder` that were killed. */
export function sweep(folder: string): void {
  if (swept) return;
  swept = true;
  if (!isMain() || whoAmI().address !== "") return;
  const around = folder.slice(0, folder.lastIndexOf("/"));
  if (!isGranted({ name: "read", path: around })) return;
  try {
    for (const { name, isDirectory } of Deno.readDirSync(around)) {
      const [, kind, mark] =
        /^batteries-(mp|manager|listener)-(?:([0-9a-z]*\.[0-9a-z]+\.[0-9a-z]*)-)?/
          .exec(name) ?? [];
      const path = `${around}/${name}`;
      if (!isDirectory || kind === undefined || made.has(path)) continue;
      const ended = mark === undefined ? undefined : hasEnded(mark);
      if (ended ?? (kind === "mp" && age(path) > STALE)) removeFolder(path);
      else if (ended === undefined && kind !== "mp") removeIfLeft(path);
    }
  } catch {
    // Not for us to look at: then it is not for us to remove.
  }
}

async function removeIfLeft(folder: string): Promise<void> {
  const path = `${folder}${SOCKET}`;
  if (age(path) < OLD || !isGranted({ name: "net" })) return;
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) removeFolder(folder);
  }
}

function age(path: string): number {
  try {
    return Date.now() - (Deno.statSync(path).mtime?.getTime() ?? Date.now());
  } catch {
    return 0;
  }
}
