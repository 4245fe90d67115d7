/**
 * Who calls a method of a referent, and whether he still waits.
 *
 * @module
 */

/** One call, as the server carries it out. */
export class Caller {
  /** Whose call it is: the same object for all calls of one client. Locks with an owner belong to it. */
  readonly client: object;
  #controller: AbortController | undefined;
  #reason: { readonly reason: unknown } | undefined;
  #gone = false;

  /** A call of that client. */
  constructor(client: object) {
    this.client = client;
  }

  /** Aborted when the caller gives up, or ends. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason.reason);
    }
    return this.#controller.signal;
  }

  /** Whether nobody can be answered any more. */
  get gone(): boolean {
    return this.#gone;
  }

  /** The caller has given up. */
  cancel(reason: unknown): void {
    this.#reason = { reason };
    this.#controller?.abort(reason);
  }

  /** The caller has ended. */
  leave(reason: unknown): void {
    this.#gone = true;
    this.cancel(reason);
  }
}
