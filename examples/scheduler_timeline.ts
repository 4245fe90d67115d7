/**
 * Several periodic jobs on one scheduler, drawn as a timeline.
 *
 * Shows fixed periods without drift (each job enters its next run at an absolute time), priorities among jobs of one moment, an
 * action that takes time and makes others late, one that cancels others, and a signal that ends the whole.
 *
 *     deno run examples/scheduler_timeline.ts
 *
 * @module
 */

import { type ScheduledEvent, Scheduler } from "@batteries/concurrent/sched";

/** A job: what it is called, when it begins, how often it comes and how long it takes, in milliseconds. */
interface Job {
  name: string;
  mark: string;
  priority: number;
  start: number;
  period: number;
  takes: number;
}

/** One run of a job, in milliseconds since the beginning. */
interface Run {
  job: Job;
  planned: number;
  began: number;
  ended: number;
}

const LENGTH = 2500;
const COLUMN = 50;

const JOBS: Job[] = [
  { name: "heartbeat", mark: "♥", priority: 1, start: 0, period: 250, takes: 0 },
  { name: "sample", mark: "•", priority: 2, start: 100, period: 100, takes: 0 },
  { name: "backup", mark: "█", priority: 3, start: 500, period: 750, takes: 200 },
  { name: "report", mark: "R", priority: 4, start: 1000, period: 500, takes: 0 },
];

/** Runs the jobs until {@linkcode LENGTH} has passed, and tells of each run as it ends. */
async function play(
  jobs: Job[],
  onRun: (runs: Run[]) => void,
): Promise<{ runs: Run[]; dropped: number }> {
  const scheduler = new Scheduler();
  const runs: Run[] = [];
  const next = new Map<Job, ScheduledEvent>();
  const zero = performance.now();
  const clock = () => performance.now() - zero;

  async function perform(job: Job, planned: number): Promise<void> {
    enter(job, planned + job.period);
    const began = clock();
    if (job.takes > 0) await new Promise((resolve) => setTimeout(resolve, job.takes));
    runs.push({ job, planned, began, ended: clock() });
    onRun(runs);
  }
  function enter(job: Job, time: number): void {
    next.set(job, scheduler.enterabs(zero + time, job.priority, perform, [job, time]));
  }

  for (const job of jobs) enter(job, job.start);
  const stop = new AbortController();
  // An event of its own takes the samples out of the queue; another one stops the rest.
  scheduler.enterabs(zero + LENGTH * 0.7, 0, () => scheduler.cancel(next.get(jobs[1])!));
  scheduler.enterabs(zero + LENGTH, 9, () => stop.abort());
  try {
    await scheduler.run({ signal: stop.signal });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return { runs, dropped: scheduler.queue.length };
}

/** The runs as one line per job; a dot marks a moment at which a late run should have begun. */
function draw(jobs: Job[], runs: Run[]): string[] {
  const columns = LENGTH / COLUMN + 1;
  const lines = jobs.map((job) => {
    const cells = new Array<string>(columns).fill(" ");
    const column = (ms: number) => Math.min(columns - 1, Math.round(ms / COLUMN));
    for (const { planned, began, ended } of runs.filter((run) => run.job === job)) {
      if (column(began) > column(planned)) cells[column(planned)] = "·";
      for (let at = column(began); at <= column(ended); at++) cells[at] = job.mark;
    }
    return `${job.name.padStart(10)} │${cells.join("")}│`;
  });
  const ruler = Array.from({ length: LENGTH / 500 + 1 }, (_, i) => `${i / 2}s`.padEnd(500 / COLUMN))
    .join("");
  return [...lines, `${" ".repeat(12)}${ruler.trimEnd()}`];
}

/** Plays the jobs; on a terminal the picture grows while they run. */
async function main(): Promise<void> {
  const live = Deno.stdout.isTerminal();
  const show = (runs: Run[]) => console.log(draw(JOBS, runs).join("\n"));
  if (live) show([]);
  const { runs, dropped } = await play(JOBS, (runs) => {
    if (!live) return;
    const up = `\x1b[${JOBS.length + 1}A`;
    console.log(up + draw(JOBS, runs).map((line) => `\x1b[2K${line}`).join("\n"));
  });
  if (!live) show(runs);
  const late = runs.toSorted((a, b) => (b.began - b.planned) - (a.began - a.planned))[0];
  console.log(
    `\n${runs.length} runs; the most late was ${late.job.name}, by ${
      Math.round(late.began - late.planned)
    } ms.`,
  );
  console.log(`Stopped by the signal with ${dropped} events still queued.`);
}

if (import.meta.main) await main();
