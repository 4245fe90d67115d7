/**
 * The plainest way to have calls run over NATS JetStream with the client's own means: publish and wait for the server's word, take as
 * many messages as there is room for, publish the result, acknowledge; results by an ordered consumer. The task runs on the event loop
 * that speaks with the server. `nats_loop.ts URL CHUNK COUNT CONCURRENCY` prints microseconds for each number, a figure per round.
 */
import { connect } from "npm:@nats-io/transport-node@3.4.0";
import { headers } from "npm:@nats-io/nats-core@3.4.0";
import { jetstream, jetstreamManager, type JsMsg } from "npm:@nats-io/jetstream@3.4.0";
import { deserialize, serialize } from "node:v8";
import { takeTurns } from "../_measure.ts";
import { successor } from "../_nats_tasks.ts";

const [url, chunk, count, concurrency, role] = Deno.args;
const nc = await connect({ servers: url });
const js = jetstream(nc);

async function work(places: number): Promise<void> {
  const consumer = await js.consumers.get("loop_tasks", "workers");
  const run = async (msg: JsMsg) => {
    const numbers = deserialize(msg.data) as number[];
    const result = numbers.map(successor);
    await js.publish(msg.headers!.get("reply"), serialize(result));
    msg.ack();
  };
  let free = places;
  let wake = () => {};
  for (;;) {
    if (free === 0) await new Promise<void>((resolve) => wake = resolve);
    if (free < places / 2) await new Promise((resolve) => setTimeout(resolve, 1));
    const asked = free;
    free = 0;
    const messages = await consumer.fetch({ max_messages: asked, expires: 5000 });
    void (async () => {
      let got = 0;
      for await (const msg of messages) {
        got++;
        void run(msg).finally(() => {
          free++;
          wake();
        });
      }
      free += asked - got;
      wake();
    })();
  }
}

async function submit(): Promise<void> {
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: "loop_tasks", subjects: ["loop.task"], retention: "workqueue" });
  await jsm.streams.add({
    name: "loop_results",
    subjects: ["loop.res.>"],
    max_msgs_per_subject: 1,
  });
  await jsm.consumers.add("loop_tasks", { durable_name: "workers", ack_policy: "explicit" });
  const worker = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      import.meta.filename!,
      url,
      chunk,
      count,
      concurrency,
      "worker",
    ],
    stdout: "null",
  }).spawn();
  const waiting = new Map<string, (value: number[]) => void>();
  const results = await js.consumers.get("loop_results", { filter_subjects: "loop.res.>" });
  const messages = await results.consume({ max_messages: 500 });
  void (async () => {
    for await (const msg of messages) {
      waiting.get(msg.subject)?.(deserialize(msg.data) as number[]);
      waiting.delete(msg.subject);
    }
  })();
  let next = 0;
  const call = (numbers: number[]) => {
    const reply = `loop.res.${next++}`;
    const list = headers();
    list.set("reply", reply);
    const result = new Promise<number[]>((resolve) => waiting.set(reply, resolve));
    void js.publish("loop.task", serialize(numbers), { headers: list, msgID: reply });
    return result;
  };
  const numbers = Array.from({ length: Number(count) }, (_, n) => n);
  const [rounds] = await takeTurns([async () => {
    const start = performance.now();
    const sent: Promise<number[]>[] = [];
    for (let i = 0; i < numbers.length; i += Number(chunk)) {
      sent.push(call(numbers.slice(i, i + Number(chunk))));
    }
    let total = 0;
    for (const result of sent) for (const n of await result) total += n;
    if (total !== numbers.length * (numbers.length + 1) / 2) throw new Error("it lost some");
    return (performance.now() - start) * 1000 / numbers.length;
  }]);
  worker.kill("SIGKILL");
  for (const name of ["loop_tasks", "loop_results"]) await jsm.streams.delete(name);
  console.log(JSON.stringify(rounds));
  Deno.exit(0);
}

if (role === "worker") await work(Number(concurrency));
else await submit();
