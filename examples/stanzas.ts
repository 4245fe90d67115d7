/**
 * Several processes print on one terminal, line by line, and their lines do not mix.
 *
 * The chapter's "Synchronization between processes": a Lock. One of the processes is killed while it holds it: the next is told.
 *
 *     deno run -A examples/stanzas.ts
 *
 * @module
 */
import { Lock, Process } from "@batteries/concurrent/multiprocessing";

/** Prints a text, line by line, while nobody else does. */
export async function recite(lock: Lock, title: string, text: string, dies: boolean) {
  using _held = await lock.hold();
  if (lock.ownerDied()) console.log("(somebody was interrupted)");
  console.log(`-- ${title} --`);
  for (const line of text.split("\n")) {
    console.log(line);
    if (dies) Deno.kill(Deno.pid, "SIGKILL");
  }
}

if (import.meta.main) {
  const license = Deno.readTextFileSync(new URL("../LICENSE", import.meta.url));
  const lock = new Lock();
  const processes = license.trim().split("\n\n").map((paragraph, i) => {
    const args: Parameters<typeof recite> = [lock, `paragraph ${i + 1}`, paragraph, i === 2];
    return new Process({ target: recite, args });
  });
  for (const process of processes) process.start();
  for (const process of processes) await process.join();
  // The last one may have been the one that was killed.
  using _held = await lock.hold();
  if (lock.ownerDied()) console.log("(somebody was interrupted)");
}
