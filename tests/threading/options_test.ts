import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
  Thread,
  TIMEOUT_MAX,
  type WaitOptions,
} from "@batteries/concurrent/threading";
import { assertEquals } from "@std/assert";
import { testOptions } from "../contracts/options.ts";
import { nothing } from "../fixtures/threading/sharing_parties.ts";
import { threads } from "./_world.ts";

const timeoutMax = TIMEOUT_MAX;

/** Options as a user who does not check types might give them. */
function any(options: unknown): WaitOptions {
  return options as WaitOptions;
}

const kinds: [string, () => Lock | RLock | Condition | Semaphore][] = [
  ["Lock", () => new Lock()],
  ["RLock", () => new RLock()],
  ["Condition", () => new Condition()],
  ["Semaphore", () => new Semaphore(1)],
  ["BoundedSemaphore", () => new BoundedSemaphore(1)],
];

for (const [name, make] of kinds) {
  /** Whether it is free. Looks without leaving a trace. */
  const isFree = (lock: ReturnType<typeof make>) => {
    if (!(lock instanceof Semaphore)) return !lock.locked();
    const free = lock.acquireSync({ timeout: 0 });
    if (free) lock.release();
    return free;
  };
  testOptions(threads, {
    name: `${name}.acquire`,
    make(form) {
      const lock = make();
      return {
        call: (options) =>
          form === "Sync" ? lock.acquireSync(any(options)) : lock.acquire(any(options)),
        look: () => isFree(lock),
        undo: () => lock.release(),
      };
    },
    gives: true,
    blocking: true,
    timeoutMax,
  });
  testOptions(threads, {
    name: `${name}.hold`,
    make(form) {
      const lock = make();
      let held: Disposable | undefined;
      const keep = (guard: Disposable) => held = guard;
      return {
        call: (options) =>
          form === "Sync" ? keep(lock.holdSync(any(options))) : lock.hold(any(options)).then(keep),
        look: () => isFree(lock),
        undo: () => held?.[Symbol.dispose](),
      };
    },
    blocking: false,
    timeoutMax,
  });
}

testOptions(threads, {
  name: "Event.wait",
  make(form) {
    const event = new Event();
    event.set();
    return {
      call: (options) => form === "Sync" ? event.waitSync(any(options)) : event.wait(any(options)),
      look: () => event.isSet(),
    };
  },
  gives: true,
  blocking: false,
  timeoutMax,
});

testOptions(threads, {
  name: "Condition.waitFor",
  make(form) {
    const lock = new Lock();
    lock.acquireSync();
    const condition = new Condition(lock);
    return {
      call: (options) =>
        form === "Sync"
          ? condition.waitForSync(() => 7, any(options))
          : condition.waitFor(() => 7, any(options)),
      look: () => lock.locked(),
    };
  },
  gives: 7,
  blocking: false,
  timeoutMax,
});

testOptions(threads, {
  name: "Barrier.wait",
  make(form) {
    const barrier = new Barrier(1);
    return {
      call: (options) =>
        form === "Sync" ? barrier.waitSync(any(options)) : barrier.wait(any(options)),
      look: () => [barrier.broken, barrier.nWaiting],
    };
  },
  gives: 0,
  blocking: false,
  timeoutMax,
});

testOptions(threads, {
  name: "Thread.join",
  make(form) {
    const thread = new Thread({ target: nothing });
    thread.start();
    thread.joinSync();
    return {
      call: (options) =>
        form === "Sync" ? thread.joinSync(any(options)) : thread.join(any(options)),
      look: () => thread.isAlive(),
    };
  },
  gives: undefined,
  blocking: false,
  timeoutMax,
});

Deno.test("threading Condition.wait: bad options are refused while the lock is held, and it stays held", async () => {
  const lock = new Lock();
  const condition = new Condition(lock);
  await lock.acquire();
  const behind = lock.acquire();
  for (
    const options of [{ timeout: NaN }, { timeout: "5" }, null, { signal: {} }, {
      timeout: Infinity,
    }]
  ) {
    const type = options !== null && typeof options.timeout === "number" ? RangeError : TypeError;
    let thrown: unknown;
    try {
      condition.waitSync(any(options));
    } catch (error) {
      thrown = error;
    }
    const rejected = await condition.wait(any(options)).catch((error) => error);
    assertEquals([thrown instanceof type, rejected instanceof type], [true, true]);
    assertEquals(lock.locked(), true);
  }
  lock.release();
  assertEquals(await behind, true);
  lock.release();
});

Deno.test("threading Condition.waitFor: a predicate that is none is refused, the lock stays held", async () => {
  const condition = new Condition();
  await condition.acquire();
  for (const predicate of [undefined, null, 5, "x", true]) {
    const rejected = await condition.waitFor(predicate as unknown as () => true)
      .catch((error) => error);
    assertEquals(rejected instanceof TypeError, true);
    assertEquals(condition.locked(), true);
  }
  condition.release();
});

Deno.test("threading Condition: a lock that is none is refused", () => {
  for (const lock of [null, 5, {}, new Semaphore(), "Lock", Lock]) {
    let thrown: unknown;
    try {
      new Condition(lock as unknown as Lock);
    } catch (error) {
      thrown = error;
    }
    assertEquals(thrown instanceof TypeError, true, Deno.inspect(lock));
  }
});
