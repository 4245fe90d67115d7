/**
 * The channel of the npm package `multithreading`, from one of its threads to another: nanoseconds per number, as a JSON array of
 * rounds. A round that does not end is left out.
 *
 * @module
 */
import { channel, move, spawn } from "npm:multithreading@0.3.52";

const COUNT = 5000;
const rounds: number[] = [];
for (let round = 0; round < 4; round++) {
  const [sender, receiver] = channel<number>(1000);
  const start = performance.now();
  const sending = spawn(move(sender), async (sender: { send(item: number): Promise<unknown> }) => {
    for (let i = 0; i < 5000; i++) await sender.send(i);
  });
  const receiving = spawn(move(receiver), async (receiver: { recv(): Promise<unknown> }) => {
    for (let i = 0; i < 5000; i++) await receiver.recv();
  });
  const ends = Promise.all([sending.join(), receiving.join()]);
  const hangs = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 10_000));
  const results = await Promise.race([ends, hangs]);
  if (results?.every(({ ok }) => ok)) rounds.push((performance.now() - start) * 1e6 / COUNT);
}
// The first starts its workers.
console.log(JSON.stringify(rounds.slice(1)));
Deno.exit(0);
