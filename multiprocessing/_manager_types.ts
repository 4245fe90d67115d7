/**
 * The static types of `register` and `create`: what TypeScript knows of a manager's types.
 *
 * @module
 */
import type { Queue } from "../queue/mod.ts";
import type { Maker } from "./_manager_registry.ts";
import type { BaseProxy } from "./_proxy.ts";
import type { DictProxy, ListProxy, QueueProxy, SetProxy } from "./_proxy_types.ts";

export type { Maker };

/**
 * The proxy of an object of a class: its public methods, asynchronous.
 *
 * @typeParam T The class's instances.
 */
export type Proxied<T> =
  & BaseProxy
  & {
    [
      K in keyof T as K extends string ? K extends `_${string}` | keyof BaseProxy ? never
        : T[K] extends (...args: never[]) => unknown ? K
        : never
        : never
    ]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
  };

/**
 * The proxy of a value: a class of its own for maps, sets, arrays and queues, {@linkcode Proxied} for objects of other classes.
 *
 * @typeParam T The value.
 */
export type ProxyOf<T> = T extends BaseProxy ? T
  : T extends Map<infer K, infer V> ? DictProxy<K, V>
  : T extends Set<infer U> ? SetProxy<U>
  : T extends readonly (infer U)[] ? ListProxy<U>
  : T extends Queue<infer U> ? QueueProxy<U>
  : Proxied<T>;

/** What a callable makes: the class's instance, or the function's result. */
export type Made<F> = F extends abstract new (...args: never[]) => infer T ? T
  : F extends (...args: never[]) => infer R ? Awaited<R>
  : never;

/** What a callable takes. */
export type MakerArgs<F> = F extends abstract new (...args: infer A) => unknown ? A
  : F extends (...args: infer A) => unknown ? A
  : never;

/** A class of managers. */
// deno-lint-ignore no-explicit-any -- a constructor takes anything here
export type ManagerClass = new (...args: any[]) => object;

/** What `create` and a method of its own make of a registered type. */
export type Creates<K extends string, F, P> =
  & {
    /** Makes an object in the server. */
    create(typeid: K, ...args: MakerArgs<F>): Promise<P extends BaseProxy ? P : ProxyOf<Made<F>>>;
  }
  & { [name in K]: (...args: MakerArgs<F>) => Promise<P extends BaseProxy ? P : ProxyOf<Made<F>>> };

/** The class of managers `M`, whose instances know one type more. */
export type Registered<M extends ManagerClass, K extends string, F, P> =
  & Omit<M, "prototype">
  & (new (...args: ConstructorParameters<M>) => Creates<K, F, P> & InstanceType<M>);
