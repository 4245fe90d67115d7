/** Not malicious, just wrong. */

/** Trips over nothing. */
export default function lengthOfNothing(): number {
  return (undefined as unknown as string).length;
}
