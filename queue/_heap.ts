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

/** A heap of items in the order of `compare`: negative when its first argument is to come out first. */
export class Heap<T> {
  readonly #compare: (a: T, b: T) => number;
  /** Each node comes after its parent, which stands at half of its place: `nodes[i].index === i` for every `i`. */
  readonly #nodes: HeapNode<T>[] = [];
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
    const path = this.#pathUp(node, this.#nodes.length);
    this.#pushed++;
    this.#place(node, path);
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
    const last = this.#nodes[this.#nodes.length - 1];
    if (last === node) {
      this.#nodes.pop();
      return true;
    }
    // The last node fills the hole. Coming from another branch, it may belong above it as well as below.
    const up = this.#pathUp(last, node.index);
    const path = up.length > 1 ? up : this.#pathDown(last, node.index);
    this.#nodes.pop();
    this.#place(last, path);
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

  /** The places from `hole` up to where `node` belongs. */
  #pathUp(node: HeapNode<T>, hole: number): number[] {
    const path = [hole];
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.#before(node, this.#nodes[parent])) break;
      path.push(hole = parent);
    }
    return path;
  }

  /** The places from `hole` down to where `node`, now the last, belongs. */
  #pathDown(node: HeapNode<T>, hole: number): number[] {
    const path = [hole];
    const end = this.#nodes.length - 1;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= end) break;
      if (child + 1 < end && this.#before(this.#nodes[child + 1], this.#nodes[child])) child++;
      if (!this.#before(this.#nodes[child], node)) break;
      path.push(hole = child);
    }
    return path;
  }

  /** Moves the nodes of `path` one place towards its start, and puts `node` at its end. */
  #place(node: HeapNode<T>, path: number[]): void {
    for (let i = 1; i < path.length; i++) this.#put(this.#nodes[path[i]], path[i - 1]);
    this.#put(node, path[path.length - 1]);
  }

  #put(node: HeapNode<T>, index: number): void {
    this.#nodes[index] = node;
    node.index = index;
  }
}
