import { Context } from "@batteries/concurrent/contextvars";
import { Condition, Lock, RLock } from "@batteries/concurrent/threading";
import { testCondition } from "../contracts/condition.ts";
import { testConditionFlows } from "../contracts/condition_flows.ts";
import { threads } from "./_world.ts";

testCondition(threads, {
  condition: (lock) => new Condition(lock as Lock | RLock | undefined),
  lock: () => new Lock(),
  rlock: () => new RLock(),
});
testConditionFlows(threads, () => new Condition(), (task) => new Context().run(task));
