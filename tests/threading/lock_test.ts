import { Lock } from "@batteries/concurrent/threading";
import { testLock } from "../contracts/lock.ts";
import { threads } from "./_world.ts";

testLock(threads, () => new Lock());
