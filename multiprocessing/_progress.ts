/**
 * The bar of `map(…, { progress: true })`.
 *
 * @module
 */
const WIDTH = 30;
/** Milliseconds between two drawings. */
const EVERY = 50;

/** How far a `map` has come. */
export interface Progress {
  /** Calls that have ended, failed ones included. */
  done: number;
  /** All calls, where that is known. */
  total?: number;
  /** Calls that have failed. */
  failed: number;
}

/** Draws a bar on standard error, when that is a terminal. */
export function progressBar(): ((progress: Progress) => void) | undefined {
  if (!Deno.stderr.isTerminal()) return undefined;
  const encoder = new TextEncoder();
  let drawn = -Infinity;
  return ({ done, total, failed }) => {
    const now = performance.now();
    const last = done === total;
    if (!last && now - drawn < EVERY) return;
    drawn = now;
    const full = total === undefined ? 0 : Math.round(WIDTH * done / Math.max(total, 1));
    const bar = total === undefined ? "" : `[${"#".repeat(full)}${"-".repeat(WIDTH - full)}] `;
    const of = total === undefined ? "" : `/${total}`;
    const bad = failed === 0 ? "" : `, ${failed} failed`;
    Deno.stderr.writeSync(encoder.encode(`\r${bar}${done}${of}${bad}${last ? "\n" : ""}`));
  };
}
