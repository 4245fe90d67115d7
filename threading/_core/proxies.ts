/**
 * Tells a `Proxy` from what it stands for. The language offers no way, structured clone refuses every `Proxy`, and looking at one
 * runs its owner's code.
 *
 * Relies on: `Deno.core.isProxy` (18 ns), which is the runtime's own and not promised; without it, on `node:util`, whose first touch
 * costs some 12 ms; without both, a `Proxy` is taken for its target and refused by the transport.
 *
 * @module
 */

type Test = (value: unknown) => boolean;

/** Whether `value` is a `Proxy`. */
export const isProxy: Test = (value) => test(value);

let test: Test = (value) => {
  test = find();
  return test(value);
};

function find(): Test {
  const deno = Deno as unknown as Record<symbol, { core?: { isProxy?: Test } } | undefined> & {
    internal?: symbol;
  };
  const own = deno.internal === undefined ? undefined : deno[deno.internal]?.core?.isProxy;
  if (typeof own === "function" && own(new Proxy({}, {})) === true && own({}) === false) return own;
  const { process } = globalThis as unknown as {
    process?: { getBuiltinModule?(name: string): { types: { isProxy: Test } } | undefined };
  };
  return process?.getBuiltinModule?.("node:util")?.types.isProxy ?? (() => false);
}
