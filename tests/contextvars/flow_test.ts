import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { nextTick } from "node:process";
import { Context, ContextVar, copyContext } from "@batteries/concurrent/contextvars";

const variable = new ContextVar("flow", { default: "default" });

/** Runs `body` as a task: in a copy of the current context, to the end of its promise. */
function task<T>(body: () => Promise<T>): Promise<T> {
  return copyContext().run(body);
}

Deno.test("await: what an async callee sets is seen by its caller, before and after the callee's first await", () =>
  task(async () => {
    const early = async () => {
      variable.set("early");
      await Promise.resolve();
    };
    const late = async () => {
      await Promise.resolve();
      variable.set("late");
    };
    await early();
    assertEquals(variable.get(), "early");
    await late();
    assertEquals(variable.get(), "late");
  }));

Deno.test("await: a task's values are its own, whatever others set between its steps", async () => {
  const { promise: set1, resolve: tell1 } = Promise.withResolvers<void>();
  const { promise: set2, resolve: tell2 } = Promise.withResolvers<void>();
  await Promise.all([
    task(async () => {
      assertEquals(variable.get(), "default");
      variable.set("B");
      tell1();
      await set2;
      assertEquals(variable.get(), "B");
    }),
    task(async () => {
      await set1;
      assertEquals(variable.get(), "default");
      variable.set("C");
      tell2();
      await Promise.resolve();
      assertEquals(variable.get(), "C");
    }),
  ]);
  assertEquals(variable.get(), "default");
});

Deno.test("await: a hundred tasks that take turns at random each keep their own value", async () => {
  const results = await Promise.all(Array.from({ length: 100 }, (_, n) =>
    task(async () => {
      for (let i = 0; i < 20; i++) {
        variable.set(`${n}.${i}`);
        if ((n * 7 + i * 13) % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
        else for (let k = 0; k < (n + i) % 5; k++) await null;
        assertEquals(variable.get(), `${n}.${i}`);
      }
      return n;
    })));
  assertEquals(results, Array.from({ length: 100 }, (_, n) => n));
  assertEquals(variable.get(), "default");
});

/** Every way to have a callback called later. Each calls its argument once. */
const later: Record<string, (callback: () => void) => void> = {
  setTimeout: (callback) => void setTimeout(callback, 1),
  setInterval: (callback) => {
    const id = setInterval(() => {
      clearInterval(id);
      callback();
    }, 1);
  },
  setImmediate: (callback) => void setImmediate(callback),
  queueMicrotask: (callback) => queueMicrotask(callback),
  nextTick: (callback) => nextTick(callback),
  "Promise.then": (callback) => void Promise.resolve().then(callback),
  "Promise.finally": (callback) => void Promise.resolve().finally(callback),
  "an operation of the runtime": (callback) => void Deno.lstat(".").then(callback),
};

for (const [name, schedule] of Object.entries(later)) {
  Deno.test(`${name}: the callback runs in the context it was left in, and shares it`, async () => {
    const context = new Context();
    const { promise, resolve } = Promise.withResolvers<string>();
    context.run(() => {
      variable.set("when scheduled");
      schedule(() => {
        resolve(variable.get());
        variable.set("by the callback");
      });
      variable.set("when it left");
    });
    assertEquals(variable.get(), "default");
    assertEquals(await promise, "when it left");
    assertEquals(context.get(variable), "by the callback");
    assertEquals(variable.get(), "default");
  });
}

Deno.test("a rejected promise: its handlers run in the context they were attached in", async () => {
  const [maker, handler] = [new Context(), new Context()];
  const failing = maker.run(async () => {
    variable.set("maker");
    await Promise.resolve();
    throw new Error("planned");
  });
  const seen = handler.run(() => {
    variable.set("handler");
    return failing.catch(() => variable.get());
  });
  assertEquals(await seen, "handler");
  await assertRejects(() => failing, Error, "planned");
});

Deno.test("EventTarget: a listener runs in the context of whoever dispatches", () => {
  const target = new EventTarget();
  const seen: string[] = [];
  new Context().run(() => {
    variable.set("listener");
    target.addEventListener("ping", () => seen.push(variable.get()));
  });
  new Context().run(() => {
    variable.set("dispatcher");
    target.dispatchEvent(new Event("ping"));
  });
  assertEquals(seen, ["dispatcher"]);
});

Deno.test("a generator: each step runs in the context of whoever asks for it", () => {
  function* values(): Generator<string> {
    while (true) yield variable.get();
  }
  new Context().run(() => {
    const generator = values();
    assertEquals(generator.next().value, "default");
    variable.set("outer");
    assertEquals(generator.next().value, "outer");
    copyContext().run(() => {
      variable.set("inner");
      assertEquals(generator.next().value, "inner");
    });
    assertEquals(generator.next().value, "outer");
  });
});

Deno.test("a generator: what a step sets is set in the context of whoever asked", () => {
  function* setter(): Generator<void> {
    for (let i = 0;; i++) yield void variable.set(`step ${i}`);
  }
  const generator = setter();
  const [first, second] = [new Context(), new Context()];
  first.run(() => generator.next());
  second.run(() => generator.next());
  assertEquals([first.get(variable), second.get(variable)], ["step 0", "step 1"]);
});

Deno.test("an async generator: shares the context of the flow that iterates over it", () =>
  task(async () => {
    async function* steps(): AsyncGenerator<string> {
      await Promise.resolve();
      yield variable.get();
      await Promise.resolve();
      assertEquals(variable.get(), "set by the loop");
      await Promise.resolve();
      variable.set("set by the generator");
    }
    for await (const seen of steps()) {
      assertEquals(seen, "default");
      variable.set("set by the loop");
    }
    assertEquals(variable.get(), "set by the generator");
  }));

Deno.test("await using: the disposer runs in the flow that leaves the block", () =>
  task(async () => {
    const seen: string[] = [];
    {
      await using _resource = {
        async [Symbol.asyncDispose]() {
          await Promise.resolve();
          seen.push(variable.get());
        },
      };
      variable.set("in the block");
    }
    assertEquals(seen, ["in the block"]);
  }));

Deno.test("Token: a using block in an async function resets after the awaits in it", () =>
  task(async () => {
    const seen: string[] = [];
    const body = async (value: string) => {
      using _token = variable.set(value);
      await Promise.resolve();
      seen.push(variable.get());
    };
    await body("one");
    await body("two");
    assertEquals(seen, ["one", "two"]);
    assertEquals(variable.get(), "default");
  }));

Deno.test("Context.run: tasks started in one context share it", async () => {
  const context = new Context();
  const add = async (text: string) => {
    await Promise.resolve();
    variable.set(variable.get() + text);
  };
  await Promise.all([context.run(add, " a"), context.run(add, " b")]);
  assertEquals(context.get(variable), "default a b");
});

Deno.test("ContextVar: outside of any context, values live in the thread's own", async () => {
  const own = new ContextVar<string>("own");
  const token = own.set("root");
  try {
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(own.get(), "root");
    assertEquals(copyContext().get(own), "root");
    assertEquals(new Context().run(() => own.get(null)), null);
  } finally {
    own.reset(token);
  }
  assertEquals(own.get(null), null);
});

Deno.test("ContextVar: a worker has a root context of its own", async () => {
  variable.set("main");
  using _worker = {
    worker: new Worker(new URL("../fixtures/contextvars_worker.ts", import.meta.url), {
      type: "module",
    }),
    [Symbol.dispose]() {
      this.worker.terminate();
    },
  };
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  _worker.worker.onmessage = ({ data }) => resolve(data);
  _worker.worker.onerror = (event) => reject(event.error ?? new Error(event.message));
  _worker.worker.postMessage("go");
  assertEquals(await promise, { first: "unset", later: "set there", size: 1 });
  assertEquals(variable.get(), "main");
});

Deno.test("Context: keeps no value alive that was reset, replaced or whose context is gone", async () => {
  const collect = await garbageCollector();
  const held = new ContextVar<object | null>("held", { default: null });
  const refs: WeakRef<object>[] = [];
  const make = () => {
    const value = { big: new Uint8Array(1024) };
    refs.push(new WeakRef(value));
    return value;
  };
  const kept = new Context();
  // In a function of its own, so that no register of this one holds a value.
  (() => {
    kept.run(() => {
      const token = held.set(make());
      held.get();
      held.reset(token);
      held.set(make());
      held.get();
      held.set(null);
    });
    new Context().run(() => {
      held.set(make());
      held.get();
    });
  })();
  await new Promise((resolve) => setTimeout(resolve, 0));
  collect();
  assertEquals(refs.map((ref) => ref.deref()), [undefined, undefined, undefined]);
  assertStrictEquals(kept.get(held), null);
  assert(kept.has(held));
});

async function garbageCollector(): Promise<() => void> {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
