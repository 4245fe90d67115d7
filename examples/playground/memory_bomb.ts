/** Wants all memory there is. */

/** See above. */
export default function hoard(): never {
  const all: number[][] = [];
  for (;;) all.push(new Array(200_000).fill(all.length));
}
