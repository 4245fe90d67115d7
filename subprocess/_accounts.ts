/**
 * Users and groups by name or number.
 *
 * @module
 */

import { demand } from "./_wrapper.ts";

/** The number of a user; a name is looked up by the program `id`. */
export function userId(user: number | string, name: string, what: string): number {
  return typeof user === "number"
    ? checked(user, name, what)
    : byName(user, name, what, ["id", "-u", user]);
}

/** The number of a group; a name is looked up by the program `getent`. */
export function groupId(group: number | string, name: string, what: string): number {
  return typeof group === "number"
    ? checked(group, name, what)
    : byName(group, name, what, ["getent", "group", group]);
}

function checked(id: number, name: string, what: string): number {
  unixOnly(name, what);
  if (!Number.isInteger(id) || id < 0 || id > 0xffff_fffe) {
    throw new RangeError(`Cannot call ${what}: ${name} must be an id (0 or more), got ${id}`);
  }
  return id;
}

function byName(account: string, name: string, what: string, ask: string[]): number {
  if (typeof account !== "string") {
    throw new TypeError(
      `Cannot call ${what}: ${name} must be an id or a name, got ${typeof account}`,
    );
  }
  unixOnly(name, what);
  const unknown = new RangeError(
    `Cannot call ${what}: ${name}: there is no such account as '${account}'`,
  );
  // The helpers would take a number for an id and an option for an option.
  if (!/^[A-Za-z_][^\s:,\0]*$/.test(account)) throw unknown;
  demand(ask[0], what, `looking up the ${name} '${account}'`);
  let said: string;
  try {
    const { success, stdout } = new Deno.Command(ask[0], { args: ask.slice(1), stderr: "null" })
      .outputSync();
    if (!success) throw unknown;
    said = new TextDecoder().decode(stdout).trim();
  } catch (cause) {
    if (cause === unknown) throw unknown;
    throw new Deno.errors.NotSupported(
      `Cannot call ${what}: looking up the ${name} '${account}' needs the program ${
        ask[0]
      }; give its number`,
      { cause },
    );
  }
  return Number(ask[0] === "id" ? said : said.split(":")[2]);
}

function unixOnly(name: string, what: string): void {
  if (Deno.build.os === "windows") {
    throw new RangeError(`Cannot call ${what}: ${name} is not possible on Windows`);
  }
}
