import type { Change, CommittedChange } from '../lease/change.js';
import type { LeaseKey, LeaseRecord } from '../lease/record.js';

/**
 * Where records and their history live. A store speaks leases, not SQL; all stores pass one contract suite.
 *
 * One coordinator uses a store, from `load` to `close`. It has at most one `commit` under way, and a commit holds at most one change
 * for each lease, and at most `changesMax` of them. Several servers may work on the same data, if it is `shared`. A store whose commit threw `OutcomeUnknownError` is done for: it takes nothing more but `close`.
 */
export interface Store {
  /** Hands over every record, reserved names included, in pieces. Called once, before anything else. */
  load(take: (records: readonly LeaseRecord[]) => void): Promise<StoreState>;

  /**
   * Commits all changes or none, durably before it resolves, and gives each its own revision, in their order, without gaps.
   * Where the data is shared it may be the first of them only, down to none: another server was faster, and the others have to be decided
   * again on what that has done, which `follow` hands over.
   *
   * @throws {StoreConflictError} a change rests on a version that is not the current one; nothing was changed.
   * @throws {StoreFullError} there is no room; nothing was changed.
   * @throws {OutcomeUnknownError} the changes may or may not be there after a restart.
   */
  commit(changes: readonly Change[]): Promise<readonly CommittedChange[]>;

  /**
   * Reads committed changes after a revision, oldest first, at most `limit` of them. A page shorter than `limit` ends at what was
   * the current revision when it was read.
   */
  history(after: bigint, limit: number): Promise<HistoryPage>;

  /** Stores what a clean shutdown knows about the time left, after the last commit. */
  leaveNote(note: readonly NoteEntry[]): Promise<void>;

  /** Reads what the last clean shutdown left, and removes it durably before it resolves. Empty after a crash. */
  takeNote(): Promise<readonly NoteEntry[]>;

  /**
   * Until when nobody else can have opened the same data, on the monotonic clock: from then on nothing may be answered from memory, and the
   * store is done for. It is put off while all is well. Absent: nobody can as long as it is open.
   */
  readonly validUntilMs?: number;

  /** How many changes a commit may hold. Absent: any number. */
  readonly changesMax?: number;

  /** See `Limits`. */
  readonly recordBytesMax?: number;

  /** What this server shares the data with others by. Absent: nobody else works on it. */
  readonly shared?: SharedStore;

  /** Frees everything. Idempotent. */
  close(): Promise<void>;
}

/**
 * Data that several servers work on. Each of them has a session, which it renews as long as it lives, and which ends when it leaves or is
 * not heard of.
 */
export interface SharedStore {
  /** The session of this server: random, and never used again. */
  readonly session: string;

  /** For how long a session lives that is not renewed, in milliseconds. */
  readonly ttlMs: number;

  /** The sessions that live, that of this server included, as far as they have been handed over. */
  readonly sessions: ReadonlySet<string>;

  /**
   * Hands over what others do, in the order of revisions, from `load` on. Resolves once what had been done before the call has been.
   * Called once.
   */
  follow(follower: Follower): Promise<void>;

  /**
   * Resolves to the last revision of all that was committed anywhere before the call, once it has been handed over.
   *
   * @throws nobody knows.
   */
  catchUp(): Promise<bigint>;
}

/** Hears what other servers on the same data do. */
export interface Follower {
  /** Changes of another server; a commit of this server's that was under way then resolves to fewer than it was given. */
  changed(changes: readonly CommittedChange[]): void;

  /** A session has ended: what its server attended is attended by nobody. */
  sessionEnded(session: string): void;
}

export interface StoreState {
  /** The last committed revision. Never 0: making a store takes a revision, so that a watch can start from an empty list. */
  readonly revision: bigint;
}

/** A part of the history, or why there is none. */
export type HistoryPage =
  | { readonly kind: 'page'; readonly changes: readonly CommittedChange[] }
  /** `after` is older than what is kept. */
  | { readonly kind: 'compacted'; readonly oldest: bigint }
  /** `after` was never the revision of a change here. */
  | { readonly kind: 'unknown'; readonly oldest: bigint };

/** The time left of one lease at a clean shutdown; counts only for the same token. */
export interface NoteEntry {
  readonly key: LeaseKey;
  readonly fencingToken: bigint;
  /** Until the deadline, of a held lease; until it can be granted, of one in a lock delay or reserved. Not negative. */
  readonly remainingMs: number;
}

/**
 * The first revision after an open: above every one committed, and at least the wall clock in microseconds, so that a restored or
 * copied-back file does not repeat one.
 */
export function firstRevision(last: bigint, wallMs: number): bigint {
  const wallMicros = BigInt(Math.floor(wallMs * 1000));
  return last >= wallMicros ? last + 1n : wallMicros;
}

/** A change rests on a version that is not the current one. */
export class StoreConflictError extends Error {
  override readonly name = 'StoreConflictError';
  readonly key: LeaseKey;

  constructor(key: LeaseKey, expected: bigint, actual: bigint) {
    super(`Commit ${key}: rests on version ${expected}, the store has ${actual}`);
    this.key = key;
  }
}

/** There is no room for a commit; nothing was changed. */
export class StoreFullError extends Error {
  override readonly name = 'StoreFullError';
}

/** A commit failed so that nobody knows whether it will be there after a restart. */
export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError';
}
