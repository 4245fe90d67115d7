import { Context } from "@batteries/concurrent/contextvars";
import { RLock } from "@batteries/concurrent/threading";
import { testRLock } from "../contracts/rlock.ts";
import { threads } from "./_world.ts";

testRLock(threads, () => new RLock(), (task) => new Context().run(task));
