import type { Watch, WatchEvent, WatchQuery, WatchSink } from './api.js';
import type { Clock } from '../clock.js';
import type { CommittedChange } from '../lease/change.js';
import { limitExceeded, type LeaseError } from '../lease/errors.js';
import { leaseKey, type LeaseRecord } from '../lease/record.js';
import type { Store } from '../store/store.js';
import { Ahead } from './ahead.js';
import { readHistory } from './history.js';
import type { RecentChanges } from './recent-changes.js';
import { selectEvents, type FindBefore } from './watch-filter.js';

/** How many changes a watch that is behind takes at once. */
const pieceMax = 256;

/**
 * Hands committed changes to watches. A watch that is up to date gets them as they are published. One that is behind, or whose reader
 * is slow, keeps nothing but its place, and is fed from the recent changes or the store's history when it can take more: so memory is
 * bounded however slow a reader is.
 */
export class WatchHub {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #watchersMax: number;
  readonly #recent: RecentChanges;
  readonly #all = new Set<Watcher>();
  /** Watches of everything, of one namespace, of one lease: a change costs nothing for watches of other leases. */
  readonly #byTarget = new Map<string, Set<Watcher>>();
  readonly #ahead: Ahead;
  #cancelBookmarks: () => void;
  #revision: bigint;

  constructor(options: WatchHubOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#watchersMax = options.watchersMax;
    this.#recent = options.recent;
    this.#ahead = new Ahead(options.clock, options.revision);
    this.#revision = options.revision;
    const bookmark = (): void => {
      this.#bookmark();
      this.#cancelBookmarks = this.#clock.after(options.bookmarkIntervalMs, bookmark);
    };
    this.#cancelBookmarks = this.#clock.after(options.bookmarkIntervalMs, bookmark);
  }

  /** The last revision published. */
  get revision(): bigint {
    return this.#revision;
  }

  /** Resolves once a revision was published. @throws {LeaseError} `REVISION_IN_FUTURE`: it was not within a moment. */
  reach(revision: bigint): Promise<void> {
    return new Promise((resolve, reject) => {
      if (revision <= this.#revision) {
        resolve();
      } else {
        this.#ahead.wait(revision, { reached: resolve, refused: reject });
      }
    });
  }

  /** Hands over changes in the order of their revisions, with what each of them replaced. */
  publish(changes: readonly CommittedChange[], before: readonly (LeaseRecord | undefined)[]): void {
    const last = changes.at(-1);
    if (last === undefined) {
      return;
    }
    this.#recent.add(changes, before);
    this.#revision = last.revision;
    const touched = new Set<Watcher>();
    for (const [index, change] of changes.entries()) {
      const findBefore = (): LeaseRecord | undefined => before[index];
      for (const target of targetsOf(change)) {
        this.#byTarget.get(target)?.forEach((watcher) => {
          if (watcher.collect(change, findBefore)) {
            touched.add(watcher);
          }
        });
      }
    }
    touched.forEach((watcher) => {
      watcher.flush(last.revision);
    });
    this.#ahead.reach(last.revision);
  }

  /** @throws {LeaseError} `LIMIT_EXCEEDED` */
  open(query: WatchQuery, sink: WatchSink): Watch {
    if (this.#all.size >= this.#watchersMax) {
      throw limitExceeded('watches', this.#watchersMax);
    }
    const watcher = new Watcher(query, sink, this.#revision);
    this.#all.add(watcher);
    const target = targetOf(query);
    const others = this.#byTarget.get(target) ?? new Set();
    this.#byTarget.set(target, others.add(watcher));
    if (watcher.position > this.#revision) {
      watcher.cancelWait = this.#ahead.wait(watcher.position, {
        reached: () => this.#start(watcher),
        refused: (error) => this.#end(watcher, error),
      });
    } else {
      this.#start(watcher);
    }
    return {
      resume: () => {
        watcher.writable = true;
        this.#feed(watcher);
      },
      close: () => {
        this.#remove(watcher);
      },
    };
  }

  /** Ends all watches. */
  close(error: LeaseError): void {
    this.#cancelBookmarks();
    this.#ahead.close(error);
    for (const watcher of [...this.#all]) {
      this.#end(watcher, error);
    }
  }

  /** Checks that the starting revision was issued here and is kept; then sends it back and begins. */
  #start(watcher: Watcher): void {
    if (watcher.position === this.#revision || this.#recent.knows(watcher.position)) {
      this.#begin(watcher);
      return;
    }
    // Asking the store for a single change is enough to learn whether it knows the revision.
    this.#read(watcher, 1, () => {
      this.#begin(watcher);
    });
  }

  #begin(watcher: Watcher): void {
    watcher.state = 'behind';
    watcher.send([], watcher.position);
    this.#feed(watcher);
  }

  /** Sends what a watch has missed, piece by piece, until it is up to date or its reader is full. */
  #feed(watcher: Watcher): void {
    if (watcher.state !== 'behind' || !watcher.writable || watcher.reading) {
      return;
    }
    if (watcher.position >= this.#revision) {
      watcher.state = 'live';
      return;
    }
    if (!this.#recent.reachesBackTo(watcher.position)) {
      this.#read(watcher, pieceMax, (changes) => {
        // The store may have what has not been published here yet: another server's, or what a commit under way has done.
        this.#sendPiece(
          watcher,
          changes.filter(({ revision }) => revision <= this.#revision),
        );
      });
      return;
    }
    this.#sendPiece(watcher, this.#recent.after(watcher.position, pieceMax));
  }

  #sendPiece(watcher: Watcher, changes: readonly CommittedChange[]): void {
    const last = changes.at(-1);
    if (last !== undefined) {
      const events = changes.flatMap((change) =>
        selectEvents(watcher.query, change, () => this.#recent.replacedAt(change.revision)),
      );
      if (events.length > 0) {
        watcher.send(events, last.revision);
      }
      watcher.position = last.revision;
    }
    // Others get their turn between two pieces.
    watcher.reading = true;
    this.#clock.soon(() => {
      watcher.reading = false;
      this.#feed(watcher);
    });
  }

  #read(watcher: Watcher, limit: number, take: (changes: readonly CommittedChange[]) => void): void {
    watcher.reading = true;
    readHistory(this.#store, watcher.position, limit).then(
      (changes) => {
        watcher.reading = false;
        if (watcher.state !== 'ended') {
          take(changes);
        }
      },
      (error: unknown) => this.#end(watcher, error as LeaseError),
    );
  }

  #bookmark(): void {
    this.#all.forEach((watcher) => {
      if (watcher.state === 'live' && watcher.writable) {
        watcher.send([], this.#revision);
      }
    });
  }

  #end(watcher: Watcher, error: LeaseError): void {
    if (watcher.state !== 'ended') {
      this.#remove(watcher);
      watcher.sink.end(error);
    }
  }

  #remove(watcher: Watcher): void {
    watcher.state = 'ended';
    watcher.cancelWait();
    this.#all.delete(watcher);
    const target = targetOf(watcher.query);
    const others = this.#byTarget.get(target);
    others?.delete(watcher);
    if (others?.size === 0) {
      this.#byTarget.delete(target);
    }
  }
}

export interface WatchHubOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly watchersMax: number;
  /** The newest changes, up to `revision`: the hub adds what it publishes. */
  readonly recent: RecentChanges;
  readonly bookmarkIntervalMs: number;
  /** The last committed revision. */
  readonly revision: bigint;
}

/** One watch: `starting` until its revision is known to be good, `behind` until it has caught up, then `live`. */
class Watcher {
  readonly query: WatchQuery;
  readonly sink: WatchSink;
  state: 'starting' | 'behind' | 'live' | 'ended' = 'starting';
  /** Everything up to here was sent, or was not for this watch. Means nothing while it is live. */
  position: bigint;
  writable = true;
  /** Whether a piece is on its way. */
  reading = false;
  /** Calls off the wait for a revision ahead. */
  cancelWait: () => void = () => undefined;
  #collected: WatchEvent[] = [];

  constructor(query: WatchQuery, sink: WatchSink, revision: bigint) {
    this.query = query;
    this.sink = sink;
    this.position = query.fromRevision === 0n ? revision : query.fromRevision;
  }

  /** Takes a change along for the next `flush`, if this watch is up to date and the change is for it. */
  collect(change: CommittedChange, findBefore: FindBefore): boolean {
    if (this.state !== 'live') {
      return false;
    }
    this.#collected.push(...selectEvents(this.query, change, findBefore));
    return this.#collected.length > 0;
  }

  flush(revision: bigint): void {
    const events = this.#collected;
    this.#collected = [];
    this.send(events, revision);
  }

  send(events: readonly WatchEvent[], revision: bigint): void {
    this.position = revision;
    this.writable = this.sink.write({ events, revision });
    if (!this.writable && this.state === 'live') {
      this.state = 'behind';
    }
  }
}

function targetOf(query: WatchQuery): string {
  return query.name === '' ? query.namespace : leaseKey(query.namespace, query.name);
}

function targetsOf(change: CommittedChange): readonly string[] {
  return ['', change.key.slice(0, change.key.indexOf('/')), change.key];
}
