/**
 * SharedMemory: what one process writes and another reads, beside the same two copies in plain memory of one process (the machine's
 * memory bandwidth) and beside CPython's; and what opening it costs.
 *
 * @module
 */
import { SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
import { beside, elsewhere, figure, type Group, print, ROUNDS, takeTurns } from "./_measure.ts";

const SIZE = 256 << 20;
const OPENINGS = 300;

/** The reader: for each line that comes, copies everything out of the memory of that name, then says a line. */
async function read(name: string): Promise<void> {
  using memory = new SharedMemory({ name });
  const own = new Uint8Array(SIZE).fill(1);
  const done = new TextEncoder().encode("\n");
  for await (const _line of Deno.stdin.readable) {
    own.set(memory.buf);
    if (own[SIZE - 1] !== own[0]) throw new Error("Not what was written");
    Deno.stdout.writeSync(done);
  }
}

/** Gigabytes per second of two copies. */
function rate(start: number): number {
  return 2 * SIZE / 1e6 / (performance.now() - start);
}

async function transfers(): Promise<Group> {
  using memory = new SharedMemory({ create: true, size: SIZE });
  const reader = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", import.meta.url, "read", memory.name],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const say = reader.stdin.getWriter();
  const hear = reader.stdout.getReader();
  const [from, through, to] = [0, 1, 2].map((byte) => new Uint8Array(SIZE).fill(byte));
  let byte = 0;
  const rounds = await takeTurns([
    async () => {
      from.fill(++byte);
      const start = performance.now();
      memory.buf.set(from);
      await say.write(new Uint8Array([10]));
      await hear.read();
      return rate(start);
    },
    () => {
      from.fill(++byte);
      const start = performance.now();
      through.set(from);
      to.set(through);
      return rate(start);
    },
  ]);
  await say.close();
  await hear.cancel();
  await reader.status;
  memory.unlink();
  const plain = figure("plain memory of one process", "GB/s", rounds[1]);
  const shared = figure("written by one process, read by another", "GB/s", rounds[0]);
  // Rates are better when larger; the table's ratios are value / floor.
  const ratio = shared.value / plain.value;
  const target = { floor: plain.value, ratio, target: ">= 0.9", ok: ratio >= 0.9 };
  const rows = [plain, { ...shared, ...target }];
  const python = await peer("copy");
  if (python !== undefined) {
    rows.push(figure("CPython: shared_memory, two processes", "GB/s", python));
  }
  return { group: "SharedMemory, 256 MiB copied in and copied out", rows };
}

async function openings(): Promise<Group> {
  using memory = new SharedMemory({ create: true, size: SIZE });
  const rounds = await takeTurns([() => {
    const start = performance.now();
    for (let i = 0; i < OPENINGS; i++) {
      const same = new SharedMemory({ name: memory.name });
      if (same.buf.length !== SIZE) throw new Error("Not what was created");
      same.close();
    }
    return (performance.now() - start) * 1000 / OPENINGS;
  }]);
  memory.unlink();
  const ours = figure("open and close", "us", rounds[0]);
  const python = await peer("open");
  if (python === undefined) return { group: "SharedMemory, 256 MiB", rows: [ours] };
  const theirs = figure("CPython: open and close", "us", python);
  return { group: "SharedMemory, 256 MiB", rows: [beside(ours, theirs), theirs] };
}

function peer(what: string): Promise<number[] | undefined> {
  const script = new URL("peers/python_shared_memory.py", import.meta.url).pathname;
  return elsewhere("python3", [script, what, `${SIZE}`, `${ROUNDS}`, `${OPENINGS}`]);
}

/** The figures of this benchmark. */
export async function run(): Promise<Group[]> {
  return [await transfers(), await openings()];
}

if (import.meta.main) {
  if (Deno.args[0] === "read") await read(Deno.args[1]);
  else print(await run());
}
