/**
 * Signal names and numbers, and what a child's end means as a return code.
 *
 * Deno reports a death by signal by name, and rejects `status` for the real-time signals, which it has no names for
 * (`Invalid signal: 40`). Both become Python's `-N` here.
 *
 * @module
 */

const LINUX = [
  ..."HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU"
    .split(" "),
  ..."URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(" "),
];
const BSD = [
  ..."HUP INT QUIT ILL TRAP ABRT EMT FPE KILL BUS SEGV SYS PIPE ALRM TERM URG STOP TSTP CONT CHLD TTIN TTOU"
    .split(" "),
  ..."IO XCPU XFSZ VTALRM PROF WINCH INFO USR1 USR2".split(" "),
];
const NAMES = Deno.build.os === "linux" || Deno.build.os === "android" ? LINUX : BSD;
const FIRST_REAL_TIME = 34;
const LAST_REAL_TIME = 64;

/** `"SIGKILL"` for 9, `"SIGRTMIN+6"` for 40; `undefined` when there is no such signal. */
export function signalName(signal: number): string | undefined {
  if (NAMES[signal - 1] !== undefined) return `SIG${NAMES[signal - 1]}`;
  if (NAMES !== LINUX || signal < FIRST_REAL_TIME || signal > LAST_REAL_TIME) return undefined;
  return signal === FIRST_REAL_TIME ? "SIGRTMIN" : `SIGRTMIN+${signal - FIRST_REAL_TIME}`;
}

/** 9 for `"SIGKILL"`; `undefined` when this platform has no such signal. */
export function signalNumber(name: string): number | undefined {
  const alias: Record<string, string> = {
    SIGIOT: "SIGABRT",
    SIGPOLL: "SIGIO",
    SIGUNUSED: "SIGSYS",
  };
  const at = NAMES.indexOf((alias[name] ?? name).replace(/^SIG/, ""));
  return at < 0 || !name.startsWith("SIG") ? undefined : at + 1;
}

/** The return code of a child whose `status` was fulfilled. */
export function returncodeOf(status: { code: number; signal: string | null }): number {
  if (status.signal === null) return status.code;
  // The code is 128 + N: right also for a signal that this file does not list.
  return -(signalNumber(status.signal) ?? status.code - 128);
}

/** The return code that hides in the error of a rejected `status`. */
export function returncodeOfError(error: unknown): number {
  const found = /Invalid signal: (\d+)/.exec(String(error));
  if (found === null) throw error;
  return -Number(found[1]);
}
