/** The flags of a command: `--name value`, each with a default. Whatever else stands there is refused. */
export function parseFlags<T extends Record<string, string>>(
  args: readonly string[],
  defaults: T,
): T {
  const flags: Record<string, string> = { ...defaults };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--/, "");
    const value = args[i + 1];
    if (!Object.hasOwn(defaults, name) || value === undefined) {
      throw new RangeError(
        `Cannot understand '${args[i]}': expected ${
          Object.keys(defaults).map((each) => `--${each} …`).join(", ")
        }`,
      );
    }
    flags[name] = value;
  }
  return flags as T;
}
