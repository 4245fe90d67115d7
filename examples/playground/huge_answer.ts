/** Answers at a length that would fill its reader's memory. */

/** See above. */
export default function chatter(): string {
  return "blah ".repeat(2_000_000);
}
