/**
 * Processes that keep something and answer questions about it: each has an index of the words of one folder. All are asked at once, and
 * answer when they can.
 *
 * The chapter's `Pipe`, and `connection.wait`, which tells who has something to say.
 *
 *     deno run -A examples/index_server.ts [WORD]
 *
 * @module
 */
import { EOFError, Pipe, Process } from "@batteries/concurrent/multiprocessing";
import { type Connection, wait } from "@batteries/concurrent/multiprocessing/connection";

/** A word is asked, the files that have it are answered. */
type Message = string | string[];

/** Reads all files of a folder, then answers until nobody can ask any more. */
export async function serve(folder: string, end: Connection<Message>): Promise<void> {
  const index = new Map<string, Set<string>>();
  for (const { name, isFile } of Deno.readDirSync(new URL(folder))) {
    if (!isFile) continue;
    for (const word of Deno.readTextFileSync(new URL(name, folder)).match(/\w+/g) ?? []) {
      index.getOrInsertComputed(word, () => new Set<string>()).add(name);
    }
  }
  try {
    for (;;) await end.send([...index.get(await end.recv() as string) ?? []].sort());
  } catch (error) {
    if (!(error instanceof EOFError)) throw error;
  }
}

/** The files of these folders that have a word. */
export async function find(word: string, folders: string[]): Promise<Record<string, string[]>> {
  await using stack = new AsyncDisposableStack();
  const folderOf = new Map<Connection<Message>, string>();
  const processes: Process[] = [];
  for (const folder of folders) {
    const [here, there] = Pipe<Message>();
    const url = new URL(`../${folder}/`, import.meta.url);
    const args: Parameters<typeof serve> = [url.href, there];
    processes.push(stack.use(new Process({ target: serve, args, name: folder })));
    processes.at(-1)!.start();
    // The child has its own; were this one open, the child would never see the end.
    there.close();
    folderOf.set(stack.use(here), folder);
  }

  const found: Record<string, string[]> = {};
  for (const here of folderOf.keys()) await here.send(word);
  while (folderOf.size > 0) {
    for (const here of await wait(folderOf.keys())) {
      found[folderOf.get(here)!] = await here.recv() as string[];
      folderOf.delete(here);
      here.close();
    }
  }
  for (const process of processes) await process.join();
  return found;
}

if (import.meta.main) {
  const word = Deno.args[0] ?? "SharedArrayBuffer";
  const folders = ["contextvars", "queue", "sched", "threading"];
  const found = await find(word, folders);
  for (const folder of folders) console.log(`${folder}: ${found[folder].join(", ") || "-"}`);
}
