/** Wants to tell somebody. */

/** See above. */
export default async function tell(): Promise<string> {
  return await (await fetch("https://example.com/")).text();
}
