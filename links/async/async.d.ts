export interface DelayOptions {
  signal?: AbortSignal;
  persistent?: boolean;
}
export interface DeadlineOptions {
  signal?: AbortSignal;
}
export function abortable<T>(p: Promise<T>, signal: AbortSignal): Promise<T>;
export function abortable<T>(p: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T>;
export function deadline<T>(p: Promise<T>, ms: number, options?: DeadlineOptions): Promise<T>;
export function delay(ms: number, options?: DelayOptions): Promise<void>;
export function pooledMap<T, R>(
  poolLimit: number,
  array: Iterable<T> | AsyncIterable<T>,
  iteratorFn: (data: T) => Promise<R>,
): AsyncIterableIterator<R>;
export function tee<T>(iterable: AsyncIterable<T>, n?: number): AsyncIterable<T>[];
export class MuxAsyncIterator<T> implements AsyncIterable<T> {
  add(iterable: AsyncIterable<T>): void;
  [Symbol.asyncIterator](): AsyncIterator<T>;
}
