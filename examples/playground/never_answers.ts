/** Waits for what does not come. */

/** See above. */
export default function wait(): Promise<never> {
  setInterval(() => {}, 1000);
  return new Promise(() => {});
}
