/**
 * Several pages are loaded at once and shown in the order in which they come: the first example of CPython's page on
 * `concurrent.futures`, with a server of its own instead of the internet.
 *
 *     deno run --allow-net --allow-read examples/load_urls.ts
 *
 * @module
 */
import { asCompleted, type Future, ThreadPoolExecutor } from "@batteries/concurrent/futures";

/** Loads one page, in a thread. */
export async function loadUrl(url: string, timeout: number): Promise<Uint8Array> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeout) });
  const page = new Uint8Array(await response.arrayBuffer());
  if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`);
  return page;
}

/** Serves the files of this project. */
function serve(): Deno.HttpServer<Deno.NetAddr> {
  const root = new URL("../", import.meta.url);
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  return Deno.serve(options, async (request) => {
    try {
      return new Response(await Deno.readFile(new URL(`.${new URL(request.url).pathname}`, root)));
    } catch {
      return new Response("not here", { status: 404 });
    }
  });
}

if (import.meta.main) {
  await using server = serve();
  const here = `http://127.0.0.1:${server.addr.port}`;
  const paths = ["/README.md", "/LICENSE", "/docs/queue.md", "/some-made-up-page"];

  // The `await using` block waits for all calls, and ends the threads.
  await using executor = new ThreadPoolExecutor({ maxWorkers: 3 });
  // Which page a future is for.
  const pageOf = new Map<unknown, string>();
  const futures: Future<Uint8Array>[] = paths.map((path) => {
    const future = executor.submit(loadUrl, here + path, 60_000);
    pageOf.set(future, path);
    return future;
  });
  for await (const future of asCompleted(futures)) {
    const path = pageOf.get(future);
    try {
      const page = await future.result();
      console.log(`${path} page is ${page.length} bytes`);
    } catch (error) {
      console.log(`${path} generated an exception: ${error}`);
    }
  }
}
