import {
  firstRevision,
  stamp,
  StoreConflictError,
  StoreFullError,
  type Change,
  type Clock,
  type CommittedChange,
  type Follower,
  type HistoryPage,
  type LeaseKey,
  type LeaseRecord,
  type NoteEntry,
  type SharedStore,
  type Store,
  type StoreState,
} from '@leasehold/core';
import { encodeChange } from '../record-codec.js';
import { Append } from './append.js';
import {
  changesPerTransaction,
  recordBytesMax,
  piecesOf,
  put,
  readPiece,
  writeChange,
  writePiece,
  type WrittenChange,
} from './changes.js';
import { EtcdError, type Etcd } from './client.js';
import { claim, giveWay } from './exclusive.js';
import { Feed } from './feed.js';
import { HistoryIndex } from './history-index.js';
import type { Keys, Piece } from './keys.js';
import { readLeases } from './leases.js';
import { MvccCompaction } from './mvcc-compaction.js';
import { leaveNote, takeNote, type NoteParts } from './note.js';
import { keyAfter, pages } from './pages.js';
import { Peers } from './peers.js';
import type { Compare, Event, KeyValue, RangeRequest } from './rpc.js';
import { Session } from './session.js';
import type { SessionTtl } from './session-ttl.js';

/** What a store is made of. */
export interface EtcdStoreParts {
  readonly client: Etcd;
  readonly keys: Keys;
  readonly clock: Clock;
  /** Random, and never used before. */
  readonly session: string;
  readonly ttl: SessionTtl;
  /** How many changes of history are kept at least. */
  readonly historyMax: number;
  /** Whether nobody else is to have it open. */
  readonly alone: boolean;
}

/**
 * A store in etcd that several servers share.
 *
 * All changes are one log. Who appends to it has to have seen all before: every transaction compares the last revision, and what it adds
 * is decided on everything that came before. Each server follows the log by a watch, on which its own session comes back as well; so it
 * knows how old what it knows can be.
 */
export class EtcdStore implements Store, SharedStore {
  readonly changesMax: number = changesPerTransaction;
  readonly recordBytesMax: number = recordBytesMax;
  readonly #parts: EtcdStoreParts;
  readonly #history = new HistoryIndex();
  /** The versions that changes have to rest on. */
  readonly #versions = new Map<LeaseKey, bigint>();
  readonly #compaction: MvccCompaction;
  readonly #peers: Peers;
  readonly #sessions = new Set<string>();
  #own!: Session;
  #feed!: Feed;
  /** The revision of etcd that is loaded; the feed begins after it. */
  #loadedAt = '';
  #revision = 0n;
  #firstRevision = 0n;
  #floor = 0n;
  /** The same in etcd, which a compaction that has not come about leaves behind. */
  #floorStored = 0n;
  #append: { readonly by: string; readonly append: Append } | undefined;
  #appends = 0;
  /** What came before anybody followed. */
  #early: Event[] | undefined = [];
  #follower: Follower | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: EtcdStoreParts) {
    this.#parts = parts;
    const { client, clock, keys, ttl } = parts;
    this.#compaction = new MvccCompaction(client, clock, keys.revision);
    this.#peers = new Peers({ client, clock, ttl, keyOf: (id) => keys.session(id) });
  }

  get shared(): SharedStore {
    return this;
  }

  get session(): string {
    return this.#parts.session;
  }

  get ttlMs(): number {
    return this.#parts.ttl.ms;
  }

  get sessions(): ReadonlySet<string> {
    return this.#sessions;
  }

  get validUntilMs(): number {
    return this.#own.validUntilMs;
  }

  /** Begins a session, and reads what the store needs to know of itself. @throws {InUseError} @throws {EtcdError} */
  async open(): Promise<void> {
    const { keys, clock, client, session: id, ttl } = this.#parts;
    const untilMs = clock.monotonicMs() + 4 * ttl.ms;
    this.#own = await Session.begin(
      {
        ...{ client, clock, id, key: keys.session(id), ttl },
        onSilence: () => (this.#feed as Feed | undefined)?.reconnect(),
        onLost: () => this.#append?.append.giveUp(new Error('etcd: another server has taken this one for gone')),
      },
      untilMs,
    );
    const exclusive = { client, clock, keys, peers: this.#peers, session: id, ttlMs: ttl.ms };
    await (this.#parts.alone ? claim(exclusive) : giveWay(exclusive));
    const sentMs = clock.monotonicMs();
    const { kvs, header } = await client.insist('Range', { key: keys.revision }, untilMs);
    this.#loadedAt = header.revision;
    this.#revision = BigInt(kvs[0]?.value.toString() ?? '0');
    this.#firstRevision = firstRevision(this.#revision, clock.wallMs());
    this.#feed = new Feed(
      { client, clock, range: keys.log, onEvent: this.#onEvent, onGap: (reason) => this.#onGap(reason) },
      BigInt(header.revision),
    );
    await this.#loadLog();
    if (!this.#sessions.has(id)) {
      throw new Error('Open etcd: the session has ended, or another TTL was agreed on, before it was open');
    }
    this.#own.confirmed(sentMs);
  }

  async load(take: (records: readonly LeaseRecord[]) => void): Promise<StoreState> {
    const revision = this.#revision;
    for await (const records of readLeases(this.#parts, this.#loadedAt)) {
      for (const { namespace, name, resourceVersion } of records) this.#versions.set(`${namespace}/${name}`, resourceVersion);
      take(records);
    }
    return { revision };
  }

  async follow(follower: Follower): Promise<void> {
    this.#follower = follower;
    const early = this.#early ?? [];
    this.#early = undefined;
    early.forEach(this.#onEvent);
    const wanted = await this.catchUp();
    const { clock } = this.#parts;
    while (this.#revision < wanted && this.#closed === undefined) {
      // What the feed has missed, or brings too late, it will never bring.
      if (clock.monotonicMs() >= this.validUntilMs) throw new Error('Follow: etcd has not been heard of for too long');
      await new Promise<void>((resolve) => clock.after(catchUpPollMs, resolve));
    }
  }

  async catchUp(): Promise<bigint> {
    const revision = await this.#read(this.#parts.keys.revision);
    return BigInt(revision ?? '0');
  }

  async commit(changes: readonly Change[]): Promise<readonly CommittedChange[]> {
    if (this.#append !== undefined) throw new Error('Commit: another commit is under way');
    // Nobody hears of others who does not follow: then what they have done is not there to be decided on.
    this.#takeEarly();
    this.#checkVersions(changes);
    const next = this.#revision >= this.#firstRevision ? this.#revision + 1n : this.#firstRevision;
    const committed: CommittedChange[] = [];
    const written = changes.map((change, index) => {
      const stamped = stamp(change, next + BigInt(index));
      committed.push(stamped);
      return writeChange(this.#parts.keys.lease(change.key), encodeChange(change, stamped));
    });
    let done = 0;
    let onTopOf = this.#revision;
    for (const piece of piecesOf(written)) {
      // What another server has done since the last piece is known, but this one was not decided on it.
      if (this.#revision !== onTopOf) break;
      try {
        if (!(await this.#appendPiece(piece, committed.slice(done, done + piece.length)))) break;
      } catch (error) {
        // Nothing was changed, says a store that is full. What was before it is.
        if (done === 0 || !(error instanceof StoreFullError)) throw error;
        break;
      }
      done += piece.length;
      onTopOf = piece.at(-1)?.revision ?? onTopOf;
    }
    await this.#compact();
    return committed.slice(0, done);
  }

  async history(after: bigint, limit: number): Promise<HistoryPage> {
    const { keys } = this.#parts;
    if (after < this.#floor) return { kind: 'compacted', oldest: this.#floor };
    if (after !== this.#floor && after !== this.#revision && !this.#history.has(after)) {
      return { kind: 'unknown', oldest: this.#floor };
    }
    const pieces = this.#history.after(after, limit);
    const changes: CommittedChange[] = [];
    let found = 0;
    for await (const kvs of this.#pagesOf(pieces)) {
      found += kvs.length;
      changes.push(...kvs.flatMap(({ value }) => readPiece(value).changes).filter(({ revision }) => revision > after));
    }
    if (found < pieces.length) {
      // Another server has compacted it, of which the feed has not told yet.
      this.#forget(BigInt((await this.#read(keys.floor)) ?? '0'));
      return { kind: 'compacted', oldest: this.#floor };
    }
    return { kind: 'page', changes: changes.slice(0, limit) };
  }

  /** Only the last server to leave knows what is left of the time of all leases. */
  async leaveNote(note: readonly NoteEntry[]): Promise<void> {
    if (this.#sessions.size > 1) return;
    await leaveNote(this.#noteParts(), this.#isLast(), note);
  }

  takeNote(): Promise<readonly NoteEntry[]> {
    return takeNote(this.#noteParts());
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#compaction.stop();
    this.#peers.stop();
    (this.#feed as Feed | undefined)?.stop();
    this.#append?.append.giveUp(new Error('the store was closed'));
    try {
      await (this.#own as Session | undefined)?.end();
    } catch {
      // The others then wait until it has lapsed.
    } finally {
      this.#parts.client.close();
    }
  }

  /** What the log has, but for the changes themselves, as it was at the revision that is loaded. */
  async #loadLog(): Promise<void> {
    const { keys } = this.#parts;
    const floor = await this.#readAt(keys.floor);
    this.#floor = BigInt(floor ?? '0');
    this.#floorStored = this.#floor;
    for await (const kvs of pages(this.#parts, { ...keys.sessions, limit: 1000, revision: this.#loadedAt })) {
      for (const { key, mod_revision } of kvs) {
        const id = keys.sessionOf(key);
        if (id === this.session) this.#sessions.add(id);
        else if (id !== undefined) this.#onPeer(id, mod_revision);
      }
    }
    this.#peers.forgetOthers(this.#sessions);
    for await (const kvs of pages(this.#parts, { ...keys.history, keys_only: true, limit: 10_000, revision: this.#loadedAt })) {
      for (const { key } of kvs) {
        const piece = keys.pieceOf(key);
        if (piece !== undefined) this.#history.add(piece);
      }
    }
  }

  readonly #onEvent = (event: Event): void => {
    const { keys } = this.#parts;
    const { key, value } = event.kv;
    const id = keys.sessionOf(key);
    if (this.#early !== undefined && id !== this.session) {
      this.#early.push(event);
    } else if (id !== undefined) {
      this.#onSession(id, event);
    } else if (event.type === 'PUT' && keys.pieceOf(key) !== undefined) {
      this.#onChanges(key, value);
    } else if (event.type === 'PUT' && key.equals(keys.floor)) {
      this.#floorStored = BigInt(value.toString());
      this.#forget(this.#floorStored);
    }
  };

  #onSession(id: string, { type, kv }: Event): void {
    if (id === this.session) {
      if (type === 'PUT') this.#own.renewed(kv.value.toString());
      else this.#own.deleted();
    } else if (type === 'PUT') {
      this.#onPeer(id, kv.mod_revision);
    } else {
      this.#peers.deleted(id);
      this.#sessions.delete(id);
      this.#follower?.sessionEnded(id);
    }
  }

  #onPeer(id: string, modRevision: string): void {
    this.#peers.seen(id, modRevision);
    this.#sessions.add(id);
  }

  #onChanges(key: Buffer, value: Buffer): void {
    const piece = this.#parts.keys.pieceOf(key);
    // The answer has told already.
    if (piece === undefined || piece.last <= this.#revision) return;
    const { by, changes } = readPiece(value);
    if (by === this.#append?.by) {
      this.#append.append.seen(true);
      return;
    }
    this.#advance(piece, changes);
    this.#append?.append.seen(false);
    this.#follower?.changed(changes);
  }

  /** Without what it has missed this server knows nothing. */
  #onGap(reason: string): void {
    this.#own.deleted();
    this.#append?.append.giveUp(new Error(reason));
  }

  #takeEarly(): void {
    if (this.#early === undefined) return;
    const early = this.#early;
    this.#early = undefined;
    early.forEach(this.#onEvent);
  }

  #advance(piece: Piece, changes: readonly CommittedChange[]): void {
    this.#revision = piece.last;
    this.#history.add(piece);
    for (const { key, record } of changes) {
      if (record === undefined) this.#versions.delete(key);
      else this.#versions.set(key, record.resourceVersion);
    }
  }

  #checkVersions(changes: readonly Change[]): void {
    for (const { key, expected } of changes) {
      const actual = this.#versions.get(key) ?? 0n;
      if (actual !== expected) throw new StoreConflictError(key, expected, actual);
    }
  }

  /** `false`: another server was faster. */
  async #appendPiece(written: readonly WrittenChange[], changes: readonly CommittedChange[]): Promise<boolean> {
    const { keys, client, clock } = this.#parts;
    const by = `${this.session}/${++this.#appends}`;
    const piece = { last: written.at(-1)?.revision ?? 0n, count: written.length };
    const transaction = {
      compare: [this.#isLast()],
      success: [
        ...written.map(({ operation }) => operation),
        put(keys.changes(piece), writePiece(by, written)),
        put(keys.revision, String(piece.last)),
      ],
    };
    const before = this.#revision;
    const append = new Append({
      ...{ client, clock, transaction },
      validUntilMs: () => this.validUntilMs,
      isOpen: async () => (await this.catchUp()) === before,
      onDone: () => this.#advance(piece, changes),
    });
    this.#append = { by, append };
    try {
      return await append.outcome;
    } finally {
      this.#append = undefined;
    }
  }

  async *#pagesOf(pieces: readonly Piece[]): AsyncGenerator<readonly KeyValue[]> {
    const { keys } = this.#parts;
    const [first, last] = [pieces[0], pieces.at(-1)];
    if (first === undefined || last === undefined) return;
    const range = { key: keys.changes(first), range_end: keyAfter(keys.changes(last)) };
    yield* pages(this.#parts, { ...range, limit: pieces.length });
  }

  /** Nothing has been committed after what is known here. */
  #isLast(): Compare {
    return { key: this.#parts.keys.revision, result: 'EQUAL', target: 'VALUE', value: Buffer.from(String(this.#revision)) };
  }

  /** Cut in pieces, so that a commit costs the same however long the history is. One of the servers does it. */
  async #compact(): Promise<void> {
    const { historyMax, keys, client } = this.#parts;
    if (this.#history.length <= historyMax + compactionSlack) return;
    const surplus = this.#history.surplus(historyMax, compactedMax);
    if (surplus === undefined) return;
    const gone = { key: keys.history.key, range_end: keyAfter(keys.changes(surplus)) };
    const compare: Compare = { key: keys.floor, result: 'EQUAL', target: 'VALUE', value: Buffer.from(String(this.#floorStored)) };
    // Before they go: a reader must not take the rest for all.
    this.#forget(surplus.last);
    try {
      const success = [{ request_delete_range: gone }, put(keys.floor, String(surplus.last))];
      await client.call('Txn', { compare: [compare], success });
    } catch (error) {
      // What was committed stays so; another commit tries again.
      if (!(error instanceof EtcdError)) throw error;
    }
  }

  #forget(upTo: bigint): void {
    if (upTo <= this.#floor) return;
    this.#floor = upTo;
    this.#history.forget(upTo);
  }

  #noteParts(): NoteParts {
    return { ...this.#parts, revision: this.#revision, ttlMs: this.ttlMs };
  }

  async #read(key: Buffer): Promise<string | undefined> {
    return this.#readOne({ key });
  }

  async #readAt(key: Buffer): Promise<string | undefined> {
    return this.#readOne({ key, revision: this.#loadedAt });
  }

  async #readOne(request: RangeRequest): Promise<string | undefined> {
    const { client, clock } = this.#parts;
    const { kvs } = await client.insist('Range', request, clock.monotonicMs() + 2 * this.ttlMs);
    return kvs[0]?.value.toString();
  }
}

const compactionSlack = 1024;

/** How many pieces of the history go at once, so that nobody waits for etcd when much more than usual is to go. */
const compactedMax = 1000;

/** While a server that starts waits for what was done since it has loaded. */
const catchUpPollMs = 10;
