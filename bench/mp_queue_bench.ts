/**
 * Queues of `multiprocessing` from one process to another, beside CPython's `multiprocessing.Queue`. Nanoseconds per item, from the
 * moment both are ready until the last item has come. And there and back, which is two wake-ups.
 *
 * @module
 */
import { Process } from "@batteries/concurrent/multiprocessing";
import { Queue } from "../multiprocessing/queues.ts";
import { echo, type Kind, KINDS, produce } from "./_mp_queue_parties.ts";
import { beside, elsewhere, figure, type Group, print, type Row, takeTurns } from "./_measure.ts";

/** Items of one round. */
const COUNTS: Record<Kind, number> = {
  "number": 50_000,
  "object": 50_000,
  "64 KiB": 2000,
  "1 MiB": 200,
};
const ROUND_TRIPS = 2000;

type Form = "async" | "Sync";
const FORMS: readonly Form[] = ["Sync", "async"];

interface Subject {
  measure(): Promise<number>;
  end(): Promise<void>;
}

function oneWay(kind: Kind, form: Form, permissions: "inherit" | "none" = "inherit"): Subject {
  const [queue, gate] = [new Queue<unknown>(), new Queue<number>()];
  const process = new Process<unknown[]>({
    target: produce as (...args: unknown[]) => unknown,
    args: [queue, gate, kind, form],
    permissions,
  });
  process.start();
  const count = permissions === "none" ? COUNTS[kind] / 10 : COUNTS[kind];
  return {
    async measure() {
      const start = performance.now();
      await gate.put(count);
      if (form === "Sync") { for (let n = 0; n < count; n++) queue.getSync(); }
      else for (let n = 0; n < count; n++) await queue.get();
      return (performance.now() - start) * 1e6 / count;
    },
    async end() {
      await gate.put(0);
      await process.join();
    },
  };
}

function thereAndBack(form: Form): Subject {
  const [to, from] = [new Queue<unknown>(), new Queue<unknown>()];
  const process = new Process<unknown[]>({
    target: echo as (...args: unknown[]) => unknown,
    args: [to, from, form],
  });
  process.start();
  return {
    async measure() {
      const start = performance.now();
      for (let n = 0; n < ROUND_TRIPS; n++) {
        if (form === "Sync") {
          to.putSync(n);
          from.getSync();
        } else {
          await to.put(n);
          await from.get();
        }
      }
      return (performance.now() - start) * 1e6 / ROUND_TRIPS;
    },
    async end() {
      await to.put(null);
      await process.join();
    },
  };
}

async function figures(named: readonly (readonly [string, Subject])[]): Promise<Row[]> {
  const subjects = named.map(([, subject]) => subject);
  const rounds = await takeTurns(subjects.map(({ measure }) => measure));
  for (const subject of subjects) await subject.end();
  return named.map(([name], i) => figure(name, "ns", rounds[i]));
}

async function python(kind: Kind): Promise<Row | undefined> {
  const script = new URL("peers/python_mp_queue.py", import.meta.url).pathname;
  const rounds = await elsewhere("python3", [script, kind, String(COUNTS[kind])]);
  return rounds && figure("CPython: multiprocessing.Queue", "ns", rounds);
}

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const groups: Group[] = [];
  for (const kind of Object.keys(KINDS) as Kind[]) {
    let rows = await figures(FORMS.map((form) => [`Queue, ${form}`, oneWay(kind, form)] as const));
    const peer = await python(kind);
    if (peer !== undefined) {
      const target = kind === "number" || kind === "object" ? { atMost: 1 / 3 } : { atMost: 1 };
      rows = [...rows.map((row) => beside(row, peer, target)), peer];
    }
    if (kind === "number") {
      rows.push(
        ...await figures([
          ["Queue, served to a process without --allow-ffi", oneWay(kind, "async", "none")],
        ]),
      );
    }
    groups.push({ group: `multiprocessing.Queue: one process to another, ${kind}`, rows });
  }
  const rows = await figures(FORMS.map((form) => [`Queue, ${form}`, thereAndBack(form)] as const));
  groups.push({ group: "multiprocessing.Queue: there and back", rows });
  return groups;
}

if (import.meta.main) {
  print(await run());
  Deno.exit(0);
}
