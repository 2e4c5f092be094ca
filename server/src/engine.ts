import { LeaseError, type Clock, type CoordinatorOptions, type LeaseCoordinator, type Store } from '@leasehold/core';
import { sleep } from './clock.js';
import type { Log } from './log.js';

/** What an engine is made of. */
export interface EngineOptions {
  /** Opens the store: at the start, and again after each failure. */
  openStore(): Promise<Store>;
  startCoordinator(options: CoordinatorOptions): Promise<LeaseCoordinator>;
  /** Everything of a coordinator but its store and what happens when that fails. */
  readonly coordinator: Omit<CoordinatorOptions, 'store' | 'onFailure'>;
  readonly clock: Clock;
  readonly log: Log;
  /** The store failed. Nothing that was answered from memory may be answered any more, from this very moment. */
  onUnavailable(error: LeaseError): void;
  /** The store is open again. */
  onAvailable(): void;
  /** For how long it is tried to open a store again that has failed, in milliseconds. Default 60,000. */
  readonly reopenMs?: number;
  /** The store could not be reopened in time. */
  onGivenUp(error: unknown): void;
}

/**
 * Holds the one coordinator, and replaces it when its store fails so that outcomes are unknown: then the store is closed, opened
 * anew with growing pauses, and loaded into a new coordinator, for which every held lease counts in full.
 */
export class Engine {
  readonly #options: EngineOptions;
  /** Made once: a server that has nothing to serve is asked again and again. */
  readonly #unavailable = storeUnavailable();
  #running: Running | undefined;
  /** Set once it drains. */
  #refusal: LeaseError | undefined;
  #reopening: Promise<void> = Promise.resolve();

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Opens the store and starts a coordinator on it. @throws the store cannot be opened. */
  async start(): Promise<void> {
    this.#running = await this.#open();
  }

  /** The coordinator. @throws {LeaseError} `STORE_UNAVAILABLE` while the store is being reopened, `DRAINING` once it drains. */
  current(): LeaseCoordinator {
    if (this.#refusal !== undefined || this.#running === undefined) {
      throw this.#refusal ?? this.#unavailable;
    }
    return this.#running.coordinator;
  }

  /** From now on `current` throws `DRAINING`. */
  refuse(): void {
    this.#refusal = draining();
  }

  /** Drains the coordinator and closes the store. @throws the store failed, now or before. */
  async drain(): Promise<void> {
    this.refuse();
    await this.#reopening;
    const running = this.#running;
    if (running === undefined) {
      throw new Error('Drain: the store had failed and was not open');
    }
    await running.coordinator.drain();
    if (running.failure !== undefined) {
      throw running.failure;
    }
  }

  async #open(): Promise<Running> {
    const store = await this.#options.openStore();
    const running: Partial<Running> & Pick<Running, 'store'> = { store };
    try {
      running.coordinator = await this.#options.startCoordinator({
        ...this.#options.coordinator,
        store,
        onFailure: (error) => {
          running.failure = error;
          if (this.#running === running) {
            this.#failed(this.#running, error);
          }
        },
      });
      if (running.failure !== undefined) {
        throw running.failure;
      }
      return running as Running;
    } catch (error) {
      await this.#close(store);
      throw error;
    }
  }

  #failed(running: Running, error: Error): void {
    this.#running = undefined;
    this.#options.log.error({ err: error }, 'The store failed: outcomes are unknown until it is opened again');
    this.#options.onUnavailable(this.#unavailable);
    const deadlineMs = this.#options.clock.monotonicMs() + (this.#options.reopenMs ?? giveUpAfterMs);
    // What failed is let go of before the next one is opened: there is no room for the leases of both.
    this.#reopening = this.#close(running.store).then(() => this.#reopen(deadlineMs));
  }

  async #reopen(deadlineMs: number): Promise<void> {
    const { clock, log } = this.#options;
    for (let pauseMs = firstPauseMs; !this.#drains(); pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      await sleep(clock, pauseMs);
      try {
        this.#running = await this.#open();
        log.warn('The store is open again');
        // A drain that began meanwhile goes on with it, without serving again.
        if (!this.#drains()) {
          this.#options.onAvailable();
        }
        return;
      } catch (error) {
        log.error({ err: error }, 'The store could not be opened again');
        if (clock.monotonicMs() >= deadlineMs) {
          this.#options.onGivenUp(error);
          return;
        }
      }
    }
  }

  #drains(): boolean {
    return this.#refusal !== undefined;
  }

  async #close(store: Store): Promise<void> {
    try {
      await store.close();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'The failed store could not be closed');
    }
  }
}

/** The refusal of a server that drains. */
export function draining(): LeaseError {
  return new LeaseError('DRAINING', 'The server is shutting down: connect to another one, or again in a moment');
}

interface Running {
  readonly store: Store;
  coordinator: LeaseCoordinator;
  failure?: Error;
}

const firstPauseMs = 100;
const longestPauseMs = 5000;
const giveUpAfterMs = 60_000;

function storeUnavailable(): LeaseError {
  return new LeaseError('STORE_UNAVAILABLE', 'The store has failed and is being opened again: repeat the call in a moment');
}
