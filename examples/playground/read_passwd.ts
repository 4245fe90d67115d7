/** Wants to know what is none of its business. */

/** See above. */
export default function peek(): string {
  return Deno.readTextFileSync("/etc/passwd");
}
