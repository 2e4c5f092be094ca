import {
  firstRevision,
  OutcomeUnknownError,
  stamp,
  StoreConflictError,
  StoreFullError,
  type Change,
  type Clock,
  type CommittedChange,
  type HistoryPage,
  type LeaseKey,
  type LeaseRecord,
  type NoteEntry,
  type Store,
  type StoreState,
} from '@leasehold/core';
import {
  decodeChange,
  decodeLeases,
  decodeNote,
  encodeChange,
  encodeNote,
  type ChangeRow,
  type HistoryRow,
} from '../record-codec.js';
import { EtcdError, type EtcdClient } from './client.js';
import { HistoryIndex } from './history-index.js';
import type { KeyRange, Keys } from './keys.js';
import { MvccCompaction } from './mvcc-compaction.js';
import type { Ownership } from './ownership.js';
import type { KeyValue, Operation } from './rpc.js';

/** What a store is made of, once it is the server's own. */
export interface EtcdStoreParts {
  readonly client: EtcdClient;
  readonly keys: Keys;
  readonly ownership: Ownership;
  readonly clock: Clock;
  /** How many changes of history are kept at least. */
  readonly historyMax: number;
  /** How long etcd may not answer before a read fails, in milliseconds. */
  readonly patienceMs: number;
}

/**
 * A store in etcd, for one server at a time. Every transaction compares that this server still is the owner; so does what decides the fate
 * of one whose answer was lost. A commit of more changes than a transaction takes is cut: should the server end in between, those of
 * the first pieces are there, in their order.
 */
export class EtcdStore implements Store {
  readonly #parts: EtcdStoreParts;
  readonly #history = new HistoryIndex();
  /** The versions that changes have to rest on. */
  readonly #versions = new Map<LeaseKey, bigint>();
  readonly #compaction: MvccCompaction;
  #revision = 0n;
  #nextRevision = 0n;
  #floor = 0n;
  #isCommitting = false;
  #closed: Promise<void> | undefined;

  constructor(parts: EtcdStoreParts) {
    this.#parts = parts;
    this.#compaction = new MvccCompaction(parts.client, parts.clock, parts.keys.revision);
  }

  get validUntilMs(): number {
    return this.#parts.ownership.validUntilMs;
  }

  /** Reads what it needs to know of itself, and makes what is not there yet. @throws {EtcdError} */
  async open(): Promise<void> {
    const { keys, clock } = this.#parts;
    const [revision, floor] = await Promise.all([this.#read(keys.revision), this.#read(keys.floor)]);
    if (revision === undefined) {
      this.#revision = firstRevision(0n, clock.wallMs());
      this.#floor = this.#revision;
      const made = String(this.#revision);
      await this.#write([put(keys.schema, JSON.stringify({ schema: 1 })), put(keys.revision, made), put(keys.floor, made)]);
    } else {
      this.#revision = BigInt(revision);
      this.#floor = BigInt(floor ?? revision);
    }
    this.#nextRevision = firstRevision(this.#revision, clock.wallMs());
    for await (const kvs of this.#pages(keys.history, { keys_only: true, limit: 10_000 })) {
      for (const { key } of kvs) this.#history.add(keys.pieceOf(key));
    }
  }

  async load(take: (records: readonly LeaseRecord[]) => void): Promise<StoreState> {
    const { keys } = this.#parts;
    for await (const kvs of this.#pages(keys.leases, { limit: 1000 })) {
      const rows = kvs.map(({ key, value }) => {
        const [namespace = '', name = ''] = keys.nameOf(key).split('/');
        // The value is the list of the version and the rest.
        return `[${JSON.stringify(namespace)},${JSON.stringify(name)},${value.toString().slice(1)}`;
      });
      const records = decodeLeases(`[${rows.join(',')}]`);
      for (const { namespace, name, resourceVersion } of records) this.#versions.set(`${namespace}/${name}`, resourceVersion);
      take(records);
    }
    return { revision: this.#revision };
  }

  async commit(changes: readonly Change[]): Promise<readonly CommittedChange[]> {
    if (this.#isCommitting) throw new Error('Commit: another commit is under way');
    this.#checkVersions(changes);
    const committed: CommittedChange[] = [];
    const rows = changes.map((change, index) => {
      const stamped = stamp(change, this.#nextRevision + BigInt(index));
      committed.push(stamped);
      return encodeChange(change, stamped);
    });
    this.#isCommitting = true;
    try {
      await this.#commitPieces(rows);
    } finally {
      this.#isCommitting = false;
    }
    return committed;
  }

  async history(after: bigint, limit: number): Promise<HistoryPage> {
    const { keys, client, clock, patienceMs } = this.#parts;
    if (after < this.#floor) return { kind: 'compacted', oldest: this.#floor };
    if (after !== this.#floor && after !== this.#revision && !this.#history.has(after)) {
      return { kind: 'unknown', oldest: this.#floor };
    }
    const changes: CommittedChange[] = [];
    let from = keys.changes({ last: after + 1n, count: 0 });
    while (changes.length < limit) {
      const request = { key: from, range_end: keys.history.range_end, limit: Math.min(limit - changes.length, historyPieces) };
      const { kvs, more } = await client.insist('Range', request, clock.monotonicMs() + patienceMs);
      changes.push(...kvs.flatMap(({ value }) => readChanges(value)).filter(({ revision }) => revision > after));
      const last = kvs.at(-1);
      if (!more || last === undefined) break;
      from = next(last.key);
    }
    // Compacted while it was read: then there may be a gap.
    if (after < this.#floor) return { kind: 'compacted', oldest: this.#floor };
    return { kind: 'page', changes: changes.slice(0, limit) };
  }

  async leaveNote(note: readonly NoteEntry[]): Promise<void> {
    await this.#write([put(this.#parts.keys.note, encodeNote(note))]);
  }

  async takeNote(): Promise<readonly NoteEntry[]> {
    const { keys } = this.#parts;
    const note = await this.#read(keys.note);
    if (note === undefined) return [];
    await this.#write([{ request_delete_range: { key: keys.note } }]);
    return decodeNote(note);
  }

  close(): Promise<void> {
    const { ownership, client } = this.#parts;
    this.#compaction.stop();
    this.#closed ??= ownership
      .release()
      // Whoever is the next one then waits until it has lapsed.
      .catch(() => undefined)
      .finally(() => client.close());
    return this.#closed;
  }

  #checkVersions(changes: readonly Change[]): void {
    for (const { key, expected } of changes) {
      const actual = this.#versions.get(key) ?? 0n;
      if (actual !== expected) throw new StoreConflictError(key, expected, actual);
    }
  }

  async #commitPieces(rows: readonly ChangeRow[]): Promise<void> {
    let done = 0;
    for (const piece of piecesOf(rows)) {
      try {
        await this.#commitPiece(piece, piece.at(-1)?.revision ?? 0n);
      } catch (error) {
        // Nothing was changed, says a store that is full; here something was.
        throw done > 0 && error instanceof StoreFullError ? unknownOutcome(error) : error;
      }
      done += piece.length;
    }
  }

  async #commitPiece(rows: readonly ChangeRow[], last: bigint): Promise<void> {
    const { keys } = this.#parts;
    const piece = { last, count: rows.length };
    const key = keys.changes(piece);
    await this.#write(
      [
        ...rows.map((row) => writeLease(keys.lease(`${row.namespace}/${row.name}`), row)),
        put(key, JSON.stringify(rows.map(storedRow))),
        put(keys.revision, String(last)),
      ],
      async () => (await this.#read(key)) !== undefined,
    );
    for (const { namespace, name, body, revision } of rows) {
      if (body === null) this.#versions.delete(`${namespace}/${name}`);
      else this.#versions.set(`${namespace}/${name}`, revision);
    }
    this.#revision = last;
    this.#nextRevision = last + 1n;
    this.#history.add(piece);
    await this.#compact();
  }

  /** Cut in pieces, so that a commit costs the same however long the history is. */
  async #compact(): Promise<void> {
    const { historyMax, keys } = this.#parts;
    if (this.#history.length <= historyMax + compactionSlack) return;
    const surplus = this.#history.surplus(historyMax);
    if (surplus === undefined) return;
    const gone = { key: keys.history.key, range_end: next(keys.changes(surplus)) };
    // Before they go: a reader must not take the rest for all.
    this.#floor = surplus.last;
    try {
      await this.#write([{ request_delete_range: gone }, put(keys.floor, String(surplus.last))]);
      this.#history.forget(surplus.last);
    } catch (error) {
      // What was committed stays so; the next commit tries again.
      if (!(error instanceof StoreFullError)) throw error;
    }
  }

  /**
   * Writes, as the owner. An answer that is lost is looked for: what was sent can land no more once the owner has another text, and then it
   * either is there or is sent again.
   *
   * @param isDone whether it is there; by default it is sent again, which then has to do no harm.
   * @throws {StoreFullError} there is no room. @throws {OutcomeUnknownError} it is not the owner any more, or etcd does not answer.
   */
  async #write(success: readonly Operation[], isDone = (): Promise<boolean> => Promise.resolve(false)): Promise<void> {
    const { client, ownership } = this.#parts;
    for (;;) {
      try {
        const { succeeded } = await client.call('Txn', { compare: [ownership.proof], success });
        if (succeeded) return;
        throw new Error('etcd: another server has become the owner of the store');
      } catch (error) {
        if (error instanceof EtcdError && error.isFull) return this.#writeWhenFull(error, isDone);
        if (!(error instanceof EtcdError) || error.isRefusal) throw unknownOutcome(error);
      }
      try {
        await ownership.renounceWhatWasSent();
        if (await isDone()) return;
      } catch (error) {
        throw unknownOutcome(error);
      }
    }
  }

  /** The transaction that finds etcd full says so, and is done all the same (applierV3 with a quota); those after it are not. */
  async #writeWhenFull(error: EtcdError, isDone: () => Promise<boolean>): Promise<void> {
    const done = await isDone().catch((failure: unknown) => {
      throw unknownOutcome(failure);
    });
    if (!done) throw new StoreFullError(error.message, { cause: error });
  }

  async #read(key: Buffer): Promise<string | undefined> {
    const { client, clock, patienceMs } = this.#parts;
    const { kvs } = await client.insist('Range', { key }, clock.monotonicMs() + patienceMs);
    return kvs[0]?.value.toString();
  }

  async *#pages(range: KeyRange, how: { limit: number; keys_only?: boolean }): AsyncGenerator<readonly KeyValue[]> {
    const { client, clock, patienceMs } = this.#parts;
    for (let from = range.key; ;) {
      const request = { ...range, ...how, key: from };
      const { kvs, more } = await client.insist('Range', request, clock.monotonicMs() + patienceMs);
      yield kvs;
      const last = kvs.at(-1);
      if (!more || last === undefined) return;
      from = next(last.key);
    }
  }
}

/** What etcd takes in one transaction by default is 128 operations (--max-txn-ops), and 1.5 MiB (--max-request-bytes). */
const changesPerTransaction = 120;
const charactersPerTransaction = 512 * 1024;

/** How many keys of the history are read at once. */
const historyPieces = 256;

const compactionSlack = 1024;

function* piecesOf(rows: readonly ChangeRow[]): Generator<readonly ChangeRow[]> {
  let piece: ChangeRow[] = [];
  let characters = 0;
  for (const row of rows) {
    const size = (row.body?.length ?? 0) + row.events.length;
    if (piece.length === changesPerTransaction || (piece.length > 0 && characters + size > charactersPerTransaction)) {
      yield piece;
      [piece, characters] = [[], 0];
    }
    piece.push(row);
    characters += size;
  }
  if (piece.length > 0) yield piece;
}

function writeLease(key: Buffer, { revision, body }: ChangeRow): Operation {
  return body === null ? { request_delete_range: { key } } : put(key, `["${revision}",${body}]`);
}

/** A row of the history as it stands in a piece. */
function storedRow({ revision, namespace, name, body, events }: ChangeRow): unknown[] {
  return [String(revision), namespace, name, body, events];
}

function readChanges(value: Buffer): CommittedChange[] {
  const rows = JSON.parse(value.toString()) as [string, string, string, string | null, string][];
  return rows.map(([revision, namespace, name, body, events]) => {
    const row: HistoryRow = { revision: BigInt(revision), namespace, name, body, events };
    return decodeChange(row);
  });
}

function put(key: Buffer, value: string): Operation {
  return { request_put: { key, value: Buffer.from(value) } };
}

/** The key that follows directly. */
function next(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

function unknownOutcome(cause: unknown): OutcomeUnknownError {
  return new OutcomeUnknownError(`Commit: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
