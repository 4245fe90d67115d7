/**
 * Why a child could not be started, in words that tell the reasons apart.
 *
 * The system says "no such file" for a missing program, a missing working directory and a script whose interpreter is missing alike.
 * What is asked here afterwards only chooses the words and the class; the child was not started in any case.
 *
 * @module
 */

import { lookUp, mayRun, SHELL } from "./_wrapper.ts";

/** What was to be started. */
export interface Attempt {
  readonly program: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly changesUser: boolean;
}

/**
 * The error to throw for the error of `Deno.Command`. It has the class that Deno gives such errors (`Deno.errors.NotFound`,
 * `PermissionDenied`, `NotADirectory`, `NotCapable`), its `code`, the path in question as `path`, and the original as `cause`.
 */
export function explain(error: unknown, attempt: Attempt): unknown {
  if (!(error instanceof Error)) return error;
  const { program, cwd } = attempt;
  const start = `Cannot start '${program}'`;
  const name = error.name;
  if (name === "NotCapable") {
    return made(
      Deno.errors.NotCapable,
      `${start}: this program may not run it; start Deno with --allow-run or --allow-run=${program} (${error.message})`,
      program,
      error,
    );
  }
  if (cwd !== undefined) {
    const trouble = troubleWith(cwd, error);
    if (trouble === "missing") {
      return made(
        Deno.errors.NotFound,
        `${start}: the working directory '${cwd}' does not exist`,
        cwd,
        error,
      );
    }
    if (trouble === "file") {
      return made(
        Deno.errors.NotADirectory,
        `${start}: the working directory '${cwd}' is not a directory`,
        cwd,
        error,
      );
    }
    if (trouble === "forbidden") {
      return made(
        Deno.errors.PermissionDenied,
        `${start}: the working directory '${cwd}' may not be entered`,
        cwd,
        error,
      );
    }
  }
  if (name === "NotFound") {
    const found = mayRun(SHELL) ? lookUp(program, attempt) : "missing";
    if (found === "forbidden") {
      return made(Deno.errors.PermissionDenied, `${start}: ${FORBIDDEN}`, program, error);
    }
    const why = found === "found"
      ? "the interpreter that its first line names does not exist"
      : cwd !== undefined && !mayRun(SHELL)
      ? `there is no such program, or its working directory '${cwd}' does not exist`
      : program.includes("/")
      ? "there is no such file"
      : "there is no such program in PATH";
    return made(Deno.errors.NotFound, `${start}: ${why}`, program, error);
  }
  if (name === "PermissionDenied") {
    return made(
      Deno.errors.PermissionDenied,
      attempt.changesUser && error.message.includes("os error 1)")
        ? `${start}: this process may not change to that user or group`
        : attempt.changesUser
        ? `${start}: that user or group may not execute the file, or may not enter the working directory '${
          cwd ?? Deno.cwd()
        }'`
        : `${start}: ${FORBIDDEN}`,
      program,
      error,
    );
  }
  if (name === "NotADirectory") {
    return made(
      Deno.errors.NotADirectory,
      `${start}: a part of its path is not a directory`,
      program,
      error,
    );
  }
  const code = (error as { code?: string }).code;
  const advice = code === "E2BIG"
    ? "the arguments and the environment are longer than the system takes"
    : code === "EMFILE" || code === "ENFILE"
    ? "too many descriptors are open"
    : code === "EBADF"
    ? "a descriptor given for stdin, stdout or stderr is not open"
    : error.message;
  return made(Error, `${start}: ${advice}`, program, error);
}

/** The error for a program that the look-up before a wrapper did not find. */
export function notStartable(found: "missing" | "forbidden", attempt: Attempt): unknown {
  const cause = found === "missing"
    ? Object.assign(new Deno.errors.NotFound("entity not found"), { code: "ENOENT" })
    : Object.assign(new Deno.errors.PermissionDenied("Permission denied (os error 13)"), {
      code: "EACCES",
    });
  return explain(cause, attempt);
}

const FORBIDDEN = "the file may not be executed (it lacks execute permission, or is a directory)";

/** Deno names the working directory only in `spawn()`: starting what cannot exist makes it say so. */
function troubleWith(cwd: string, error: Error): "missing" | "file" | "forbidden" | undefined {
  let said = error.message;
  const silent = !said.includes("cwd");
  if (silent) {
    try {
      new Deno.Command(`/${crypto.randomUUID()}`, { cwd, stdin: "null" }).spawn();
    } catch (probe) {
      said = (probe as Error).message;
    }
  }
  if (said.includes("No such cwd")) return "missing";
  if (said.includes("cwd is not a directory") || said.includes("Not a directory")) return "file";
  return silent && said.includes("Permission denied") ? "forbidden" : undefined;
}

function made(
  errorClass: new (message: string, options?: ErrorOptions) => Error,
  message: string,
  path: string,
  cause: Error,
): Error {
  const error = new errorClass(message, { cause });
  const code = (cause as { code?: string }).code;
  return Object.assign(error, { path }, code === undefined ? {} : { code });
}
