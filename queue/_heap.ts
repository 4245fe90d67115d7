/**
 * A stable binary heap: the smallest item is at the top, and among equal ones the one that was pushed first.
 *
 * Guarantees: `push`, `pop` and `remove` take O(log n) comparisons, `peek`, `has` and `size` O(1), `toSorted` O(n log n). Every
 * change asks all its comparisons first and moves items afterwards: a comparison that throws leaves the heap as it was.
 *
 * Relies on: `compare` being a consistent order as long as an item is in the heap.
 *
 * @module
 */

/** The place of one pushed item, by which it can be removed again. */
export interface HeapNode<T> {
  readonly item: T;
  /** When the item was pushed: what decides among equal ones. */
  readonly order: number;
  /** Where the node stands, or stood when it was in the heap. Only the heap writes it. */
  index: number;
}

/** Where a heap keeps its nodes. Each comes after its parent, which stands at half of its place. */
export interface Slots<N> {
  size(): number;
  at(index: number): N;
  /** Writes a node; at `size()` this makes room for one more. */
  put(index: number, node: N): void;
  /** Removes the last place. */
  drop(): void;
  /** Whether `a` comes out before `b`. */
  before(a: N, b: N): boolean;
}

/** Adds a node. */
export function pushNode<N>(slots: Slots<N>, node: N): void {
  place(slots, node, pathUp(slots, node, slots.size()));
}

/** Takes the first node out. */
export function popNode<N>(slots: Slots<N>): N | undefined {
  if (slots.size() === 0) return undefined;
  const top = slots.at(0);
  removeAt(slots, 0);
  return top;
}

/** Takes the node at a place out. */
export function removeAt<N>(slots: Slots<N>, index: number): void {
  const last = slots.at(slots.size() - 1);
  if (index === slots.size() - 1) return slots.drop();
  // The last node fills the hole. Coming from another branch, it may belong above it as well as below.
  const up = pathUp(slots, last, index);
  const path = up.length > 1 ? up : pathDown(slots, last, index);
  slots.drop();
  place(slots, last, path);
}

/** The places from `hole` up to where `node` belongs. */
function pathUp<N>(slots: Slots<N>, node: N, hole: number): number[] {
  const path = [hole];
  while (hole > 0) {
    const parent = (hole - 1) >> 1;
    if (!slots.before(node, slots.at(parent))) break;
    path.push(hole = parent);
  }
  return path;
}

/** The places from `hole` down to where `node`, now the last, belongs. */
function pathDown<N>(slots: Slots<N>, node: N, hole: number): number[] {
  const path = [hole];
  const end = slots.size() - 1;
  for (;;) {
    let child = 2 * hole + 1;
    if (child >= end) break;
    if (child + 1 < end && slots.before(slots.at(child + 1), slots.at(child))) child++;
    if (!slots.before(slots.at(child), node)) break;
    path.push(hole = child);
  }
  return path;
}

/** Moves the nodes of `path` one place towards its start, and puts `node` at its end. */
function place<N>(slots: Slots<N>, node: N, path: number[]): void {
  for (let i = 1; i < path.length; i++) slots.put(path[i - 1], slots.at(path[i]));
  slots.put(path[path.length - 1], node);
}

/** A heap of items in the order of `compare`: negative when its first argument is to come out first. */
export class Heap<T> {
  readonly #compare: (a: T, b: T) => number;
  /** Invariant: `nodes[i].index === i`. */
  readonly #nodes: HeapNode<T>[] = [];
  readonly #slots: Slots<HeapNode<T>> = {
    size: () => this.#nodes.length,
    at: (index) => this.#nodes[index],
    put: (index, node) => {
      this.#nodes[index] = node;
      node.index = index;
    },
    drop: () => {
      this.#nodes.pop();
    },
    before: (a, b) => this.#before(a, b),
  };
  #pushed = 0;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** The item that `pop` would return, or `undefined` when the heap is empty. */
  peek(): T | undefined {
    return this.#nodes[0]?.item;
  }

  push(item: T): HeapNode<T> {
    const node: HeapNode<T> = { item, order: this.#pushed, index: -1 };
    pushNode(this.#slots, node);
    this.#pushed++;
    return node;
  }

  /** Takes the smallest item out; `undefined` when the heap is empty. */
  pop(): T | undefined {
    const top = this.#nodes[0];
    if (top === undefined) return undefined;
    this.remove(top);
    return top.item;
  }

  has(node: HeapNode<T>): boolean {
    return this.#nodes[node.index] === node;
  }

  /** Takes the item of `node` out. Returns false, and does nothing, when it is not in this heap. */
  remove(node: HeapNode<T>): boolean {
    if (!this.has(node)) return false;
    removeAt(this.#slots, node.index);
    return true;
  }

  /** The items in the order in which they would come out. */
  toSorted(): T[] {
    return this.#nodes.toSorted((a, b) => this.#before(a, b) ? -1 : 1).map((node) => node.item);
  }

  clear(): void {
    this.#nodes.length = 0;
  }

  #before(a: HeapNode<T>, b: HeapNode<T>): boolean {
    const order = this.#compare(a.item, b.item);
    return order < 0 || (order === 0 && a.order < b.order);
  }
}
