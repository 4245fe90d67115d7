import { assert, assertEquals, assertThrows } from "@std/assert";
import { Heap, type HeapNode } from "../../queue/_heap.ts";

const byNumber = (a: number, b: number) => a - b;

function drain<T>(heap: Heap<T>): T[] {
  const items: T[] = [];
  while (heap.size > 0) items.push(heap.pop() as T);
  return items;
}

/** A random number generator whose sequence a failing seed brings back (mulberry32). */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

Deno.test("Heap: an empty one has nothing to peek or pop", () => {
  const heap = new Heap(byNumber);
  assertEquals([heap.size, heap.peek(), heap.pop(), heap.toSorted()], [
    0,
    undefined,
    undefined,
    [],
  ]);
});

Deno.test("Heap: every permutation of seven items comes out in order", () => {
  const permute = (items: number[]): number[][] =>
    items.length === 0
      ? [[]]
      : items.flatMap((item, i) => permute(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
  for (const items of permute([1, 2, 3, 4, 5, 6, 7])) {
    const heap = new Heap(byNumber);
    for (const item of items) heap.push(item);
    assertEquals(heap.peek(), 1);
    assertEquals(drain(heap), [1, 2, 3, 4, 5, 6, 7]);
  }
});

Deno.test("Heap: equal items come out in the order in which they were pushed", () => {
  const heap = new Heap<[number, number]>((a, b) => a[0] - b[0]);
  const next = random(1);
  const items = Array.from({ length: 500 }, (_, i): [number, number] => [next(5), i]);
  for (const item of items) heap.push(item);
  const expected = items.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  assertEquals(heap.toSorted(), expected);
  assertEquals(heap.size, 500);
  assertEquals(drain(heap), expected);
});

Deno.test("Heap: random pushes, pops and removals agree with a sorted array", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const heap = new Heap<{ key: number }>((a, b) => a.key - b.key);
    let model: HeapNode<{ key: number }>[] = [];
    const sorted = () => model.toSorted((a, b) => a.item.key - b.item.key || a.order - b.order);
    for (let step = 0; step < 200; step++) {
      const choice = next(4);
      if (choice < 2 || model.length === 0) {
        model.push(heap.push({ key: next(10) }));
      } else if (choice === 2) {
        const [first] = sorted();
        assert(heap.pop() === first.item, `seed ${seed}, step ${step}`);
        assert(!heap.has(first));
        model = model.filter((node) => node !== first);
      } else {
        const [node] = model.splice(next(model.length), 1);
        assert(heap.has(node));
        assert(heap.remove(node), `seed ${seed}, step ${step}`);
        assert(!heap.has(node));
        assert(!heap.remove(node));
      }
      assertEquals(heap.size, model.length);
      assert(heap.peek() === sorted()[0]?.item, `seed ${seed}, step ${step}`);
    }
    assertEquals(drain(heap), sorted().map((node) => node.item), `seed ${seed}`);
  }
});

Deno.test("Heap.remove: a node of another heap is refused and changes nothing", () => {
  const [one, other] = [new Heap(byNumber), new Heap(byNumber)];
  one.push(1);
  const node = other.push(1);
  assert(!one.remove(node));
  assertEquals([one.size, other.size], [1, 1]);
});

Deno.test("Heap.clear: forgets the items and their nodes", () => {
  const heap = new Heap(byNumber);
  const nodes = [3, 1, 2].map((item) => heap.push(item));
  heap.clear();
  assertEquals(heap.size, 0);
  assert(nodes.every((node) => !heap.has(node) && !heap.remove(node)));
  heap.push(5);
  assertEquals(drain(heap), [5]);
});

Deno.test("Heap: a comparison that throws, at any moment, leaves the heap as it was", () => {
  let left = Infinity;
  const compare = (a: number, b: number) => {
    if (left-- <= 0) throw new TypeError("Cannot compare");
    return a - b;
  };
  const build = () => {
    left = Infinity;
    const heap = new Heap(compare);
    const nodes = [5, 3, 8, 1, 9, 2, 7, 4, 6].map((item) => heap.push(item));
    return { heap, nodes };
  };
  const operations: ((built: ReturnType<typeof build>) => unknown)[] = [
    ({ heap }) => heap.push(0),
    ({ heap }) => heap.pop(),
    ({ heap, nodes }) => heap.remove(nodes[1]),
    ({ heap, nodes }) => heap.remove(nodes[3]),
  ];
  for (const operate of operations) {
    let thrown = 0;
    for (let allowed = 0;; allowed++) {
      const built = build();
      left = allowed;
      try {
        operate(built);
        break;
      } catch {
        thrown++;
      }
      left = Infinity;
      assertEquals(built.heap.size, 9);
      assert(built.nodes.every((node) => built.heap.has(node)));
      assertEquals(drain(built.heap), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
    assert(thrown > 0);
  }
  left = 0;
  const heap = new Heap(compare);
  heap.push(1);
  assertThrows(() => heap.push(2), TypeError);
});

Deno.test("Heap: push, pop and remove take O(log n) comparisons", () => {
  let compared = 0;
  const heap = new Heap<number>((a, b) => {
    compared++;
    return a - b;
  });
  const [size, next] = [1 << 14, random(7)];
  const nodes: HeapNode<number>[] = [];
  let worst = 0;
  const count = (operate: () => void) => {
    compared = 0;
    operate();
    worst = Math.max(worst, compared);
  };
  for (let i = 0; i < size; i++) count(() => nodes.push(heap.push(next(1 << 30))));
  for (let i = 0; i < size; i += 2) count(() => heap.remove(nodes[i]));
  while (heap.size > 0) count(() => heap.pop());
  assert(worst <= 3 * 14 + 3, `${worst} comparisons`);
});
