import type { LeaseKey } from '@leasehold/core';
import Database from 'better-sqlite3';
import type { Failure } from './messages.js';

/** A change rests on a version that is not the current one. */
export class ConflictError extends Error {
  readonly key: LeaseKey;
  readonly expected: bigint;
  readonly actual: bigint;

  constructor(key: LeaseKey, expected: bigint, actual: bigint) {
    super(`${key} rests on version ${expected}, the store has ${actual}`);
    this.key = key;
    this.expected = expected;
    this.actual = actual;
  }
}

/** A write that was not done, or of which nobody knows. */
export class WriteError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, cause: unknown) {
    super(`Write store: ${String(cause)}`, { cause });
    this.failure = failure;
  }
}

/**
 * Does `work` in one durable transaction: all of it or nothing.
 *
 * @param mark reads what `work` changes; by it a full disk is believed only if nothing changed.
 * @throws {WriteError}
 */
export function write<T>(database: Database.Database, work: () => T, mark: () => unknown): T {
  let before: unknown;
  try {
    before = mark();
    return database.transaction(work).immediate();
  } catch (error) {
    throw new WriteError(
      failureOf(database, error, () => mark() === before),
      error,
    );
  }
}

/** Whether housekeeping that failed can be tried again later: there was no room, or another program was at the file. */
export function isPassing(error: unknown): boolean {
  return error instanceof Database.SqliteError && ['SQLITE_FULL', 'SQLITE_BUSY', 'SQLITE_LOCKED'].includes(error.code);
}

/** Only where it is certain that nothing was written is a failure anything but `unknown`. */
function failureOf(database: Database.Database, error: unknown, isUnchanged: () => boolean): Failure {
  const message = String(error);
  if (error instanceof ConflictError && !database.inTransaction) {
    return { kind: 'conflict', key: error.key, expected: error.expected, actual: error.actual };
  }
  // The page that makes a transaction valid is the last one written, so one that found no room for it never counts.
  const isFull = error instanceof Database.SqliteError && error.code === 'SQLITE_FULL';
  return isFull && !database.inTransaction && succeeds(isUnchanged) ? { kind: 'full', message } : { kind: 'unknown', message };
}

function succeeds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
