/** What a child does that is only measured. */
export function nothing(): void {}
