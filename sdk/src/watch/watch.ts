import { abortReason, type Clock, sleep, within } from '../clock.js';
import { timedOut, UnavailableError } from '../errors.js';
import { backoffMs } from '../retry.js';
import type { Transport, WatchMessage, WatchRequest } from '../transport/transport.js';
import type { CallOptions, LeaseEvent } from '../types.js';
import { checkPositiveMs } from '../verbs.js';

/** Options of `Client.watch`. */
export interface WatchOptions {
  /** Default: the client's. */
  readonly namespace?: string | undefined;
  /** Watches every namespace. Default: false. */
  readonly allNamespaces?: boolean | undefined;
  /** Only the lease of this name. Default: all. */
  readonly name?: string | undefined;
  /** Only leases whose labels match, in Kubernetes' syntax. A change that takes a lease out of the selection arrives as `DELETED`. */
  readonly labelSelector?: string | undefined;
  /** The last revision seen: the events after it follow. Default: 0, which is from now on. */
  readonly fromRevision?: bigint | undefined;
  /** Sends `RENEWED` events too, as they reach the record. Default: false. */
  readonly includeRenewals?: boolean | undefined;
  /** Ends the watch: the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a watch runs on. */
export interface WatchHost {
  readonly transport: Transport;
  readonly clock: Clock;
  /** How long `ready` may take where it is not told, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Changes of leases, ordered, each once, without gaps. After any loss of the connection it goes on by itself from the last revision
 * seen, for as long as it takes.
 *
 * Iterating throws a `WatchExpiredError` when the server keeps no history from there any more, a `ClientClosedError` once the client is
 * closed, and other errors that no repeat would mend. Leaving the loop ends the stream; another loop over the same watch takes up where the last one stopped.
 */
export class LeaseWatch implements AsyncIterable<LeaseEvent> {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #request: WatchRequest;
  readonly #signal: AbortSignal;
  readonly #closing = new AbortController();
  /** Events that were received and not handed out yet. */
  #pending: LeaseEvent[] = [];
  #stream: AsyncIterator<WatchMessage> | undefined;
  #fetching: Promise<void> | undefined;
  #received: bigint;
  #revision: bigint;

  /** @internal Watches come from `Client.watch`. */
  constructor({ transport, clock, timeoutMs }: WatchHost, request: WatchRequest, signal: AbortSignal) {
    this.#transport = transport;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#request = request;
    this.#signal = AbortSignal.any([signal, this.#closing.signal]);
    // Where no loop runs, nobody else leaves the stream.
    const leave = (): void => {
      this.#leave().catch(() => undefined);
    };
    this.#signal.addEventListener('abort', leave, { once: true });
    this.#received = request.fromRevision;
    this.#revision = request.fromRevision;
  }

  /** Everything up to here has been handed out: where another watch may go on. 0 before the server has answered at all. */
  get revision(): bigint {
    return this.#revision;
  }

  /**
   * Opens the stream, if none has been yet.
   *
   * @returns once the server has answered, the revision from which this watch sees everything.
   * @throws {UnavailableError} no server answered in time. The watch is still good.
   */
  async ready({ timeoutMs = this.#timeoutMs, signal }: CallOptions = {}): Promise<bigint> {
    const onTimeout = (): Error => timedOut('Watch', timeoutMs);
    const limit = { timeoutMs: checkPositiveMs('timeoutMs', timeoutMs), signal, onTimeout };
    if (this.#received === 0n) await within(this.#clock, this.#answered(), limit);
    return this.#received;
  }

  /** Ends the watch; the iteration finishes. Idempotent. */
  close(): void {
    this.#closing.abort(new Error('The watch was closed'));
  }

  /** Ends the watch. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** Iterates over the events. One loop at a time. */
  async *[Symbol.asyncIterator](): AsyncGenerator<LeaseEvent, void, undefined> {
    try {
      while (!this.#closing.signal.aborted) {
        if (this.#signal.aborted) throw abortReason(this.#signal);
        const event = this.#pending.shift();
        if (event === undefined) {
          this.#revision = this.#received;
          await this.#fetch();
          continue;
        }
        // A release and the grant after it share a revision: only behind the second is it done with.
        if (this.#pending[0]?.revision !== event.revision) this.#revision = event.revision;
        yield event;
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
    } finally {
      await this.#leave();
    }
  }

  async #answered(): Promise<void> {
    while (this.#received === 0n) await this.#fetch();
  }

  /** Receives the next message, over as many streams as it takes. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#receive().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #receive(): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      if (this.#signal.aborted) throw abortReason(this.#signal);
      try {
        this.#stream ??= this.#open();
        const next = await this.#stream.next();
        if (next.done !== true) {
          this.#pending.push(...next.value.events);
          this.#received = next.value.revision;
          return;
        }
        this.#stream = undefined;
      } catch (error) {
        this.#stream = undefined;
        if (!(error instanceof UnavailableError)) throw error;
      }
      await sleep(this.#clock, backoffMs(this.#clock, failures), this.#signal);
    }
  }

  #open(): AsyncIterator<WatchMessage> {
    const request = { ...this.#request, fromRevision: this.#received };
    return this.#transport.watch(request, this.#signal)[Symbol.asyncIterator]();
  }

  async #leave(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.return?.();
  }
}
