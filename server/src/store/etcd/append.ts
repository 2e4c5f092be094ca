import { OutcomeUnknownError, StoreFullError, type Clock } from '@leasehold/core';
import { EtcdError, type Etcd } from './client.js';
import type { TxnRequest } from './rpc.js';

/** What an append is made of. */
export interface AppendOptions {
  readonly client: Etcd;
  readonly clock: Clock;
  /** It can be done once only: it compares what nothing but itself, or an append of another server, changes. */
  readonly transaction: TxnRequest;
  /** Until when it may be tried, on the monotonic clock, as known at the time. */
  readonly validUntilMs: () => number;
  /** Whether what it compares is, for etcd, still as it was. @throws {EtcdError} */
  readonly isOpen: () => Promise<boolean>;
  /** It is done: called as soon as that is known, before anything that came after it is. */
  readonly onDone: () => void;
}

/**
 * A transaction whose outcome is found out, whatever becomes of its answers: it is sent again until it is done, or another server was
 * faster. Which of both it was, the feed tells if the answer does not: a transaction that fails may have been done by an attempt before.
 */
export class Append {
  readonly #options: AppendOptions;
  #settle!: { resolve(isDone: boolean): void; reject(error: Error): void };
  #isSettled = false;
  /** Whether an attempt may land later than its answer was given up. */
  #mayLandLater = false;

  /** `true`: done. `false`: another server was faster, which the feed has told. */
  readonly outcome: Promise<boolean>;

  constructor(options: AppendOptions) {
    this.#options = options;
    this.outcome = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.outcome.catch(() => undefined);
    void this.#try();
  }

  /** The feed has told. */
  seen(isDone: boolean): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if (isDone) this.#options.onDone();
    this.#settle.resolve(isDone);
  }

  /** Nobody will know. */
  giveUp(cause: Error): void {
    this.#isSettled = true;
    this.#settle.reject(new OutcomeUnknownError(`Commit: ${cause.message}`, { cause }));
  }

  async #try(): Promise<void> {
    const { client, clock, transaction, validUntilMs } = this.#options;
    for (let failure: Error | undefined; !this.#isSettled;) {
      if (clock.monotonicMs() >= validUntilMs()) {
        this.giveUp(failure ?? new Error('etcd has not been heard of for too long'));
        return;
      }
      try {
        const { succeeded } = await client.call('Txn', transaction);
        if (succeeded) {
          this.seen(true);
          return;
        }
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
        if (await this.#failed(error)) return;
      }
      await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
    }
  }

  /** Returns whether that settles it. */
  async #failed(error: unknown): Promise<boolean> {
    if (error instanceof EtcdError && error.isFull) return this.#full(error);
    if (!(error instanceof EtcdError) || error.isRefusal) {
      this.giveUp(error instanceof Error ? error : new Error(String(error)));
      return true;
    }
    this.#mayLandLater = true;
    return false;
  }

  /** The transaction that finds etcd full says so, and is done all the same (applierV3 with a quota); those after it are not. */
  async #full(error: EtcdError): Promise<boolean> {
    try {
      if (this.#mayLandLater || !(await this.#options.isOpen()) || this.#isSettled) return false;
    } catch {
      return false;
    }
    this.#isSettled = true;
    this.#settle.reject(new StoreFullError(error.message, { cause: error }));
    return true;
  }
}

/** Between two attempts, and before a failed one is looked at again. */
const pauseMs = 50;
