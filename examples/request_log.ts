/**
 * A server whose log lines tell to which request they belong, in every function, after every `await`, and in the threads that work for it.
 *
 * The chapter's `contextvars`: nobody passes the request on, it is in the context.
 *
 *     deno run --allow-net --allow-read examples/request_log.ts
 *
 * @module
 */
import { ContextVar, copyContext } from "@batteries/concurrent/contextvars";
import { ThreadPoolExecutor } from "@batteries/concurrent/futures";
import { currentThread, mainThread } from "@batteries/concurrent/threading";

/** An exported variable is the same one in every thread. */
export const request = new ContextVar<string>("request", { default: "no request" });

function log(text: string): void {
  const where = currentThread() === mainThread() ? "main thread" : "pool";
  console.log(`[${request.get()}] ${where}: ${text}`);
}

/** Runs in a thread of the pool, in a copy of the context that it was submitted in. */
export function countWords(text: string): number {
  log("counting");
  return text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
}

async function handle(asked: Request, pool: ThreadPoolExecutor): Promise<Response> {
  log(`${asked.method} ${new URL(asked.url).pathname}`);
  const text = await asked.text();
  log(`has ${text.length} characters`);
  const words = await pool.submit(countWords, text);
  log(`has ${words} words`);
  return Response.json({ words });
}

/** Serves, and asks a question for each of these texts, all at once. Gives the answers. */
async function serveAndAsk(texts: Record<string, string>): Promise<Record<string, number>> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (asked) => {
    // A context of its own for each request: what it sets, no other sees.
    return copyContext().run(() => {
      request.set(asked.headers.get("x-request-id") ?? crypto.randomUUID());
      return handle(asked, pool);
    });
  });
  const ask = async ([name, body]: [string, string]): Promise<[string, number]> => {
    const answer = await fetch(`http://127.0.0.1:${server.addr.port}/words`, {
      method: "POST",
      headers: { "x-request-id": name },
      body,
    });
    return [name, (await answer.json()).words];
  };
  return Object.fromEntries(await Promise.all(Object.entries(texts).map(ask)));
}

if (import.meta.main) {
  const read = (name: string) => Deno.readTextFileSync(new URL(`../${name}`, import.meta.url));
  const names = ["README.md", "LICENSE", "docs/queue.md"];
  const answers = await serveAndAsk(Object.fromEntries(names.map((name) => [name, read(name)])));
  log(JSON.stringify(answers));
}
