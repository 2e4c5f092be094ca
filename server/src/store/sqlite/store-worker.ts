import { OutcomeUnknownError, StoreConflictError, StoreFullError } from '@leasehold/core';
import { Worker } from 'node:worker_threads';
import type { Calls, Failure, Request, WorkerMessage, WorkerOptions } from './messages.js';
import { StoreOpenError } from './open-error.js';

/** The worker as the main thread sees it: calls that resolve, in their order, and one failure that ends all of them. */
export class StoreWorker {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #failure: OutcomeUnknownError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (message: WorkerMessage) => {
      this.#hear(message);
    });
    worker.on('error', (error: unknown) => {
      this.#fail(`its thread ended: ${String(error)}`);
    });
    this.#exited = new Promise((resolve) => {
      worker.on('exit', () => {
        this.#fail('its thread ended');
        resolve();
      });
    });
  }

  /** Starts a worker on a store. Resolves to it and to the last committed revision. @throws {StoreOpenError} */
  static async start(options: WorkerOptions): Promise<{ worker: StoreWorker; revision: bigint }> {
    const thread = new Worker(new URL('./worker.js', import.meta.url), { workerData: options, name: 'leasehold-store' });
    const revision = await new Promise<bigint>((resolve, reject) => {
      thread.once('message', (message: WorkerMessage) => {
        if (message.kind === 'opened') {
          resolve(message.revision);
        } else {
          const refusal =
            message.kind === 'refused' ? message : { code: 'UNUSABLE' as const, message: `unexpected ${message.kind}` };
          reject(new StoreOpenError(refusal.code, refusal.message));
        }
      });
      thread.once('error', (cause) => {
        reject(new StoreOpenError('UNUSABLE', `Open store ${options.file}: its thread ended`, { cause }));
      });
      thread.once('exit', () => {
        reject(new StoreOpenError('UNUSABLE', `Open store ${options.file}: its thread ended`));
      });
    });
    return { worker: new StoreWorker(thread), revision };
  }

  /**
   * Makes a call.
   *
   * @throws {StoreConflictError} @throws {StoreFullError}
   * @throws {OutcomeUnknownError} now and for every later call but `close`.
   */
  call<K extends keyof Calls>(call: K, argument: Calls[K]['argument']): Promise<Calls[K]['result']> {
    if (this.#failure !== undefined && call !== 'close') {
      return Promise.reject(this.#failure);
    }
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call, argument } satisfies Request<K>);
    });
  }

  /** Closes the store after the calls before, and ends the thread. */
  async close(): Promise<void> {
    // The thread may be gone already: what counts is that it is gone in the end.
    this.call('close', undefined).catch(() => undefined);
    await this.#exited;
  }

  #hear(message: WorkerMessage): void {
    switch (message.kind) {
      case 'answered':
        this.#settle(message.id)?.resolve(message.result);
        return;
      case 'declined':
        this.#settle(message.id)?.reject(this.#errorOf(message.failure));
        return;
      case 'failed':
        this.#fail(message.message);
        return;
      case 'opened':
      case 'refused':
        return;
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #errorOf(failure: Failure): Error {
    switch (failure.kind) {
      case 'conflict':
        return new StoreConflictError(failure.key, failure.expected, failure.actual);
      case 'full':
        return new StoreFullError(`Write store: no room is left (${failure.message})`);
      case 'unknown':
        this.#failure ??= outcomeUnknown(failure.message);
        return this.#failure;
    }
  }

  /** Ends every call that waits, and refuses those to come. */
  #fail(reason: string): void {
    this.#failure ??= outcomeUnknown(reason);
    for (const pending of this.#pending.values()) {
      pending.reject(this.#failure);
    }
    this.#pending.clear();
  }
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

function outcomeUnknown(reason: string): OutcomeUnknownError {
  return new OutcomeUnknownError(`The store has failed, and what it was doing may or may not be done: ${reason}`);
}
