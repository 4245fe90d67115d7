/**
 * What a call is made of on its way to a worker.
 *
 * @module
 */
import { deposit, locate } from "../threading/_core/mod.ts";
import { mustBeCalled } from "./_terms.ts";

type AnyFunction = (...args: never[]) => unknown;

const deposits = new WeakMap<AnyFunction, number>();

/**
 * The number under which workers find the function.
 *
 * @throws {TypeError} when it is no function, or a class.
 * @throws {PicklingError} when it cannot travel.
 */
export function depositOf(fn: AnyFunction, door: AnyFunction): number {
  let key = deposits.get(fn);
  if (key === undefined) {
    mustBeCalled(fn, "submit");
    key = deposit(locate(fn as () => void, "submit", door as () => void));
    deposits.set(fn, key);
  }
  return key;
}

/** The task that this thread runs for a pool, and whose pool it is; zeros where it runs none. */
export const current: { task: number; pool: number; home: number } = { task: 0, pool: 0, home: 0 };
