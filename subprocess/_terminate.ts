/**
 * Ending a child together with what it has started.
 *
 * The system knows no such thing as "a process and its descendants". The descendants are found by their parents' ids, and, where
 * the child leads a session of its own, by the session, in which also those remain whose parents have ended. A process that
 * is about to start another would slip away between looking and killing; so:
 *
 * 1. Everything that is found is stopped (SIGSTOP): it starts nothing more and does not end either.
 * 2. That is repeated until a look finds nothing new. What was started in the meantime has a stopped parent and is found.
 * 3. All get the signal, then SIGCONT, or a stopped one would keep the signal pending for ever. After SIGKILL, which a process
 *    does not survive but may outlast for a moment, they are waited for, up to 200 ms each.
 *
 * Not found: what has left the session by itself (a daemon) and whose parent has ended. One shell does all this with its own commands,
 * because Deno may read `/proc` and signal foreign processes only with more permissions than starting a program takes.
 *
 * @module
 */

import { demand, SHELL } from "./_wrapper.ts";

// $1: the signal's number; $2: the child; $3: 1 when the child still exists; $4: 1 when it leads a session.
export const SCRIPT: string = `
list() {
  if [ -r /proc/self/stat ]; then
    for f in /proc/[0-9]*/stat; do
      { read -r s <"$f"; } 2>/dev/null || continue
      set -- \${s##*) }
      [ "$1" = Z ] || echo "\${s%% *} $2 $4"
    done
  else
    ps -A -o pid= -o ppid= -o sess= 2>/dev/null
  fi
}
signal=$1; child=$2; alive=$3; session=$4; all=" "
[ "$alive" = 1 ] && all=" $child " && kill -STOP "$child" 2>/dev/null
more=1
while [ "$more" ]; do
  more=
  while read -r pid parent leader; do
    case $all in *" $pid "*) continue ;; esac
    [ "$pid" = $$ ] && continue
    case $all in
      *" $parent "*) ;;
      *) [ "$session" = 1 ] && [ "$leader" = "$child" ] || continue ;;
    esac
    kill -STOP "$pid" 2>/dev/null && all="$all$pid " && more=1
  done <<END
$(list)
END
done
for pid in $all; do kill "-$signal" "$pid" 2>/dev/null; done
if [ "$signal" = 9 ]; then
  for pid in $all; do
    [ "$pid" = "$child" ] || for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      { read -r s <"/proc/$pid/stat"; } 2>/dev/null || break
      case \${s##*) } in [ZX]*) break ;; esac
      sleep 0.01
    done
  done
else
  for pid in $all; do kill -CONT "$pid" 2>/dev/null; done
fi
exit 0`;

/** Which processes are meant. */
export interface Family {
  readonly pid: number;
  /** The child has not been collected. */
  readonly alive: boolean;
  /** It leads a session of its own. */
  readonly session: boolean;
}

/** The shell's arguments for it. */
export function familyArguments(signal: number, family: Family): string[] {
  return [
    "-c",
    SCRIPT,
    "sh",
    String(signal),
    String(family.pid),
    family.alive ? "1" : "0",
    family.session ? "1" : "0",
  ];
}

/** Refuses early, before a child is started that could not be ended with its descendants. */
export function demandDescendants(what: string): void {
  demand(Deno.build.os === "windows" ? "taskkill" : SHELL, what, "killDescendants");
}

/**
 * Sends the signal to the child and everything below it. On Windows all of them are ended, whatever the signal.
 *
 * @throws {Deno.errors.NotCapable} when the helper may not be run.
 */
export function signalFamily(signal: number, family: Family, what: string): void {
  demandDescendants(what);
  const [command, args] = Deno.build.os === "windows"
    ? ["taskkill", ["/T", "/F", "/PID", String(family.pid)]]
    : [SHELL, familyArguments(signal, family)];
  new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync();
}
