/**
 * A worker of a crew that has a lane (`_crew_lane.ts`): what its process runs.
 *
 * @module
 */
import { Hand } from "./_crew_child.ts";
import { type Lane, type LaneHandle, reviveLane } from "./_crew_lane.ts";
import { listenTo, soon } from "./_crew_listen.ts";
import { paced } from "./_pace.ts";

/** Runs a worker. `text` is the handle of its lane, as JSON. */
export async function workInLane(text: string): Promise<void> {
  const lane = reviveLane(JSON.parse(text) as LaneHandle);
  const hasNews = () => !lane.in.isEmpty || lane.out.isFull && lane.out.hasRoom;
  const worker: Hand = new Hand({
    eager: true,
    say(reports) {
      lane.out.write(reports);
      if (lane.out.isFull) return drained(lane);
    },
    look() {
      lane.out.push();
      const letters = lane.in.take();
      if (letters !== undefined) worker.hear(letters);
    },
    soon: () => soon(lane.bell, hasNews),
    breathe: () => paced(undefined) as undefined | Promise<undefined>,
  });
  // That may be heard between two tasks.
  const giveUp = new AbortController();
  void worker.over.then(() => giveUp.abort());
  const { signal } = giveUp;
  while (!worker.isOver) {
    worker.look();
    if (!worker.isOver) {
      await listenTo(lane.bell, hasNews, { deadline: Infinity, signal }).catch(() => {});
    }
  }
  await drained(lane);
}

/** Waits until what did not fit is in the lane. */
async function drained({ out, bell }: Lane): Promise<void> {
  while (out.isFull) {
    // Whoever hears the bell first may have put it in, and what is left may be no room at all.
    await listenTo(bell, () => !out.isFull || out.hasRoom);
    out.push();
  }
}
