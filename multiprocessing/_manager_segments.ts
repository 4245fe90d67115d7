/**
 * Which shared memory a manager has handed out: kept by its server, which frees it when it ends.
 *
 * @module
 */
import type { Desk } from "./_manager_server.ts";
import { SharedMemory } from "./shared_memory.ts";

/** See the head of this file. */
export class Segments implements Desk {
  readonly #names = new Set<string>();

  readonly services: ReadonlyMap<string, (args: unknown[]) => unknown> = new Map<
    string,
    (args: unknown[]) => unknown
  >([
    ["trackSegment", ([name]: unknown[]) => void this.#names.add(name as string)],
    ["listSegments", () => [...this.#names]],
  ]);

  constructor() {
    // Also when the program ends without a word.
    addEventListener("unload", () => this.close());
  }

  /** Frees them. */
  close(): void {
    for (const name of this.#names) {
      this.#names.delete(name);
      try {
        using segment = new SharedMemory({ name, track: false });
        segment.unlink();
      } catch (error) {
        // Somebody has unlinked it himself.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}
