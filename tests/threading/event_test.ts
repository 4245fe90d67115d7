import { Event } from "@batteries/concurrent/threading";
import { testEvent } from "../contracts/event.ts";
import { threads } from "./_world.ts";

testEvent(threads, () => new Event());
