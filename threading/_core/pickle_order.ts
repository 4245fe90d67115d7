/**
 * The order in which specials can be revived: what an object is made from comes before the object.
 *
 * Some specials are made in two steps, the thing and then its content (errors, maps, sets, links), so circles through them do no
 * harm. A shareable or an instance is made in one step from its parts, so a circle through it has no order; it is refused here, on
 * the sending side, where the caller can still do something about it.
 *
 * @module
 */

import type { EntriesSpecial, Special } from "./parcel.ts";

/** A slot that waits for a special. */
export interface Waiting {
  readonly special: Special;
  readonly holder: object;
  readonly key: string | number;
}

/**
 * `specials` in an order of revival.
 *
 * `slots` are all that wait for one. `containers` are all objects of the message with slots, the specials that have some included; a `Map` or `Set` leads to its entries.
 * `refuse` is called, and must throw, for a special that is part of its own parts.
 *
 * It is Tarjan's algorithm, without recursion, from every special that is made in one step: the strongly connected components come
 * out with those they depend on first.
 */
export function orderOf(
  specials: readonly Special[],
  slots: readonly Waiting[],
  containers: ReadonlyMap<object, EntriesSpecial | undefined>,
  refuse: (special: Special) => never,
): Special[] {
  const waiting = waitingIn(slots);
  const isSpecial = new Set<object>(specials);
  const ordered = new Set<Special>();
  const visits = new Map<object, Visit>();
  const open: Visit[] = []; // visited, component not complete
  const path: Visit[] = []; // from the start to where we are

  const visit = (node: object): void => {
    const made: Visit = {
      node,
      index: visits.size,
      low: visits.size,
      isOpen: true,
      next: 0,
      children: [],
    };
    made.children = childrenOf(node, containers, waiting);
    visits.set(node, made);
    open.push(made);
    path.push(made);
  };

  const close = (root: Visit): void => {
    const component = open.splice(open.lastIndexOf(root));
    for (const each of component) {
      each.isOpen = false;
      if (!isSpecial.has(each.node)) continue;
      const special = each.node as Special;
      if (isMadeAtOnce(special) && (component.length > 1 || each.children.includes(special))) {
        refuse(special);
      }
      ordered.add(special);
    }
  };

  for (const start of specials) {
    if (!isMadeAtOnce(start) || visits.has(start)) continue;
    visit(start);
    while (path.length > 0) {
      const here = path[path.length - 1];
      if (here.next < here.children.length) {
        const child = here.children[here.next++];
        const seen = visits.get(child);
        if (seen === undefined) visit(child);
        else if (seen.isOpen) here.low = Math.min(here.low, seen.index);
        continue;
      }
      path.pop();
      if (path.length > 0) {
        const parent = path[path.length - 1];
        parent.low = Math.min(parent.low, here.low);
      }
      if (here.low === here.index) close(here);
    }
  }
  for (const special of specials) ordered.add(special); // what nothing is made from can come last
  return [...ordered];
}

interface Visit {
  readonly node: object;
  readonly index: number;
  low: number;
  isOpen: boolean;
  next: number;
  children: readonly object[];
}

function isMadeAtOnce(special: Special): boolean {
  return special.kind === "shareable" || special.kind === "instance";
}

function waitingIn(slots: readonly Waiting[]): Map<object, Special[]> {
  const waiting = new Map<object, Special[]>();
  for (const { special, holder } of slots) {
    const list = waiting.get(holder);
    if (list === undefined) waiting.set(holder, [special]);
    else list.push(special);
  }
  return waiting;
}

/** What must be complete before `node` is: what lies in its slots, and what waits for them. */
function childrenOf(
  node: object,
  containers: ReadonlyMap<object, EntriesSpecial | undefined>,
  waiting: ReadonlyMap<object, readonly Special[]>,
): object[] {
  const children: object[] = [...waiting.get(node) ?? []];
  const entries = containers.get(node);
  if (entries !== undefined) children.push(entries);
  for (const value of Object.values(node)) {
    if (typeof value === "object" && value !== null && containers.has(value)) children.push(value);
  }
  return children;
}
