/**
 * Context variables: values that follow one flow of work through `await`, timers, microtasks and callbacks, instead of being
 * shared by the whole program. Stands for Python's `contextvars`.
 *
 * | name | what it is |
 * | --- | --- |
 * | {@linkcode ContextVar} | a variable with one value per context |
 * | {@linkcode Token} | takes one `set` back, by `reset` or at the end of a `using` block |
 * | {@linkcode Context} | the values; `run` gives a call, with all that it starts, a context of its own |
 * | {@linkcode copyContext} | copies the current context |
 *
 * A plain async call shares its caller's context: what it sets is seen after `await`. `copyContext().run(asyncFunction)` is a task
 * of its own: what it sets stays inside. Threads of `threading` start in a copy of their creator's context.
 *
 * Needs no permissions.
 *
 * @example One value per request
 * ```ts
 * import { ContextVar, copyContext } from "@batteries/concurrent/contextvars";
 * import { assertEquals } from "@std/assert";
 *
 * const requestId = new ContextVar<number>("requestId");
 * const log: string[] = [];
 * const note = (text: string) => log.push(`${requestId.get()} ${text}`);
 *
 * async function handle(id: number): Promise<void> {
 *   using _token = requestId.set(id);
 *   note("begin");
 *   await Promise.resolve();
 *   note("end");
 * }
 *
 * await Promise.all([1, 2].map((id) => copyContext().run(handle, id)));
 * assertEquals(log, ["1 begin", "2 begin", "1 end", "2 end"]);
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/contextvars.html}
 *
 * @module
 */

export { Context, copyContext } from "./context.ts";
export { ContextVar, type ContextVarOptions, Token } from "./context_var.ts";
export { LookupError, ThreadError } from "./errors.ts";
