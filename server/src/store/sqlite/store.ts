import {
  firstRevision,
  stamp,
  type Change,
  type CommittedChange,
  type HistoryPage,
  type LeaseRecord,
  type NoteEntry,
  type Store,
  type StoreState,
} from '@leasehold/core';
import { decodeChange, decodeLeases, decodeNote, encodeChange, encodeNote } from '../record-codec.js';
import { migrations } from './schema.js';
import { StoreWorker } from './store-worker.js';

export interface SqliteStoreOptions {
  /** The file; made if there is none. Beside it stand `.lock` and, while it is open, `-wal` and `-shm`. */
  readonly file: string;
  /** The wall clock, in milliseconds since 1970. */
  readonly wallMs: () => number;
  /** How many changes of history are kept at least; up to 512 more are. Default 1,000,000. */
  readonly historyMax?: number;
  /** For tests of the store itself: another way to the newest schema. */
  readonly migrations?: readonly string[];
  /** For tests of the store itself: how many pages of 4 KiB the file may have. Default: as many as the disk takes. */
  readonly pagesMax?: number;
}

/**
 * Opens the store in a SQLite file, for this process alone. The disk is waited for on a worker thread, never on the calling one.
 *
 * What it loads is durable, whatever happened before: a commit of unknown outcome is either loaded and stays, or is gone for good.
 *
 * @throws {StoreOpenError} the file is in use, damaged, of another kind or newer; it was not changed.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { worker, revision } = await StoreWorker.start({
    file: options.file,
    makingRevision: firstRevision(0n, options.wallMs()),
    migrations: options.migrations ?? migrations,
    pagesMax: options.pagesMax,
    historyMax: options.historyMax ?? 1_000_000,
  });
  return new SqliteStore(worker, revision, firstRevision(revision, options.wallMs()));
}

class SqliteStore implements Store {
  readonly #worker: StoreWorker;
  #revision: bigint;
  #nextRevision: bigint;
  #committing = false;
  #closed: Promise<void> | undefined;

  constructor(worker: StoreWorker, revision: bigint, nextRevision: bigint) {
    this.#worker = worker;
    this.#revision = revision;
    this.#nextRevision = nextRevision;
  }

  async load(take: (records: readonly LeaseRecord[]) => void): Promise<StoreState> {
    let piece = await this.#worker.call('load', 0n);
    while (piece.last !== undefined) {
      // The worker reads the next piece while this one is decoded.
      const next = this.#worker.call('load', piece.last);
      next.catch(() => undefined);
      take(decodeLeases(piece.rows));
      piece = await next;
    }
    return { revision: this.#revision };
  }

  async commit(changes: readonly Change[]): Promise<readonly CommittedChange[]> {
    // The next revisions are known only once the commit before has come out.
    if (this.#committing) {
      throw new Error('Commit: another commit is under way');
    }
    const committed: CommittedChange[] = [];
    const rows = changes.map((change, index) => {
      const stamped = stamp(change, this.#nextRevision + BigInt(index));
      committed.push(stamped);
      return encodeChange(change, stamped);
    });
    const last = committed.at(-1);
    if (last === undefined) {
      return committed;
    }
    this.#committing = true;
    try {
      await this.#worker.call('commit', rows);
    } finally {
      this.#committing = false;
    }
    this.#revision = last.revision;
    this.#nextRevision = last.revision + 1n;
    return committed;
  }

  async history(after: bigint, limit: number): Promise<HistoryPage> {
    const changes: CommittedChange[] = [];
    for (;;) {
      const piece = await this.#worker.call('history', {
        after: changes.at(-1)?.revision ?? after,
        limit: limit - changes.length,
      });
      if (piece.kind !== 'page') {
        return piece;
      }
      changes.push(...piece.rows.map(decodeChange));
      if (!piece.more || changes.length >= limit) {
        return { kind: 'page', changes };
      }
    }
  }

  leaveNote(note: readonly NoteEntry[]): Promise<void> {
    return this.#worker.call('leaveNote', encodeNote(note));
  }

  async takeNote(): Promise<readonly NoteEntry[]> {
    const note = await this.#worker.call('takeNote', undefined);
    return note === undefined ? [] : decodeNote(note);
  }

  close(): Promise<void> {
    this.#closed ??= this.#worker.close();
    return this.#closed;
  }
}
