/** The contract of executors on `NatsExecutor`: one server and two worker processes for all of its tests. */
import { executorContract, TASKS } from "../contracts/executor.ts";
import { NatsExecutor } from "@batteries/concurrent/nats";
import { Server, skip, WorkerProcess } from "./_cluster.ts";

let url = "";
if (skip === undefined) {
  // Not in a test: they outlive each of them.
  const server = await Server.start();
  url = server.url;
  const workers: WorkerProcess[] = [];
  for (const concurrency of [1, 2]) {
    const args = ["--name", `of-${concurrency}`];
    workers.push(
      await WorkerProcess.start({ servers: url, args, concurrency, tasks: { tasks: TASKS } }),
    );
  }
  addEventListener("unload", () => {
    for (const worker of workers) worker.kill();
    server.drop();
  });
}

executorContract(
  "NatsExecutor",
  ({ maxWorkers }) =>
    new NatsExecutor({ servers: url, name: `of-${maxWorkers}`, tasks: { tasks: TASKS } }),
  { blocks: false, initializers: false, skip },
);
