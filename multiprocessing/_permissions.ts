/**
 * Which permissions a child gets: those of this process, or fewer; never more.
 *
 * Guarantees
 * - Nothing here asks for a permission.
 * - A child gets only what this process could use at the time of the call: each item of what the user asks for is looked up. What
 *   cannot be looked up is not given: this process may have been given a list (of folders, say), which Deno does not tell. A child of
 *   this library knows its own list and hands it on.
 * - A kind that was granted with exceptions (`--allow-read --deny-read=secret`) counts as a list.
 *
 * @module
 */
import { isAllGranted, isWhollyGranted, type Kind, KINDS } from "../threading/_core/granted.ts";
import { beWary } from "../threading/_core/trust.ts";
import { startsRestricted } from "./_restricted.ts";
import { whoAmI } from "./_self.ts";

/** What a child may do: as its parent, nothing, or a part. */
export type Permissions = "inherit" | "none" | Deno.PermissionOptionsObject;

/** For the command line of a child. */
export interface Grant {
  readonly flags: readonly string[];
  /** The flags without what is lent: what the child may hand on. */
  readonly own: readonly string[];
  /** What it must have to get its link; taken back afterwards. */
  readonly lent: readonly Deno.PermissionDescriptor[];
}

/**
 * Checks the shape of what the user wants, and takes note that there will be a process with fewer of them.
 *
 * @throws {TypeError} when it has not the shape of `permissions`.
 */
export function checkPermissions(wanted: unknown): asserts wanted is Permissions {
  if (wanted === "inherit") return;
  beWary();
  if (wanted === "none") return startsRestricted();
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) {
    throw new TypeError(
      `Cannot set permissions: they must be "inherit", "none" or an object such as { read: ["data"] }, got ${
        typeof wanted === "string" ? `"${wanted}"` : Deno.inspect(wanted)
      }`,
    );
  }
  for (const [kind, value] of Object.entries(wanted)) {
    if (!(KINDS as readonly string[]).includes(kind)) {
      throw new TypeError(
        `Cannot set permissions: there is no kind '${kind}', only ${KINDS.join(", ")}`,
      );
    }
    const fits = value === undefined || typeof value === "boolean" || value === "inherit" ||
      Array.isArray(value) &&
        value.every((item) => typeof item === "string" || item instanceof URL);
    if (!fits) {
      throw new TypeError(
        `Cannot set permissions: ${kind} must be true, false, "inherit" or a list of strings, got ${
          Deno.inspect(value)
        }`,
      );
    }
  }
  const { ffi } = wanted as Deno.PermissionOptionsObject;
  if (ffi !== true && ffi !== "inherit") startsRestricted();
}

/**
 * The flags for a child that may do what is wanted, and what it needs beside them to get its link in `folder`.
 *
 * @throws {Deno.errors.NotCapable} when this process may not do all of it itself.
 * @throws {TypeError} when an item cannot be written on a command line.
 */
export function grantFor(wanted: Permissions, folder: string, who: string): Grant {
  const flags = flagsFor(wanted, who);
  if (flags.includes("-A")) return { flags, own: flags, lent: [] };
  const link = `unix:${folder}/link`;
  const lent: Deno.PermissionDescriptor[] = [];
  const lists: Record<string, string[]> = {};
  const lend = (kind: "read" | "write" | "net", item: string, is: Deno.PermissionDescriptor) => {
    if (flags.includes(`--allow-${kind}`)) return;
    lent.push(is);
    lists[kind] = [item];
  };
  lend("read", folder, { name: "read", path: folder });
  lend("write", folder, { name: "write", path: folder });
  lend("net", link, { name: "net", host: link });
  return { flags: merge(flags, lists), own: flags, lent };
}

function flagsFor(wanted: Permissions, who: string): string[] {
  if (wanted === "none") return [];
  if (wanted === "inherit") return inherited();
  const flags = KINDS.flatMap((kind) => flagsOf(kind, wanted[kind], who));
  return KINDS.every((kind) => flags.includes(`--allow-${kind}`)) ? ["-A"] : flags;
}

/** The flags of a child that may do what this process may. */
export function inherited(): string[] {
  const { job } = whoAmI();
  if (job !== undefined) {
    // It may have given back a part meanwhile.
    return job.permissions.filter((flag) => flag !== "-A" || isAllGranted());
  }
  if (isAllGranted()) return ["-A"];
  return KINDS.filter(isWhollyGranted).map((kind) => `--allow-${kind}`);
}

function flagsOf(
  kind: Kind,
  value: boolean | "inherit" | (string | URL)[] | undefined,
  who: string,
): string[] {
  if (value === undefined || value === false) return [];
  if (value === "inherit") {
    const flags = inherited();
    if (flags.includes("-A")) return [`--allow-${kind}`];
    return flags.filter((flag) => new RegExp(`^--(allow|deny)-${kind}(=|$)`).test(flag));
  }
  if (value === true) {
    if (isWhollyGranted(kind)) return [`--allow-${kind}`];
    throw refused(who, kind, undefined);
  }
  if (value.length === 0) return [];
  const items = value.map((item) => {
    const { text, descriptor } = itemOf(kind, item);
    if (text.includes(",")) {
      throw new TypeError(
        `Cannot start ${who} with permissions for ${kind} of ${text}: it has a comma, which Deno's command line cannot express; name the folder that it is in, or rename it`,
      );
    }
    const { state, partial } = Deno.permissions.querySync(descriptor);
    if (state !== "granted" || partial) throw refused(who, kind, text);
    return text;
  });
  return [`--allow-${kind}=${items.join(",")}`];
}

/** One item of a list: as the command line has it, and as Deno looks it up. */
function itemOf(
  kind: Kind,
  item: string | URL,
): { text: string; descriptor: Deno.PermissionDescriptor } {
  switch (kind) {
    case "read":
    case "write":
    case "ffi": {
      const path = pathOf(item);
      return { text: path, descriptor: { name: kind, path } };
    }
    case "run": {
      const command = item instanceof URL ? pathOf(item) : item;
      return { text: command, descriptor: { name: kind, command } };
    }
    case "env":
      return { text: String(item), descriptor: { name: kind, variable: String(item) } };
    case "sys":
      return {
        text: String(item),
        descriptor: { name: kind, kind: String(item) as Deno.SysPermissionDescriptor["kind"] },
      };
    case "net":
    case "import":
      return {
        text: String(item),
        descriptor: { name: kind, host: String(item) } as Deno.PermissionDescriptor,
      };
  }
}

function pathOf(item: string | URL): string {
  if (item instanceof URL || item.startsWith("file:")) {
    return decodeURIComponent(new URL(item).pathname);
  }
  return item.startsWith("/") ? item : `${Deno.cwd()}/${item}`;
}

/** Adds items to the lists that the flags have already. */
function merge(flags: readonly string[], lists: Record<string, string[]>): string[] {
  const left = { ...lists };
  const merged = flags.map((flag) => {
    const [, kind, items] = /^--allow-(\w+)=(.*)$/s.exec(flag) ?? [];
    if (kind === undefined || left[kind] === undefined) return flag;
    const more = left[kind];
    delete left[kind];
    return `--allow-${kind}=${[items, ...more].join(",")}`;
  });
  for (const [kind, items] of Object.entries(left)) {
    merged.push(`--allow-${kind}=${items.join(",")}`);
  }
  return merged;
}

function refused(who: string, kind: Kind, item: string | undefined): Error {
  const what = item === undefined ? `all of ${kind}` : `${kind} of ${item}`;
  return new Deno.errors.NotCapable(
    `Cannot start ${who} with permissions for ${what}: this process has not got them itself; run it with --allow-${kind}${
      item === undefined ? "" : `=${item}`
    }, or ask for less`,
  );
}
