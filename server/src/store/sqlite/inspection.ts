import { closeSync, existsSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { StoreOpenError } from './open-error.js';
import { applicationId, schemaVersion } from './schema.js';

/**
 * Looks at a store without changing it: whether it is one, whether this version can read it, and whether it is whole. Reads through a
 * read-only connection, because closing an ordinary one would write what a crash left in the log into a file that may be damaged.
 *
 * @param newestVersion the newest schema version that can be read.
 * @returns whether there is a store; `false`: it is still to be made.
 * @throws {StoreOpenError} there is something that must not be opened; the file is as it was.
 */
export function inspect(file: string, newestVersion: number): boolean {
  if (!existsSync(file) || statSync(file).size === 0) {
    refuseOrphanedLog(file);
    return false;
  }
  const own = [`${file}-shm`, `${file}-wal`].filter((path) => !existsSync(path));
  try {
    readThrough(file);
    inspectContent(file, newestVersion);
    return true;
  } catch (error) {
    // Only what this look itself brought about goes. The log of a crash stays: it belongs to the store.
    own.forEach((path) => {
      rmSync(path, { force: true });
    });
    throw asOpenError(file, error);
  }
}

/** Makes an error of SQLite that stops an open one that says what to do. */
export function asOpenError(file: string, error: unknown): StoreOpenError {
  if (error instanceof StoreOpenError) {
    return error;
  }
  const code = error instanceof Database.SqliteError ? error.code : '';
  if (code === 'SQLITE_NOTADB') {
    return new StoreOpenError(
      'NOT_SQLITE',
      `Open store ${file}: the file is not a SQLite database. It was left as it is: name another file, or move this one away`,
      { cause: error },
    );
  }
  if (code.startsWith('SQLITE_CORRUPT')) {
    return damaged(file, String(error), error);
  }
  return new StoreOpenError(
    'UNUSABLE',
    `Open store ${file}: ${String(error)}. Check that the file and its directory can be read and written and that the disk works`,
    { cause: error },
  );
}

function inspectContent(file: string, newestVersion: number): void {
  const database = new Database(file, { readonly: true, fileMustExist: true });
  try {
    if (database.pragma('application_id', { simple: true }) !== applicationId) {
      throw new StoreOpenError(
        'FOREIGN',
        `Open store ${file}: the file is a SQLite database of another application. It was left as it is: name another file`,
      );
    }
    const version = schemaVersion(database);
    if (version > newestVersion) {
      throw new StoreOpenError(
        'NEWER_SCHEMA',
        `Open store ${file}: it has schema version ${version}, this server knows versions up to ${newestVersion}. It was left as it is: ` +
          `run the newer Leasehold that wrote it, or put back a copy from before the upgrade`,
      );
    }
    const finding = database.pragma('quick_check(1)', { simple: true });
    if (finding !== 'ok') {
      throw damaged(file, String(finding).replaceAll('\n', ' '));
    }
  } finally {
    database.close();
  }
}

/**
 * Brings the file into the operating system's memory in one sweep. The integrity check follows the trees, page by page in no order of the
 * disk: for a million leases that are not in memory it takes 15 seconds without this, and 1 second after 1.5 of reading.
 */
function readThrough(file: string): void {
  const descriptor = openSync(file, 'r');
  try {
    const piece = Buffer.allocUnsafe(1024 * 1024);
    while (readSync(descriptor, piece) > 0);
  } finally {
    // No connection of this process has the file yet: closing a descriptor would free its locks.
    closeSync(descriptor);
  }
}

/** SQLite would play the log of a lost file into the new one. */
function refuseOrphanedLog(file: string): void {
  const log = `${file}-wal`;
  if (existsSync(log) && statSync(log).size > 0) {
    throw new StoreOpenError(
      'DAMAGED',
      `Open store ${file}: the file is missing, but ${log} holds changes of it. Put the file back, or move ${log} away to start empty`,
    );
  }
}

function damaged(file: string, finding: string, cause?: unknown): StoreOpenError {
  return new StoreOpenError(
    'DAMAGED',
    `Open store ${file}: the integrity check failed (${finding}). It was left as it is: put back a copy, or keep this file ` +
      `and recover what can be read from it with the .recover command of sqlite3`,
    { cause },
  );
}
