/**
 * Which of the user's modules are calling, and which module the program began with.
 *
 * Needs no permission: the engine tells the URL of each frame. Relies on V8's `Error.prepareStackTrace`, which is put back before
 * anything else runs.
 *
 * @module
 */

interface CallSite {
  getScriptNameOrSourceURL(): string | null;
}

interface StackApi {
  prepareStackTrace?: ((error: unknown, frames: CallSite[]) => unknown) | undefined;
  stackTraceLimit: number;
  captureStackTrace(holder: object, below?: unknown): void;
}

/** The folders of this package whose frames are not the user's; tests and examples of the same repository are users. */
const ROOMS =
  /^(?:contextvars|threading|multiprocessing|futures|subprocess|sched|queue)\/|^mod\.ts$/;
const HOME = new URL("../../", import.meta.url).href;

let mainModule: string | undefined;

/** Tells the main module where the runtime does not: inside a worker. */
export function setMainModule(url: string | undefined): void {
  mainModule = url;
}

/** Whether the module is one of this library's own. */
export function isOurs(url: string): boolean {
  return url.startsWith(HOME) && ROOMS.test(url.slice(HOME.length));
}

/** URLs of the user's modules on the stack above `door`, nearest first, then the main module. */
export function callers(door: unknown): string[] {
  const urls = new Set<string>();
  for (const url of frames(door)) {
    if (!isOurs(url) && !/^(?:ext|node|internal):/.test(url) && URL.canParse(url)) urls.add(url);
  }
  const main = mainModule ?? mainOfRuntime();
  if (main !== undefined) urls.add(main);
  return [...urls];
}

function frames(door: unknown): string[] {
  const api = Error as unknown as StackApi;
  const { prepareStackTrace, stackTraceLimit } = api;
  const holder: { stack?: unknown } = {};
  try {
    api.prepareStackTrace = (_, sites) => sites.map((site) => site.getScriptNameOrSourceURL());
    api.stackTraceLimit = 50;
    api.captureStackTrace(holder, door);
    let found = holder.stack;
    if (Array.isArray(found) && found.length === 0) {
      // The door is not on the stack: it was left through an await.
      api.captureStackTrace(holder);
      found = holder.stack;
    }
    return Array.isArray(found) ? found.filter((url) => typeof url === "string") : [];
  } catch {
    return []; // Somebody froze Error: the main module remains.
  } finally {
    try {
      api.prepareStackTrace = prepareStackTrace;
      api.stackTraceLimit = stackTraceLimit;
    } catch {
      // Frozen: nothing was changed.
    }
  }
}

/** `Deno.mainModule` is undefined in workers, and once needed a permission. */
function mainOfRuntime(): string | undefined {
  try {
    return Deno.mainModule;
  } catch {
    return undefined;
  }
}
