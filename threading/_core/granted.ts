/**
 * What this program may do. Looks only: using what is not granted would ask the user at a terminal, in the middle of the program's own
 * output, and nothing in this library does that.
 *
 * @module
 */

/** The kinds of permission that Deno knows. */
export const KINDS = ["read", "write", "net", "env", "sys", "run", "ffi", "import"] as const;

/** One of them. */
export type Kind = typeof KINDS[number];

/** Whether it is granted. */
export function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/** Whether the whole of a kind is, without exceptions. */
export function isWhollyGranted(name: Kind): boolean {
  const { state, partial } = Deno.permissions.querySync({ name } as Deno.PermissionDescriptor);
  return state === "granted" && !partial;
}

/** Whether everything is, which Deno wants to see before it opens what the system tells of processes. */
export function isAllGranted(): boolean {
  return KINDS.every(isWhollyGranted);
}

/**
 * Refuses what is not granted as Deno does where it cannot ask.
 *
 * @throws {Deno.errors.NotCapable} For the first that is missing.
 */
export function mustBeGranted(permissions: readonly Deno.PermissionDescriptor[]): void {
  const missing = permissions.find((permission) => !isGranted(permission));
  if (missing === undefined) return;
  const { name, ...rest } = missing;
  const [which] = Object.values(rest);
  throw new Deno.errors.NotCapable(
    `Requires ${name} access${
      which === undefined ? "" : ` to "${which}"`
    }, run again with the --allow-${name} flag`,
  );
}
