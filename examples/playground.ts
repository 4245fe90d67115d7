/**
 * A playground: runs modules that nobody trusts, and survives what they try. Each gets 100 ms, 64 MiB and no permissions.
 *
 * The chapter's `ProcessPoolExecutor`, with what there is beyond Python: `permissions`, `memoryLimit`, `with({ timeout })`.
 *
 *     deno run -A examples/playground.ts [--timeout 100] [modules …]
 *
 * Without names it runs the modules of `examples/playground/`: a good one, a wrong one, and the usual attacks. How a module gets into a
 * process that may read nothing: as text. The function that is submitted, {@linkcode run}, is ours; it imports the text as a `data:` URL,
 * which takes no permission. This process never imports the module, and takes nothing from it but a short text.
 *
 * What is a boundary, and what is not
 * - Permissions are: Deno's runtime refuses every file, socket, program, environment variable and native library, in the child itself.
 * - Time is: the process is killed, whatever it does, and with it its workers.
 * - A process of its own for each module is, and an executor of its own: what it does to prototypes and globals ends with it, and so
 *   does the executor that it breaks.
 * - Closed standard output is: without permissions, nothing opens it again. What the engine says when a heap is full comes all the same.
 * - `memoryLimit` holds for each heap of JavaScript. Contents of `ArrayBuffer`s do not count, and each worker has a heap of its own: for
 *   100 ms a module may take more. The operating system's limits (cgroups) are for that, and against holes in the runtime itself.
 * - What {@linkcode run} does in the child is not: it shares a realm with the module, which can make it say anything. So its answer is
 *   a claim, and is printed as such.
 * - The answer's way back is: once a program has started a process with fewer permissions, it imports for values only modules that it has
 *   named itself.
 *
 * @module
 */
import { ProcessPoolExecutor } from "@batteries/concurrent/futures";

/** Characters that a module may print, and answer. */
const MOST = 80;

/** Runs first in each process: from here on nothing of what it prints comes anywhere. */
export function goSilent(): void {
  Deno.stdout.close();
  Deno.stderr.close();
}

/** Runs in a process without permissions: imports a module's text, calls its default export, tells what came of it. */
export async function run(source: string): Promise<string> {
  let said = "";
  const say = (...words: unknown[]) => {
    if (said.length <= MOST) said += `${words.join(" ")} `.slice(0, MOST);
  };
  globalThis.console = { ...console, log: say, info: say, warn: say, error: say, debug: say };
  const { default: main } = await import(
    `data:application/typescript;charset=utf-8,${encodeURIComponent(source)}`
  );
  const answer = JSON.stringify(await main());
  return `${said === "" ? "" : `said "${said.trim()}", `}gave ${answer}`;
}

/** Runs a module where it can do no harm. Says how it went, on one line. */
async function visit(source: string, timeout: number): Promise<string> {
  await using executor = new ProcessPoolExecutor({
    maxWorkers: 1,
    permissions: "none",
    memoryLimit: 64,
    initializer: goSilent,
  });
  try {
    return shortened(await executor.with({ timeout }).submit(run, source));
  } catch (error) {
    return `failed: ${shortened(String(error).split("\n")[0])}`;
  }
}

function shortened(text: string): string {
  return text.length <= 2 * MOST ? text : `${text.slice(0, 2 * MOST)}…`;
}

function modulesOf(folder: URL): URL[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => new URL(name, folder))
    .sort((a, b) => a.href < b.href ? -1 : 1);
}

if (import.meta.main) {
  const args = [...Deno.args];
  const timeout = args[0] === "--timeout" ? Number(args.splice(0, 2)[1]) : 100;
  const modules = args.length > 0
    ? args.map((path) => new URL(path, `file://${Deno.cwd()}/`))
    : modulesOf(new URL("playground/", import.meta.url));
  for (const url of modules) {
    const name = url.pathname.replace(/^.*\/|\.ts$/g, "");
    console.log(`${name.padEnd(20)} ${await visit(Deno.readTextFileSync(url), timeout)}`);
  }
}
