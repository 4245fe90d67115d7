/**
 * Named shared memory that does not outlive the program that made it, however that program ends.
 *
 * A name stays in the system until it is taken away. So each process that makes named memory keeps a watchman beside it: a `/bin/sh`
 * of 2 MB that reads a pipe, knows every name that is to go, and removes them when the program has ended.
 *
 * 1. The process tells the watchman each name that it makes, with the number of the file. A number is not used again soon, a name may
 *    be: the watchman removes a name only while it is still that file's, so it never takes what others made since.
 * 2. The pipe ends when the process does, killed or not: the system closes it.
 * 3. A child's memory stays as long as the program: parents look at what their children have left. So a child's watchman then waits,
 *    with a look every second, until the program's first process has ended too. Its children end with it.
 *
 * The watchman is nobody's child: a shell starts it and ends at once. Ctrl-C does not end it. When it was killed together with the
 * program, what is left is found by name when a later program makes shared memory: our names tell of which program they are, and
 * whether that lives ({@linkcode sweep}).
 *
 * Without `--allow-run` there is no watchman. The program's first process then takes its names away when it ends without an error, and
 * the rest is swept later, as far as we gave the names.
 *
 * @module
 */
import { isMain } from "../threading/_core/mod.ts";
import type { Platform } from "../threading/_core/platform/mod.ts";
import { whoAmI } from "./_self.ts";

/** What the names of memory begin with that ends with its program; the numbers of the program follow. */
const TRACKED = "bct";
/** What the names begin with of memory that stays. */
const KEPT = "bck";

/** Parameters: the folder, our pid, the pipe's end to read, the first process and when it began (or nothing). */
const WATCHMAN = `
exec 3<"/proc/$2/fd/$3" || exit 1
(
  trap '' INT TERM HUP QUIT
  cd /
  while IFS= read -r line; do
    name=\${line#* }
    number=\${line%% *}
    case $number in
      +*) eval "name_\${number#+}=\\$name" ;;
      -*) unset "name_\${number#-}" ;;
    esac
  done
  while [ -n "$4" ] && read -r stat <"/proc/$4/stat"; do
    set -- "$1" "$2" "$3" "$4" "$5" \${stat##*) }
    [ "$6" != Z ] && [ $(( \${25} & 4294967295 )) = "$5" ] || break
    set -- "$1" "$2" "$3" "$4" "$5"
    sleep 1
  done
  set | while IFS= read -r line; do
    case $line in name_[0-9]*=*) ;; *) continue ;; esac
    number=\${line%%=*}
    eval "file=$1/\\$$number"
    set -- "$1" $(ls -di -- "$file")
    [ "name_$2" = "$number" ] && rm -f -- "$file"
    set -- "$1"
  done
) <&3 >/dev/null 2>&1 &
`;

/** The program that this process is of: its first process, and when that began. */
function programOf(system: Platform): { pid: number; start: number } {
  let pid = Deno.pid;
  // "/2/0" is a child's child, and "/2/t5" a thread of a child.
  for (const part of whoAmI().address.split("/").slice(1)) {
    if (!part.startsWith("t")) pid = system.parentOf(pid) ?? pid;
  }
  return { pid, start: system.startOf(pid) ?? 0 };
}

/** A name that nobody has. */
export function newName(system: Platform, track: boolean): string {
  const random = crypto.randomUUID().slice(0, 8);
  if (!track) return `${KEPT}-${random}`;
  const { pid, start } = programOf(system);
  return `${TRACKED}-${pid.toString(36)}-${start.toString(36)}-${random}`;
}

/** The pipe to the watchman, once there is one; `null` when there can be none. */
let line: number | null | undefined;

/** What this process has made and not unlinked, for when there is no watchman: names by the file's number. */
const made = new Map<number, string>();

/**
 * From now on that name goes when the program ends.
 *
 * @returns what {@linkcode forget} takes.
 */
export function track(system: Platform, name: string, fd: number): number | undefined {
  const inode = system.inodeOf(fd);
  if (inode === undefined) return undefined;
  line ??= watch(system);
  if (line !== null) system.write(line, `+${inode} ${name}\n`);
  else remember(system, name, inode);
  return inode;
}

/** That name was taken away. */
export function forget(system: Platform, inode: number | undefined): void {
  if (inode === undefined) return;
  made.delete(inode);
  if (line !== null && line !== undefined) system.write(line, `-${inode} \n`);
}

/** Starts the watchman. */
function watch(system: Platform): number | null {
  const { folder } = system;
  if (folder === undefined) return null;
  const { state } = Deno.permissions.querySync({ name: "run", command: "/bin/sh" });
  if (state !== "granted") return null;
  const [read, write] = system.pipe();
  const { pid, start } = programOf(system);
  const first = pid === Deno.pid ? ["", ""] : [`${pid}`, `${start}`];
  try {
    const { success } = new Deno.Command("/bin/sh", {
      args: ["-c", WATCHMAN, "sh", folder, `${Deno.pid}`, `${read}`, ...first],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    if (success) return write;
  } catch {
    // No shell, or one that may not be started after all.
  }
  system.close(write);
  return null;
}

function remember(system: Platform, name: string, inode: number): void {
  // A thread's memory is the program's, and a child's too: only the program's end is the end of it.
  if (!isMain() || whoAmI().address !== "") return;
  if (made.size === 0) addEventListener("unload", () => removeMade(system), { once: true });
  made.set(inode, name);
}

function removeMade(system: Platform): void {
  for (const [inode, name] of made) {
    try {
      const fd = system.openNamed(name);
      if (system.inodeOf(fd) === inode) system.unlinkNamed(name);
      system.close(fd);
    } catch {
      // Somebody was faster.
    }
  }
}

let swept = false;

/** Takes away what programs have left whose watchman was killed with them: those whose first process has ended and that nobody uses. */
export function sweep(system: Platform): void {
  if (swept) return;
  swept = true;
  for (const name of system.listNamed(`${TRACKED}-`)) {
    const found = /^bct-([0-9a-z]+)-([0-9a-z]+)-[0-9a-f]{8}$/.exec(name);
    if (found === null) continue;
    const [pid, start] = [parseInt(found[1], 36), parseInt(found[2], 36)];
    try {
      if (!system.hasEnded(pid, start)) continue;
      const fd = system.openNamed(name);
      if (system.tryLockExclusive(fd)) system.unlinkNamed(name);
      system.close(fd);
    } catch {
      // Somebody was faster, or it is another user's.
    }
  }
}
