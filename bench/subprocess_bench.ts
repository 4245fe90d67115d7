/**
 * `subprocess` beside bare `Deno.Command`, execa and tinyexec (in Deno and in Node), and CPython.
 *
 * Each subject runs in a process of its own, seven times, the subjects taking turns; a figure is the median of the seven, and
 * the spread is from the least to the most. Ratios are taken within a turn, so that a busy machine hits both sides alike.
 *
 * The npm packages for Node are installed into a temporary folder, which is removed at the end. What cannot run here (no node, no npm,
 * no python3, no registry) is left out, and named on standard error.
 *
 * deno run -A bench/subprocess_bench.ts [word of a group's name …]
 *
 * @module
 */

import { figure, type Group, print, ROUNDS, type Row } from "./_measure.ts";

const STARTS = 200;
const GIBIBYTE = 1 << 30;
const MEBIBYTE = 1 << 20;
/** The same in Deno and in Node. The last of execa that runs in Node 20. */
const EXECA = "execa@9.6.0";
const TINYEXEC = "tinyexec@1.3.1";

/** What runs in a subject's process: gives its own figures. Imports happen before the clock starts. */
const subjects: Record<string, () => Promise<number | number[]>> = {
  "start: subprocess run": async () => {
    const { run } = await import("@batteries/concurrent/subprocess");
    return await each(() => run(["true"]));
  },
  "start: subprocess run and bare output(), call by call": async () => {
    const { run } = await import("@batteries/concurrent/subprocess");
    return await inTurns([() => run(["true"]), () => new Deno.Command("true").output()]);
  },
  "start: bare Deno.Command output()": () => each(() => new Deno.Command("true").output()),
  "start: execa in Deno": async () => {
    const { execa } = await import("npm:execa@9.6.0");
    return await each(() => execa("true"));
  },
  "start: tinyexec in Deno": async () => {
    const { x } = await import("npm:tinyexec@1.3.1");
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

  "capture: execa in Deno": async () => {
    const { execa } = await import("npm:execa@9.6.0");
    return await each(() => execa("echo", ["hello"]));
  },
  "capture: tinyexec in Deno": async () => {
    const { x } = await import("npm:tinyexec@1.3.1");
    return await each(() => x("echo", ["hello"]));
  },

  "read 1 GiB: Popen.stdout, BYOB reader": async () => {
    const { PIPE, Popen } = await import("@batteries/concurrent/subprocess");
    return await gibibyte(() => sizeInto(new Popen(zeros(GIBIBYTE), { stdout: PIPE }).stdout!));
  },
  "read 1 GiB: bare Deno.Command, BYOB reader": () =>
    gibibyte(() => {
      const [command, ...args] = zeros(GIBIBYTE);
      return sizeInto(new Deno.Command(command, { args, stdout: "piped" }).spawn().stdout);
    }),
  "read 1 GiB: Popen.communicate": async () => {
    const { PIPE, Popen } = await import("@batteries/concurrent/subprocess");
    return await gibibyte(async () => {
      const [out] = await new Popen(zeros(GIBIBYTE), { stdout: PIPE }).communicate();
      return out.length;
    });
  },
  "read 1 GiB: Popen.stdout, for await": async () => {
    const { PIPE, Popen } = await import("@batteries/concurrent/subprocess");
    return await gibibyte(() => sizeOf(new Popen(zeros(GIBIBYTE), { stdout: PIPE }).stdout!));
  },
  "read 1 GiB: bare Deno.Command, for await": () =>
    gibibyte(() => {
      const [command, ...args] = zeros(GIBIBYTE);
      return sizeOf(new Deno.Command(command, { args, stdout: "piped" }).spawn().stdout);
    }),
  "memory: Popen.stdout, BYOB reader": () => memory(sizeInto),
  "memory: Popen.stdout, for await": () => memory(sizeOf),
  "write 1 GiB: subprocess Popen": async () => {
    const { DEVNULL, PIPE, Popen } = await import("@batteries/concurrent/subprocess");
    return await gibibyte(async () => {
      const child = new Popen(["cat"], { stdin: PIPE, stdout: DEVNULL });
      const size = await fill(child.stdin!);
      await child.wait();
      return size;
    });
  },
  "write 1 GiB: bare Deno.Command": () =>
    gibibyte(async () => {
      const child = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
      const size = await fill(child.stdin);
      await child.status;
      return size;
    }),
  "capture 256 MiB: subprocess run": async () => {
    const { PIPE, run } = await import("@batteries/concurrent/subprocess");
    return await gibibyte(
      async () =>
        4 *
        (await run(["head", "-c", String(GIBIBYTE / 4), "/dev/zero"], { stdout: PIPE })).stdout
          .length,
      4,
    );
  },
  "capture 256 MiB: bare Deno.Command output()": () =>
    gibibyte(
      async () =>
        4 *
        (await new Deno.Command("head", { args: ["-c", String(GIBIBYTE / 4), "/dev/zero"] })
          .output()).stdout.length,
      4,
    ),
  "pipe 1 GiB: subprocess pipeline of two": async () => {
    const { PIPE, Popen } = await import("@batteries/concurrent/subprocess");
    return await gibibyte(async () => {
      const left = new Popen(["head", "-c", String(GIBIBYTE), "/dev/zero"], { stdout: PIPE });
      const right = new Popen(["wc", "-c"], { stdin: left.stdout, stdout: PIPE, text: true });
      return Number((await right.communicate())[0]);
    });
  },
  "pipe 1 GiB: bare Deno.Command, pipeTo": () =>
    gibibyte(async () => {
      const left = new Deno.Command("head", {
        args: ["-c", String(GIBIBYTE), "/dev/zero"],
        stdout: "piped",
      }).spawn();
      const right = new Deno.Command("wc", { args: ["-c"], stdin: "piped", stdout: "piped" })
        .spawn();
      const [output] = await Promise.all([right.output(), left.stdout.pipeTo(right.stdin)]);
      return Number(new TextDecoder().decode(output.stdout));
    }),
};

/** A program that writes so many bytes. */
function zeros(size: number): [string, ...string[]] {
  return ["head", "-c", String(size), "/dev/zero"];
}

/** Milliseconds for each of many. */
async function each(act: () => unknown): Promise<number> {
  for (let i = 0; i < 20; i++) await act();
  const start = performance.now();
  for (let i = 0; i < STARTS; i++) await act();
  return (performance.now() - start) / STARTS;
}

/** Milliseconds for each of many, of each kind: one of the first, one of the second, and so on. */
async function inTurns(acts: readonly (() => unknown)[]): Promise<number[]> {
  for (let i = 0; i < 20; i++) for (const act of acts) await act();
  const times = acts.map(() => 0);
  for (let i = 0; i < STARTS; i++) {
    for (const [which, act] of acts.entries()) {
      const start = performance.now();
      await act();
      times[which] += performance.now() - start;
    }
  }
  return times.map((time) => time / STARTS);
}

/** Gibibytes each second; `part` of a gibibyte is moved. */
async function gibibyte(act: () => Promise<number>, part = 1): Promise<number> {
  const start = performance.now();
  const size = await act();
  const seconds = (performance.now() - start) / 1000;
  if (size !== GIBIBYTE) throw new Error(`Moved ${size} bytes`);
  return 1 / part / seconds;
}

/** MiB that this process has in memory after 64 MiB of a child's output, and after the whole of 1 GiB. */
async function memory(read: typeof sizeOf): Promise<number[]> {
  const { PIPE, Popen } = await import("@batteries/concurrent/subprocess");
  const early: number[] = [];
  const size = await read(new Popen(zeros(GIBIBYTE), { stdout: PIPE }).stdout!, (size) => {
    if (size >= 64 * MEBIBYTE && early.length === 0) early.push(resident());
  });
  if (size !== GIBIBYTE) throw new Error(`Moved ${size} bytes`);
  return [...early, resident()];
}

function resident(): number {
  return Deno.memoryUsage().rss / MEBIBYTE;
}

async function sizeOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  seen?: (size: number) => void,
): Promise<number> {
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    seen?.(size);
  }
  return size;
}

/** The same, with one buffer for all pieces. */
async function sizeInto(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  seen?: (size: number) => void,
): Promise<number> {
  const reader = stream.getReader({ mode: "byob" });
  let size = 0;
  let view = new Uint8Array(1 << 16);
  for (;;) {
    const { value, done } = await reader.read(view);
    if (done) return size;
    size += value.length;
    seen?.(size);
    view = new Uint8Array(value.buffer);
  }
}

async function fill(stream: WritableStream<Uint8Array>): Promise<number> {
  const writer = stream.getWriter();
  const piece = new Uint8Array(1 << 16);
  for (let size = 0; size < GIBIBYTE; size += piece.length) await writer.write(piece);
  await writer.close();
  return GIBIBYTE;
}

/** What ours, divided by the other, must keep to. */
interface Goal {
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly below?: number;
  readonly above?: number;
}

const FASTER: Goal = { below: 1 };
const MORE: Goal = { above: 1 };

/** What each group compares: ours with the others. */
const groups: {
  group: string;
  unit: "ms" | "GiB/s";
  ours: string;
  others: [name: string, goal?: Goal][];
}[] = [
  {
    group: 'run(["true"])',
    unit: "ms",
    ours: "start: subprocess run",
    others: [
      ["start: bare Deno.Command output()", { atMost: 1.1 }],
      ["start: execa in Deno", FASTER],
      ["start: tinyexec in Deno", FASTER],
      ["start: execa in Node", FASTER],
      ["start: tinyexec in Node", FASTER],
    ],
  },
  {
    group: "run with captured text",
    unit: "ms",
    ours: "capture: subprocess run",
    others: [
      ["capture: bare Deno.Command output()"],
      ["capture: execa in Deno", FASTER],
      ["capture: tinyexec in Deno", FASTER],
      ["capture: execa in Node", FASTER],
      ["capture: tinyexec in Node", FASTER],
    ],
  },
  {
    group: 'runSync(["true"])',
    unit: "ms",
    ours: "start: subprocess runSync",
    others: [["start: bare Deno.Command outputSync()"]],
  },
  {
    group: "1 GiB from a child, BYOB reader",
    unit: "GiB/s",
    ours: "read 1 GiB: Popen.stdout, BYOB reader",
    others: [
      ["read 1 GiB: bare Deno.Command, BYOB reader", { atLeast: 0.9 }],
      ["read 1 GiB: CPython communicate", MORE],
    ],
  },
  {
    group: "1 GiB from a child, for await",
    unit: "GiB/s",
    ours: "read 1 GiB: Popen.stdout, for await",
    others: [
      ["read 1 GiB: bare Deno.Command, BYOB reader", { atLeast: 0.9 }],
      ["read 1 GiB: bare Deno.Command, for await"],
      ["read 1 GiB: CPython communicate", MORE],
    ],
  },
  {
    group: "1 GiB captured",
    unit: "GiB/s",
    ours: "read 1 GiB: Popen.communicate",
    others: [["read 1 GiB: CPython communicate", MORE]],
  },
  {
    group: "256 MiB captured",
    unit: "GiB/s",
    ours: "capture 256 MiB: subprocess run",
    others: [["capture 256 MiB: bare Deno.Command output()"]],
  },
  {
    group: "1 GiB to a child",
    unit: "GiB/s",
    ours: "write 1 GiB: subprocess Popen",
    others: [["write 1 GiB: bare Deno.Command"]],
  },
  {
    group: "1 GiB from child to child",
    unit: "GiB/s",
    ours: "pipe 1 GiB: subprocess pipeline of two",
    others: [["pipe 1 GiB: bare Deno.Command, pipeTo"]],
  },
];

const IN_TURNS = 'run(["true"]) and bare output(), call by call';
const MEMORIES = "Memory of the process that reads 1 GiB";

/** Where memory is looked at. */
const MEMORY = ["memory: Popen.stdout, BYOB reader", "memory: Popen.stdout, for await"];
/** What the last figure divided by the first may be at most. Had the output stayed in memory, it would be more than ten. */
const GROWTH = 1.1;

/** Subjects that are other programs; `undefined` for what cannot run here. */
type Programs = Readonly<Record<string, readonly [string, ...string[]] | undefined>>;

/** Runs the benchmark; with words, only the groups that have one of them in their name. */
export async function run(words: readonly string[] = []): Promise<Group[]> {
  const wanted = (group: string) => words.length === 0 || words.some((it) => group.includes(it));
  const folder = Deno.makeTempDirSync();
  try {
    const programs = await others(folder);
    const results: Group[] = [];
    for (const { group, unit, ours, others } of groups) {
      if (!wanted(group)) continue;
      const here = others.filter(([name]) => !(name in programs) || programs[name] !== undefined);
      const names = [ours, ...here.map(([name]) => name)];
      const seen = await turns(names, programs);
      const rows = names.map((name) => figure(plain(name), unit, seen.get(name)!.map(([x]) => x)));
      for (const [name, goal] of here) {
        const ratios = seen.get(ours)!.map(([value], turn) => value / seen.get(name)![turn][0]);
        rows.push(judged(figure(`ours / ${plain(name)}`, "x", ratios), goal));
      }
      results.push({ group, rows });
    }
    if (wanted(IN_TURNS)) results.push(await startsInTurns());
    if (wanted(MEMORIES)) results.push(await memories());
    return results;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The two in one process: a start takes so little that one process is slower than the next by more than what is looked for. */
async function startsInTurns(): Promise<Group> {
  const name = "start: subprocess run and bare output(), call by call";
  const rounds = (await turns([name], {})).get(name)!;
  const rows = [
    figure("subprocess run", "ms", rounds.map(([ours]) => ours)),
    figure("bare Deno.Command output()", "ms", rounds.map(([_, bare]) => bare)),
    judged(figure("ours / bare Deno.Command output()", "x", rounds.map(([a, b]) => a / b)), {
      atMost: 1.1,
    }),
  ];
  return { group: IN_TURNS, rows };
}

async function memories(): Promise<Group> {
  const seen = await turns(MEMORY, {});
  const rows = MEMORY.flatMap((name) => {
    const rounds = seen.get(name)!;
    return [
      figure(`${plain(name)}: after 64 MiB`, "MiB", rounds.map(([early]) => early)),
      figure(`${plain(name)}: after 1 GiB`, "MiB", rounds.map(([_, late]) => late)),
      judged(figure("the second / the first", "x", rounds.map(([early, late]) => late / early)), {
        atMost: GROWTH,
      }),
    ];
  });
  return { group: MEMORIES, rows };
}

function judged(row: Row, goal: Goal = {}): Row {
  const { value } = row;
  if (goal.atMost !== undefined) {
    return { ...row, target: `<= ${goal.atMost}`, ok: value <= goal.atMost };
  }
  if (goal.atLeast !== undefined) {
    return { ...row, target: `>= ${goal.atLeast}`, ok: value >= goal.atLeast };
  }
  if (goal.below !== undefined) {
    return { ...row, target: `< ${goal.below}`, ok: value < goal.below };
  }
  if (goal.above !== undefined) {
    return { ...row, target: `> ${goal.above}`, ok: value > goal.above };
  }
  return row;
}

/** The rounds of each subject; the first of a turn is another one each time. */
async function turns(
  names: readonly string[],
  programs: Programs,
): Promise<Map<string, number[][]>> {
  const seen = new Map<string, number[][]>(names.map((name) => [name, []]));
  for (let turn = 0; turn < ROUNDS; turn++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(turn + i) % names.length];
      seen.get(name)!.push(await figuresOf(name, programs[name] ?? ourselves(name)));
    }
  }
  return seen;
}

function plain(name: string): string {
  return name.replace(/^.*?: /, "");
}

function ourselves(name: string): [string, ...string[]] {
  return [Deno.execPath(), "run", "-A", "--no-check", "--quiet", import.meta.filename!, name];
}

async function figuresOf(name: string, [program, ...args]: readonly string[]): Promise<number[]> {
  const command = new Deno.Command(program, { args, stderr: "inherit" });
  const { stdout, success, signal } = await command.output();
  if (!success) throw new Error(`The subject ${name} failed${signal ? ` with ${signal}` : ""}`);
  return [JSON.parse(new TextDecoder().decode(stdout))].flat();
}

/** The subjects that are no Deno of this library's. Each is tried once. */
async function others(folder: string): Promise<Programs> {
  const peer = (name: string) => new URL(`peers/${name}`, import.meta.url);
  const script = `${folder}/subprocess_start.mjs`;
  Deno.copyFileSync(peer("subprocess_start.mjs"), script);
  const installed = await succeeds("npm", ["install", "--prefix", folder, EXECA, TINYEXEC]);
  const programs: Record<string, [string, ...string[]] | undefined> = {};
  for (const name of ["execa", "tinyexec"]) {
    for (const [what, command] of [["start", ["true"]], ["capture", ["echo", "hello"]]] as const) {
      const inNode = ["node", script, name, ...command] as const;
      programs[`${what}: ${name} in Node`] = installed ? [...inNode] : undefined;
      programs[`${what}: ${name} in Deno`] = ourselves(`${what}: ${name} in Deno`);
    }
  }
  programs["read 1 GiB: CPython communicate"] = ["python3", peer("python_communicate.py").pathname];
  for (const [name, command] of Object.entries(programs)) {
    if (command !== undefined && await succeeds(command[0], command.slice(1))) continue;
    programs[name] = undefined;
    console.error(`Left out, does not run here: ${name}`);
  }
  return programs;
}

async function succeeds(program: string, args: string[]): Promise<boolean> {
  try {
    const options = { args, stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command(program, options).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

if (import.meta.main) {
  const [subject] = Deno.args;
  if (subject === undefined || !(subject in subjects)) print(await run(Deno.args));
  else console.log(JSON.stringify(await subjects[subject]()));
}
