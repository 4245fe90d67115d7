/**
 * The package's logger: {@linkcode getLogger}, {@linkcode logToStderr}.
 *
 * @module
 */
import { change, settings } from "./_settings.ts";
import { whoAmI } from "./_self.ts";

/** How grave a message is; messages below the logger's level are dropped. */
export type LogLevel = "DEBUG" | "INFO" | "WARNING" | "ERROR";

const LEVELS: Record<LogLevel, number> = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40 };

/** The logger of this package; see {@linkcode getLogger}. */
export interface Logger {
  /** Logs what helps to find errors. */
  debug(message: string): void;
  /** Logs what happens in the normal course. */
  info(message: string): void;
  /** Logs what is not as it should be. */
  warning(message: string): void;
  /** Logs what went wrong. */
  error(message: string): void;
  /**
   * Sets the level below which messages are dropped.
   *
   * @throws {RangeError} When there is no such level.
   */
  setLevel(level: LogLevel): void;
}

/** Whether the user has said which level. */
let asked = false;

const logger: Logger = {
  debug: (message) => log("DEBUG", message),
  info: (message) => log("INFO", message),
  warning: (message) => log("WARNING", message),
  error: (message) => log("ERROR", message),
  setLevel(level) {
    if (!Object.hasOwn(LEVELS, level)) {
      throw new RangeError(
        `Cannot set the level to ${Deno.inspect(level)}: it must be one of ${
          Object.keys(LEVELS).join(", ")
        }`,
      );
    }
    asked = true;
    change({ level: LEVELS[level] });
  },
};

/** Logs a message of the library. */
export function log(level: LogLevel, message: string): void {
  const { toStderr, level: least = LEVELS.WARNING } = settings();
  // Without a handler, as in Python, only what is grave is shown, as it is.
  if (LEVELS[level] < (toStderr || asked ? least : LEVELS.WARNING)) return;
  if (!toStderr) return LEVELS[level] < LEVELS.WARNING ? undefined : write(`${message}\n`);
  write(`[${level}/${processName()}] ${message}\n`);
}

let processName: () => string = () => whoAmI().job?.name ?? "MainProcess";

/** Tells where the name of this process is to be had, once it can be changed. */
export function nameFrom(name: () => string): void {
  processName = name;
}

function write(text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch {
    // There is nobody to tell when standard error is closed.
  }
}

/**
 * The logger of this package. Nothing is logged before {@linkcode logToStderr} but warnings and errors.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.get_logger | multiprocessing.get_logger}.
 *
 * @example
 * ```ts
 * import { getLogger } from "@batteries/concurrent/multiprocessing";
 *
 * getLogger().setLevel("ERROR");
 * getLogger().info("nobody sees this");
 * ```
 */
export function getLogger(): Logger {
  return logger;
}

/**
 * Logs to standard error from now on, with the level and the name of the process: `[INFO/Process-1] …`. Processes that are started
 * later do the same.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.log_to_stderr | multiprocessing.log_to_stderr}.
 *
 * @param level Also sets the level.
 * @throws {RangeError} When there is no such level.
 * @returns The logger.
 */
export function logToStderr(level?: LogLevel): Logger {
  if (level !== undefined) logger.setLevel(level);
  change({ toStderr: true });
  return logger;
}
