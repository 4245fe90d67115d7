/**
 * Arguments and results as they lie in a block of the ring.
 *
 * Cheapest first: a list of numbers, small plain data, text and bytes in the form of queue/_compact.ts (bytes that are moved are
 * copied as well, and let go here); what else has no handle in it
 * as a parcel in the engine's own serialization; and what has handles in it, or is moved, or is too big for its block, as the number
 * of a deposit with the main thread.
 *
 * Guarantees: all that may fail, or run code of the user's, happens when a payload is sealed; but a deposit may still fail when it is
 * placed. What was sealed last is placed before anything else is sealed.
 *
 * @module
 */
import {
  deposit,
  deserialize,
  pack,
  type Parcel,
  serialize,
  withdraw,
} from "../threading/_core/mod.ts";
import type { ContextEntry } from "../threading/_context.ts";
import {
  compactList,
  expandList,
  INTEGERS,
  list,
  placeList,
  type Views,
} from "../queue/_compact.ts";
import { hasHandles } from "../queue/_cargo.ts";

/** Forms of payloads. Up to 2, the kinds of lists of queue/_compact.ts. */
const LISTS = 2;
/** A {@linkcode Bundle}, in the engine's serialization. */
const BUNDLE = 3;
/** The number of a deposit, which is a {@linkcode Bundle}. */
const DEPOSIT = 4;
const FORMS = 7;
/** The number of a deposit, which is an `ArrayBuffer` with such a payload. */
const AWAY = 8;
/** What comes is an error. */
export const FAILED = 16;
/** What comes are the results of a chunk. */
export const CHUNKED = 32;

/** A parcel, and what travels with it. */
export interface Bundle extends Parcel {
  /** What of its submitter's context a call goes with. */
  readonly context?: readonly ContextEntry[];
}

/** What says what the bytes of a payload mean. */
export interface Label {
  form: number;
  count: number;
  /** Bytes. */
  length: number;
  head: number;
}

/** A payload on its own, between two threads. */
export interface Letter extends Readonly<Label> {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What was sealed last. */
interface Sealed extends Label {
  bytes: Uint8Array | undefined;
  bundle: Bundle | undefined;
  moves: readonly Transferable[];
}

const NONE: readonly Transferable[] = [];
const sealed: Sealed = {
  form: 0,
  count: 0,
  length: 0,
  head: 0,
  bytes: undefined,
  bundle: undefined,
  moves: NONE,
};

/** How many bytes what was sealed last takes. */
export function sealedLength(): number {
  return sealed.length;
}

type Door = (...args: never[]) => unknown;

/**
 * Seals arguments: `root` is what the list is called in errors, `door` the function at which stacks of refusals begin.
 *
 * @throws {PicklingError} when they cannot travel.
 */
export function sealArgs(
  args: unknown[],
  root: string,
  door: Door,
  transfer: Transferable[] | undefined,
  context: readonly ContextEntry[] | undefined,
): void {
  const moves = transfer !== undefined && transfer.length > 0;
  if (context === undefined && (!moves || areBuffers(transfer)) && compactList(args)) {
    if (!moves) return sealList(args.length);
    if (list.length <= COPIED) {
      sealList(args.length);
      sealed.moves = [...transfer];
      return;
    }
  }
  const parcel = pack(args, "submit", door, moves ? { root, transfer } : { root });
  const bundle = context === undefined ? parcel : { ...parcel, context };
  if (moves) sealDeposit(bundle, transfer);
  else sealBundle(bundle);
}

/** Bytes up to which buffers that move are copied, and let go here: in Deno 2.9 a message with a buffer takes far longer. */
const COPIED = 4 * 1024 * 1024;

function areBuffers(transfer: Transferable[]): transfer is ArrayBuffer[] {
  return new Set(transfer).size === transfer.length &&
    transfer.every((each) => each instanceof ArrayBuffer && !each.resizable && !each.detached);
}

const one: unknown[] = [undefined];

/**
 * Seals a result.
 *
 * @throws {PicklingError} when it cannot travel.
 */
export function sealResult(value: unknown, door: Door): void {
  one[0] = value;
  const compacted = compactList(one);
  if (compacted) return sealList(1);
  one[0] = undefined;
  sealBundle(pack(value, "return", door, { root: "result" }));
}

/** Seals the results of a chunk; `false` when they need a parcel. */
export function sealResults(values: unknown[]): boolean {
  if (!compactList(values)) return false;
  sealList(values.length);
  return true;
}

/** Seals a parcel: of a result, or of an error. */
export function sealBundle(bundle: Bundle): void {
  if (hasHandles(bundle)) return sealDeposit(bundle, []);
  const bytes = serialize(bundle);
  seal(BUNDLE, 0, bytes.length, 0);
  sealed.bytes = bytes;
}

function sealList(count: number): void {
  seal(list.kind, count, list.length, list.head);
}

function sealDeposit(bundle: Bundle, moves: Transferable[]): void {
  seal(DEPOSIT, 0, 4, 0);
  sealed.bundle = bundle;
  sealed.moves = moves;
}

function seal(form: number, count: number, length: number, head: number): void {
  sealed.form = form;
  sealed.count = count;
  sealed.length = length;
  sealed.head = head;
  sealed.moves = NONE;
}

/**
 * Writes what was sealed last to where there is room for `room` bytes, 4 at least, and gives its form. What is longer goes another way.
 *
 * @throws {PicklingError} when structured clone does not carry it.
 */
export function place(to: Views, start: number, room: number, label: Label): void {
  const { form, count, length, head } = sealed;
  if (length > room) {
    const bytes = new Uint8Array(length + 7 & ~7);
    write(viewsOf(bytes), 0);
    const { buffer } = bytes;
    to.words[start >> 2] = deposit(buffer, [buffer]);
    label.form = form | AWAY;
  } else {
    write(to, start);
    label.form = form;
  }
  label.count = count;
  label.length = length;
  label.head = head;
}

function write(to: Views, start: number): void {
  const { form, bytes, bundle, moves } = sealed;
  sealed.bytes = sealed.bundle = undefined;
  sealed.moves = NONE;
  if (form <= LISTS) {
    placeList(to, start);
    one[0] = undefined;
    for (const buffer of moves) (buffer as ArrayBuffer).transfer(0);
  } else if (form === BUNDLE) to.bytes.set(bytes!, start);
  else to.words[start >> 2] = deposit(bundle, moves as Transferable[]);
}

/** What was sealed last, as a letter. */
export function sealedLetter(): Letter {
  const bytes = new Uint8Array(sealed.length + 7 & ~7);
  const label: Label = { form: 0, count: 0, length: 0, head: 0 };
  place(viewsOf(bytes), 0, bytes.length, label);
  return { ...label, bytes };
}

/** Whether a payload is one plain value, for {@linkcode valueAt}. */
export function isValue({ form, count }: Label): boolean {
  return form <= LISTS && count === 1;
}

/** The one value of a payload. */
export function valueAt(from: Views, start: number, { form, count, head }: Label): unknown {
  return form === INTEGERS ? from.words[start >> 2] : expandList(from, start, form, count, head)[0];
}

/** The value of a list that has come as a result. */
export function resultIn(list: unknown[], { form }: Label): unknown {
  return (form & CHUNKED) === 0 ? list[0] : { values: list };
}

/** The bytes that a payload takes where it lies. */
export function sizeOf({ form, length }: Label): number {
  return (form & AWAY) !== 0 ? 4 : length;
}

/** The number of the deposit that a payload is, if it is one. */
export function depositIn(from: Views, start: number, form: number): number | undefined {
  return (form & AWAY) !== 0 || (form & FORMS) === DEPOSIT ? from.words[start >> 2] : undefined;
}

/** A list that has arrived, or a parcel that has to be opened. */
export type Opened =
  | { readonly list: unknown[]; readonly bundle: undefined }
  | { readonly list: undefined; readonly bundle: Bundle };

/** Reads a payload. What was deposited is withdrawn: this may wait for the main thread. */
export function open(from: Views, start: number, label: Label): Opened {
  const { form, count, length, head } = label;
  if ((form & AWAY) !== 0) {
    const bytes = new Uint8Array(withdraw(from.words[start >> 2]) as ArrayBuffer);
    return open(viewsOf(bytes), 0, { form: form & ~AWAY, count, length, head });
  }
  const kind = form & FORMS;
  if (kind <= LISTS) return { list: expandList(from, start, kind, count, head), bundle: undefined };
  if (kind === DEPOSIT) {
    return { list: undefined, bundle: withdraw(from.words[start >> 2]) as Bundle };
  }
  const bytes = from.bytes.slice(start, start + length);
  return { list: undefined, bundle: deserialize(bytes) as Bundle };
}

/** Reads a letter. */
export function openLetter(letter: Letter): Opened {
  return open(viewsOf(letter.bytes), 0, letter);
}

/** A payload as a letter, unopened. */
export function letterOf(from: Views, start: number, label: Label): Letter {
  const { form, count, length, head } = label;
  const size = sizeOf(label);
  const bytes = new Uint8Array(size + 7 & ~7);
  bytes.set(from.bytes.subarray(start, start + size));
  return { form, count, length, head, bytes };
}

/** `bytes` are the whole of their buffer, and a multiple of eight. */
function viewsOf(bytes: Uint8Array<ArrayBuffer>): Views {
  const { buffer } = bytes;
  return {
    bytes,
    words: new Int32Array(buffer),
    doubles: new Float64Array(buffer),
    view: new DataView(buffer),
  };
}
