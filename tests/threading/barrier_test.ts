import { Barrier } from "@batteries/concurrent/threading";
import { testBarrier } from "../contracts/barrier.ts";
import { threads } from "./_world.ts";

testBarrier(threads, (parties, options) => new Barrier(parties, options));
