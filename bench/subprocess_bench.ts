/**
 * `subprocess` beside bare `Deno.Command`, execa and tinyexec.
 *
 * Each subject runs in a process of its own, seven times, the subjects taking turns; a figure is the median of the seven, and
 * the spread is from the least to the most. Ratios are taken within a turn, so that a busy machine hits both sides alike.
 *
 * deno run -A bench/subprocess_bench.ts
 *
 * @module
 */

import { figure, type Group, print, ROUNDS } from "./_measure.ts";

const STARTS = 200;
const GIGABYTE = 1 << 30;

/** What runs in a subject's process: gives its own figure. Imports happen before the clock starts. */
const subjects: Record<string, () => Promise<number>> = {
  "start: subprocess run": async () => {
    const { run } = await import("@batteries/concurrent/subprocess");
    return await each(() => run(["true"]));
  },
  "start: bare Deno.Command output()": () => each(() => new Deno.Command("true").output()),
  "start: execa": async () => {
    const { execa } = await import("npm:execa@9.6.0");
    return await each(() => execa("true"));
  },
  "start: tinyexec": async () => {
    const { x } = await import("npm:tinyexec@1.0.1");
    return await each(() => x("true"));
  },
  "start: subprocess runSync": async () => {
    const { runSync } = await import("@batteries/concurrent/subprocess");
    return await each(() => runSync(["true"]));
  },
  "start: bare Deno.Command outputSync()": () => each(() => new Deno.Command("true").outputSync()),

  "capture: subprocess run": async () => {
    const { run } = await import("@batteries/concurrent/subprocess");
    return await each(() => run(["echo", "hello"], { captureOutput: true, text: true }));
  },
  "capture: bare Deno.Command output()": () =>
    each(async () =>
      new TextDecoder().decode(
        (await new Deno.Command("echo", { args: ["hello"] }).output()).stdout,
      )
    ),

  "read 1 GB: subprocess Popen, for await": async () => {
    const { PIPE, Popen } = await import("@batteries/concurrent/subprocess");
    return await gigabyte(async () => {
      const child = new Popen(["head", "-c", String(GIGABYTE), "/dev/zero"], { stdout: PIPE });
      return await sizeOf(child.stdout!);
    });
  },
  "read 1 GB: bare Deno.Command, for await": () =>
    gigabyte(async () => {
      const child = new Deno.Command("head", {
        args: ["-c", String(GIGABYTE), "/dev/zero"],
        stdout: "piped",
      }).spawn();
      return await sizeOf(child.stdout);
    }),
  "write 1 GB: subprocess Popen": async () => {
    const { DEVNULL, PIPE, Popen } = await import("@batteries/concurrent/subprocess");
    return await gigabyte(async () => {
      const child = new Popen(["cat"], { stdin: PIPE, stdout: DEVNULL });
      const size = await fill(child.stdin!);
      await child.wait();
      return size;
    });
  },
  "write 1 GB: bare Deno.Command": () =>
    gigabyte(async () => {
      const child = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
      const size = await fill(child.stdin);
      await child.status;
      return size;
    }),
  "capture 256 MB: subprocess run": async () => {
    const { PIPE, run } = await import("@batteries/concurrent/subprocess");
    return await gigabyte(
      async () =>
        4 *
        (await run(["head", "-c", String(GIGABYTE / 4), "/dev/zero"], { stdout: PIPE })).stdout
          .length,
      4,
    );
  },
  "capture 256 MB: bare Deno.Command output()": () =>
    gigabyte(
      async () =>
        4 *
        (await new Deno.Command("head", { args: ["-c", String(GIGABYTE / 4), "/dev/zero"] })
          .output()).stdout.length,
      4,
    ),
  "pipe 1 GB: subprocess pipeline of two": async () => {
    const { PIPE, Popen } = await import("@batteries/concurrent/subprocess");
    return await gigabyte(async () => {
      const left = new Popen(["head", "-c", String(GIGABYTE), "/dev/zero"], { stdout: PIPE });
      const right = new Popen(["wc", "-c"], { stdin: left.stdout, stdout: PIPE, text: true });
      return Number((await right.communicate())[0]);
    });
  },
  "pipe 1 GB: bare Deno.Command, pipeTo": () =>
    gigabyte(async () => {
      const left = new Deno.Command("head", {
        args: ["-c", String(GIGABYTE), "/dev/zero"],
        stdout: "piped",
      }).spawn();
      const right = new Deno.Command("wc", { args: ["-c"], stdin: "piped", stdout: "piped" })
        .spawn();
      const [output] = await Promise.all([right.output(), left.stdout.pipeTo(right.stdin)]);
      return Number(new TextDecoder().decode(output.stdout));
    }),
};

/** Milliseconds for each of many. */
async function each(act: () => unknown): Promise<number> {
  for (let i = 0; i < 20; i++) await act();
  const start = performance.now();
  for (let i = 0; i < STARTS; i++) await act();
  return (performance.now() - start) / STARTS;
}

/** Gigabytes each second; `part` of a gigabyte is moved. */
async function gigabyte(act: () => Promise<number>, part = 1): Promise<number> {
  const start = performance.now();
  const size = await act();
  const seconds = (performance.now() - start) / 1000;
  if (size !== GIGABYTE) throw new Error(`Moved ${size} bytes`);
  return 1 / part / seconds;
}

async function sizeOf(stream: ReadableStream<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const piece of stream) size += piece.length;
  return size;
}

async function fill(stream: WritableStream<Uint8Array>): Promise<number> {
  const writer = stream.getWriter();
  const piece = new Uint8Array(1 << 16);
  for (let size = 0; size < GIGABYTE; size += piece.length) await writer.write(piece);
  await writer.close();
  return GIGABYTE;
}

/** What each group compares: ours first, then the others, with what ours must keep to. */
const groups: {
  group: string;
  unit: "ms" | "GB/s";
  ours: string;
  others: [name: string, target: number | undefined][];
}[] = [
  {
    group: 'run(["true"])',
    unit: "ms",
    ours: "start: subprocess run",
    others: [["start: bare Deno.Command output()", 1.1], ["start: execa", 1], [
      "start: tinyexec",
      1,
    ]],
  },
  {
    group: 'runSync(["true"])',
    unit: "ms",
    ours: "start: subprocess runSync",
    others: [["start: bare Deno.Command outputSync()", undefined]],
  },
  {
    group: "run with captured text",
    unit: "ms",
    ours: "capture: subprocess run",
    others: [["capture: bare Deno.Command output()", undefined]],
  },
  {
    group: "1 GB from a child",
    unit: "GB/s",
    ours: "read 1 GB: subprocess Popen, for await",
    others: [["read 1 GB: bare Deno.Command, for await", undefined]],
  },
  {
    group: "1 GB to a child",
    unit: "GB/s",
    ours: "write 1 GB: subprocess Popen",
    others: [["write 1 GB: bare Deno.Command", undefined]],
  },
  {
    group: "256 MB captured",
    unit: "GB/s",
    ours: "capture 256 MB: subprocess run",
    others: [["capture 256 MB: bare Deno.Command output()", undefined]],
  },
  {
    group: "1 GB from child to child",
    unit: "GB/s",
    ours: "pipe 1 GB: subprocess pipeline of two",
    others: [["pipe 1 GB: bare Deno.Command, pipeTo", undefined]],
  },
];

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const results: Group[] = [];
  for (const { group, unit, ours, others } of groups) {
    const names = [ours, ...others.map(([name]) => name)];
    const seen = new Map<string, number[]>(names.map((name) => [name, []]));
    for (let turn = 0; turn < ROUNDS; turn++) {
      // The first of a turn is another one each time.
      for (let i = 0; i < names.length; i++) {
        const name = names[(turn + i) % names.length];
        seen.get(name)!.push(await inProcess(name));
      }
    }
    const rows = names.map((name) => figure(plain(name), unit, seen.get(name)!));
    for (const [name, target] of others) {
      const ratios = seen.get(ours)!.map((value, turn) => value / seen.get(name)![turn]);
      const row = figure(`ours / ${plain(name)}`, "x", ratios);
      rows.push(
        target === undefined ? row : { ...row, target: `<= ${target}`, ok: row.value <= target },
      );
    }
    results.push({ group, rows });
  }
  return results;
}

function plain(name: string): string {
  return name.replace(/^.*?: /, "");
}

async function inProcess(name: string): Promise<number> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", import.meta.filename!, name],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`The subject ${name} failed`);
  return Number(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const [subject] = Deno.args;
  if (subject === undefined) print(await run());
  else console.log(await subjects[subject]());
}
