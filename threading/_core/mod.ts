/**
 * The door of the engine room: what the packages above it may use. See README.md in this folder for the map.
 *
 * @module
 */
export {
  type AcquireOptions,
  deadlineOf,
  FOREVER,
  type Limit,
  limitOf,
  now,
  ONCE,
  remaining,
  TIMEOUT_MAX,
  timerUntil,
  type WaitOptions,
} from "./clock.ts";
export { nameIt, PicklingError, TimeoutError } from "./errors.ts";
export { bagOf, typeName } from "./options.ts";
export { giveWord, type Site, takeWord } from "./park.ts";
export { enterSection, leaveSection } from "./section.ts";
export { add, cas, give, load, runSync, type Slow, store, take } from "./drive.ts";
export {
  after,
  type Cell,
  claim,
  enqueue,
  enqueueFirst,
  first,
  firstAwake,
  type Grant,
  grant,
  HEAD,
  LATE,
  lockLot,
  rouse,
  settle,
  type Settled,
  unlink,
  unlockLot,
} from "./lot.ts";
export { callAsync, callSync } from "./call.ts";
export { adopt, cell, here, isMain } from "./site.ts";
export {
  A_STATUS,
  A_UNCLAIMED,
  DEAD,
  DEATHS,
  GRANTED,
  SYNC,
  W_AGENT,
  W_DATA,
  W_FORM,
  W_STATE,
} from "./words.ts";
export { acquire, release, revocable, type Rule, STATE } from "./primitives/permits.ts";
export { type Revocable } from "./park.ts";
export { holder, mayHold, MUTEX, MUTEX_WORDS, ownerDied } from "./primitives/mutex.ts";
export { MAX_PERMITS, SEMAPHORE_WORDS, semaphoreRule } from "./primitives/semaphore.ts";
export * as condition from "./primitives/condition.ts";
export * as event from "./primitives/event.ts";
export { EVENT_WORDS, FLAG } from "./primitives/event.ts";
export * as barrier from "./primitives/barrier.ts";
export { BARRIER_WORDS } from "./primitives/barrier.ts";
export {
  discardParcel,
  getState,
  pack,
  type Parcel,
  type Reducer,
  refuse,
  register,
  setState,
  unpack,
  unpackSync,
  vouchFor,
} from "./pickle.ts";
export type { PackOptions } from "./pickle.ts";
export { isProxy } from "./proxies.ts";
export { deserialize, jsonOf, serialize } from "./plain.ts";
export type { ErrorClassForm, Special } from "./parcel.ts";
export {
  BRIEF,
  decode,
  decodeSync,
  discardEncoded,
  encode,
  encodeBriefly,
  hasObjects,
} from "./bytes.ts";
export { type Shape, shapeAt, shapeOf } from "./shapes.ts";
export { type Leak, leaks, opened } from "./leaks.ts";
export {
  decodeError,
  decodeErrorSync,
  type EncodedError,
  encodeError,
  type Outcome,
  registerError,
} from "./outcome.ts";
export { classesAreHere, type Ended, mainIsEvaluated, mainModule } from "./arrival.ts";
export {
  isNoFile,
  locate,
  locateObject,
  modulesOf,
  type Reference,
  resolve,
  resolveObject,
  resolveSync,
  task,
} from "./reference.ts";
export {
  atLeave,
  deposit,
  discard,
  joinsMain,
  kill,
  launch,
  mustRead,
  post,
  withdraw,
} from "./bootstrap.ts";
export { type Carrier, carrier, type FrameTaker } from "./frames.ts";
export { ended, endings, life, secret } from "./life.ts";
export { canStopThreads, type Death, killably } from "./killable.ts";
// Does nothing here. It makes the worker's modules a part of every program that uses threads: from a server, they would otherwise be
// fetched when the first worker starts, with the help of a main thread that may be blocked until it has. `deno compile` embeds them
// for the same reason.
import "./entry.ts";
export { importingModules, importInProgress } from "./importing.ts";
export { namespaceOf, offersOf, scanOf } from "./namespaces.ts";
export type { Job, Letter } from "./protocol.ts";
export {
  enter,
  finish,
  finished,
  isLive,
  listThreads,
  MAIN_IDENT,
  nameOf,
  nativeOf,
  nativeSaid,
  nextNumber,
  rename,
  setNative,
  type ThreadEntry,
  type ThreadKey,
} from "./threads.ts";
