import { isDeepStrictEqual } from 'node:util';
import { type Clock, sleep } from '../clock.js';
import { LeaseNotFoundError, UnavailableError, WatchExpiredError } from '../errors.js';
import { backoffMs } from '../retry.js';
import type { Lease } from '../types.js';
import { Mailbox } from './mailbox.js';
import type { LeaseWatch } from './watch.js';

/** Options of `Client.observeLeader`. */
export interface ObserveLeaderOptions {
  /** Namespace of the lease. Default: the client's. */
  readonly namespace?: string | undefined;
  /** Ends the observation: the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What an observer asks for; every call is about the one lease that it observes. */
export interface LeaderSource {
  /** Reads the lease as it is committed now. */
  get(signal: AbortSignal): Promise<Lease>;
  /** Watches it from now on. */
  watch(signal: AbortSignal): LeaseWatch;
}

/**
 * Follows who leads, without campaigning: iterating yields the lease of the current leader, or `undefined` when nobody leads, and
 * then again whenever another tenure begins, nobody leads any more, or the leader's labels or annotations change.
 *
 * A lease that does not exist, that was released or has expired, has no leader; one that is being revoked still has. A hand-over shows
 * the next leader at once. A reader that is slow finds only the newest: what was true in between is gone.
 *
 * It goes on by itself after any loss of the connection, for as long as it takes, and says nothing meanwhile: a leader that was seen
 * may have gone since, so what must not act for the wrong one compares fencing tokens. Leaving the loop ends the stream. Iterating
 * throws the signal's reason, a `ClientClosedError` once the client is closed, and other errors that no repeat would mend.
 */
export class LeaderObserver implements AsyncIterable<Lease | undefined> {
  readonly #source: LeaderSource;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #current: Lease | undefined;

  /** @internal Observers come from `Client.observeLeader`. */
  constructor(source: LeaderSource, clock: Clock, signal?: AbortSignal) {
    this.#source = source;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** The newest leader heard of, even if the loop has not come to it yet. `undefined` when nobody leads, and before the first answer. */
  get current(): Lease | undefined {
    return this.#current;
  }

  /** Iterates over the leaders. One loop at a time. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Lease | undefined, void, undefined> {
    const leaving = new AbortController();
    const signal = this.#signal === undefined ? leaving.signal : AbortSignal.any([this.#signal, leaving.signal]);
    const leaders = new Mailbox<'leader', { readonly leader: Lease | undefined }>();
    this.#follow(signal, (leader) => {
      this.#current = leader;
      leaders.put('leader', { leader });
    }).catch((error: unknown) => {
      leaders.end(error instanceof Error ? error : new Error('Observe a leader', { cause: error }));
    });
    let shown: Lease | null | undefined = null;
    try {
      for await (const { leader } of leaders.read()) {
        if (shown !== null && isSame(shown, leader)) continue;
        shown = leader;
        yield leader;
      }
    } finally {
      leaving.abort();
    }
  }

  /** Reads and watches, again and again, until something comes that no repeat would mend. */
  async #follow(signal: AbortSignal, report: (leader: Lease | undefined) => void): Promise<never> {
    for (let failures = 1; ; failures += 1) {
      const watch = this.#source.watch(signal);
      try {
        // The watch comes first: what happens after the reading is then seen in any case.
        await watch.ready();
        const record = await this.#read(signal);
        report(leaderOf(record));
        failures = 0;
        for await (const { type, lease, revision } of watch) {
          // A release and the grant after it are one change: nobody is shown the moment in between.
          if (watch.revision < revision || revision <= (record?.resourceVersion ?? 0n)) continue;
          report(type === 'DELETED' ? undefined : leaderOf(lease));
        }
      } catch (error) {
        if (!(error instanceof WatchExpiredError || error instanceof UnavailableError)) throw error;
      } finally {
        watch.close();
      }
      await sleep(this.#clock, backoffMs(this.#clock, failures), signal);
    }
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    try {
      return await this.#source.get(signal);
    } catch (error) {
      if (error instanceof LeaseNotFoundError) return undefined;
      throw error;
    }
  }
}

function leaderOf(lease: Lease | undefined): Lease | undefined {
  return lease?.state === 'HELD' ? lease : undefined;
}

function isSame(left: Lease | undefined, right: Lease | undefined): boolean {
  return isDeepStrictEqual(told(left), told(right));
}

/** What of a leader is worth telling about. */
function told(leader: Lease | undefined): unknown {
  return leader === undefined ? undefined : [leader.fencingToken, leader.labels, leader.annotations];
}
