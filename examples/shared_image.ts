/**
 * Several processes draw one picture, the Mandelbrot set, in the same memory: nothing is sent but the name of the memory.
 *
 * The chapter's `shared_memory.SharedMemory`.
 *
 *     deno run -A examples/shared_image.ts [FILE.pgm]
 *
 * @module
 */
import { Process, Value } from "@batteries/concurrent/multiprocessing";
import { SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
import type { Synchronized } from "@batteries/concurrent/multiprocessing/sharedctypes";

export const WIDTH = 600;
export const HEIGHT = 400;
const LIMIT = 255;

/** The grey of one point. */
function shade(x: number, y: number): number {
  const re = x / WIDTH * 3 - 2.1;
  const im = y / HEIGHT * 2 - 1;
  let [a, b] = [0, 0];
  for (let n = 0; n < LIMIT; n++) {
    const [aa, bb] = [a * a, b * b];
    if (aa + bb > 4) return n;
    b = 2 * a * b + im;
    a = aa - bb + re;
  }
  return LIMIT;
}

/** Draws one row into a picture. */
export function drawRow(picture: Uint8Array, y: number): void {
  for (let x = 0; x < WIDTH; x++) picture[y * WIDTH + x] = shade(x, y);
}

/** What each process does: opens the picture by its name, and takes one row after another that nobody has. */
export function draw(name: string, next: Synchronized<number>): void {
  using memory = new SharedMemory({ name });
  for (;;) {
    let y: number;
    {
      using _held = next.holdSync();
      y = next.value++;
    }
    if (y >= HEIGHT) return;
    drawRow(memory.buf, y);
  }
}

/** Draws the picture with some processes. */
export async function drawAll(processes: number): Promise<Uint8Array> {
  using memory = new SharedMemory({ create: true, size: WIDTH * HEIGHT });
  try {
    const next = Value("i", 0);
    const all = Array.from(
      { length: processes },
      () => new Process({ target: draw, args: [memory.name, next] }),
    );
    for (const process of all) process.start();
    for (const process of all) await process.join();
    // A copy: the memory itself goes away.
    return memory.buf.slice(0, WIDTH * HEIGHT);
  } finally {
    memory.unlink();
  }
}

if (import.meta.main) {
  const picture = await drawAll(3);
  for (let y = 10; y < HEIGHT; y += 20) {
    const row = picture.subarray(y * WIDTH, (y + 1) * WIDTH);
    console.log(
      Array.from({ length: 60 }, (_, x) => " .:-=+*#%@"[Math.min(9, row[x * 10] >> 2)]).join("")
        .trimEnd(),
    );
  }
  if (Deno.args[0] !== undefined) {
    const header = new TextEncoder().encode(`P5 ${WIDTH} ${HEIGHT} 255\n`);
    await Deno.writeFile(Deno.args[0], new Blob([header, picture.slice()]).stream());
  }
}
