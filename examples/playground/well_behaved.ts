/** Does what it should: counts, tells about it and gives a result. */

/** The average of some numbers. */
export default async function averageOf(): Promise<number> {
  const numbers: number[] = await Promise.resolve([2, 4, 9]);
  console.log(`averaging ${numbers.length} numbers`);
  return numbers.reduce((sum, n) => sum + n) / numbers.length;
}
