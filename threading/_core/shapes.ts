/**
 * The names of an object's properties, written down once for all threads: a codec sends the number of the list instead of the names.
 *
 * A list lies on the ground for good, so there is a bound on how many a thread may enter; the same list entered by two threads has
 * two numbers, which does no harm.
 *
 * @module
 */
import { allocate } from "./heap.ts";
import { here } from "./site.ts";

/** The own enumerable names of an object, in their order. */
export interface Shape {
  /** The same in every thread. */
  readonly id: number;
  readonly names: readonly string[];
  /** An object with these properties and no values, to be copied. */
  readonly empty: Readonly<Record<string, unknown>>;
}

/** Lists that one thread may enter. */
const MOST = 256;
/** Names of one list, and characters of them all. */
const MOST_NAMES = 32;
const MOST_CHARACTERS = 512;

/** What this thread has entered, the latest first where it matters: few shapes are in use at a time. */
const entered: Shape[] = [];
const known = new Map<number, Shape>();

/**
 * The shape of an object with these properties, or `undefined` when it is not to be written down: too long, too many already, or
 * with names that are not set like others (`__proto__`, and numbers, whose order is their own).
 */
export function shapeOf(names: readonly string[]): Shape | undefined {
  for (let i = 0; i < entered.length; i++) {
    const shape = entered[i];
    if (!same(shape.names, names)) continue;
    // Moves up by one: what is used most is found first.
    if (i > 0) {
      entered[i] = entered[i - 1];
      entered[i - 1] = shape;
    }
    return shape;
  }
  return entered.length < MOST && fits(names) ? enter(names) : undefined;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function fits(names: readonly string[]): boolean {
  if (names.length === 0 || names.length > MOST_NAMES) return false;
  let characters = 0;
  for (const name of names) {
    if (name === "__proto__" || /^\d/.test(name)) return false;
    characters += name.length;
  }
  return characters <= MOST_CHARACTERS;
}

function enter(names: readonly string[]): Shape {
  const { ground, agent } = here();
  // One character a word: there are few lists, and every character has its place.
  const length = names.reduce((sum, name) => sum + 1 + name.length, 1);
  const id = allocate(ground, length, agent);
  const { words } = ground;
  let at = id;
  words[at++] = names.length;
  for (const name of names) {
    words[at++] = name.length;
    for (let i = 0; i < name.length; i++) words[at++] = name.charCodeAt(i);
  }
  const shape = shapeAt(id);
  entered.push(shape);
  return shape;
}

/**
 * The shape that some thread has entered under that number.
 *
 * @throws {TypeError} when there is none.
 */
export function shapeAt(id: number): Shape {
  const shape = known.get(id) ?? read(id);
  known.set(id, shape);
  return shape;
}

function read(id: number): Shape {
  const { words } = here().ground;
  const names: string[] = [];
  let at = id;
  // Whatever lies there instead, no more is read than a shape can be.
  let room = MOST_CHARACTERS;
  for (let left = bounded(words[at++], MOST_NAMES); left > 0; left--) {
    const length = bounded(words[at++], room);
    room -= length;
    names.push(String.fromCharCode(...words.subarray(at, at + length)));
    at += length;
  }
  return { id, names, empty: Object.fromEntries(names.map((name) => [name, undefined])) };
}

function bounded(count: number | undefined, most: number): number {
  if (count !== undefined && count >= 0 && count <= most) return count;
  throw new TypeError("Unknown shape");
}
