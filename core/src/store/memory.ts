import { stamp, type Change, type CommittedChange } from '../lease/change.js';
import type { LeaseKey, LeaseRecord } from '../lease/record.js';
import { firstRevision, StoreConflictError, type HistoryPage, type NoteEntry, type Store, type StoreState } from './store.js';

/** What survives a `close` of a memory store, so that a test can open it again. Not for production: it is gone with the process. */
export class MemoryDisk {
  readonly records: Map<LeaseKey, LeaseRecord> = new Map();
  readonly history: CommittedChange[] = [];
  revision = 0n;
  /** Everything up to here is compacted. */
  floor = 0n;
  note: readonly NoteEntry[] = [];
}

export interface MemoryStoreOptions {
  /** The wall clock. */
  readonly wallMs: () => number;
  readonly disk?: MemoryDisk;
  /** How many changes of history are kept. Default 100,000. */
  readonly historyMax?: number;
}

/** A store in memory, for tests and for servers that need no durability. */
export class MemoryStore implements Store {
  readonly #disk: MemoryDisk;
  readonly #historyMax: number;
  #nextRevision: bigint;

  constructor(options: MemoryStoreOptions) {
    this.#disk = options.disk ?? new MemoryDisk();
    this.#historyMax = options.historyMax ?? 100_000;
    if (this.#disk.revision === 0n) {
      this.#disk.revision = firstRevision(0n, options.wallMs());
      this.#disk.floor = this.#disk.revision;
    }
    this.#nextRevision = firstRevision(this.#disk.revision, options.wallMs());
  }

  load(take: (records: readonly LeaseRecord[]) => void): Promise<StoreState> {
    take([...this.#disk.records.values()]);
    return Promise.resolve({ revision: this.#disk.revision });
  }

  commit(changes: readonly Change[]): Promise<readonly CommittedChange[]> {
    for (const { key, expected } of changes) {
      const actual = this.#disk.records.get(key)?.resourceVersion ?? 0n;
      if (actual !== expected) {
        return Promise.reject(new StoreConflictError(key, expected, actual));
      }
    }
    return Promise.resolve(changes.map((change) => this.#apply(change)));
  }

  history(after: bigint, limit: number): Promise<HistoryPage> {
    const { history, floor, revision } = this.#disk;
    if (after < floor) {
      return Promise.resolve({ kind: 'compacted', oldest: floor });
    }
    const start = firstAfter(history, after);
    const known = after === floor || after === revision || history[start - 1]?.revision === after;
    if (!known) {
      return Promise.resolve({ kind: 'unknown', oldest: floor });
    }
    return Promise.resolve({ kind: 'page', changes: history.slice(start, start + limit) });
  }

  leaveNote(note: readonly NoteEntry[]): Promise<void> {
    this.#disk.note = note;
    return Promise.resolve();
  }

  takeNote(): Promise<readonly NoteEntry[]> {
    const { note } = this.#disk;
    this.#disk.note = [];
    return Promise.resolve(note);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #apply(change: Change): CommittedChange {
    const committed = stamp(change, this.#nextRevision++);
    const disk = this.#disk;
    if (committed.record === undefined) {
      disk.records.delete(committed.key);
    } else {
      disk.records.set(committed.key, committed.record);
    }
    disk.history.push(committed);
    disk.revision = committed.revision;
    // Cut in pieces, so that a commit costs the same however long the history is.
    if (disk.history.length > this.#historyMax + 1024) {
      const dropped = disk.history.splice(0, disk.history.length - this.#historyMax);
      disk.floor = dropped.at(-1)?.revision ?? disk.floor;
    }
    return committed;
  }
}

/** Index of the first change after a revision; the history is sorted. */
function firstAfter(history: readonly CommittedChange[], revision: bigint): number {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((history[middle]?.revision ?? revision) <= revision) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
