import type { Change, CommittedChange } from '../lease/change.js';
import type { LeaseKey, LeaseRecord } from '../lease/record.js';

/**
 * Where records and their history live. A store speaks leases, not SQL; all stores pass one contract suite.
 *
 * One coordinator uses a store, from `load` to `close`. It has at most one `commit` under way, and a commit holds at most one change
 * for each lease. A store whose commit threw `OutcomeUnknownError` is done for: it takes nothing more but `close`.
 */
export interface Store {
  /** Hands over every record, reserved names included, in pieces. Called once, before anything else. */
  load(take: (records: readonly LeaseRecord[]) => void): Promise<StoreState>;

  /**
   * Commits all changes or none, durably before it resolves, and gives each its own revision, in their order, without gaps.
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

  /** Frees everything. Idempotent. */
  close(): Promise<void>;
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
