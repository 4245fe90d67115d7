import { Condition, Lock, RLock } from "@batteries/concurrent/threading";
import { testCondition } from "../contracts/condition.ts";
import { threads } from "./_world.ts";

testCondition(threads, {
  condition: (lock) => new Condition(lock as Lock | RLock | undefined),
  lock: () => new Lock(),
  rlock: () => new RLock(),
});
