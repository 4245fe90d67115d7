/** `Pool` of `dummy`: the contract of pools. */

import { Event, Pool } from "@batteries/concurrent/multiprocessing/dummy";
import { testPool } from "../contracts/pool.ts";

testPool({
  name: "dummy.Pool",
  make: (options) => Pool(options),
  event: () => new Event(),
  stops: false,
});
