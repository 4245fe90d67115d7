/** Never ends, and lets nothing else run. */

/** See above. */
export default function spin(): never {
  for (;;);
}
