import Database from 'better-sqlite3';
import { StoreOpenError } from './open-error.js';

/**
 * Keeps a store to one process: an exclusive transaction on a database beside it, in which nothing is ever written. The operating
 * system frees it when the process dies, however it dies. The store itself stays open to readers such as a backup.
 *
 * @throws {StoreOpenError} `LOCKED`, `UNUSABLE`
 */
export function lockFile(file: string): Database.Database {
  const path = `${file}.lock`;
  let lock: Database.Database | undefined;
  try {
    lock = new Database(path, { timeout: 0 });
    // No journal, which a crash would leave lying about.
    lock.pragma('journal_mode = MEMORY');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock?.close();
    if (cause instanceof Database.SqliteError && cause.code === 'SQLITE_BUSY') {
      throw new StoreOpenError(
        'LOCKED',
        `Open store ${file}: another server has it open. Stop that server first, or give this one a file of its own`,
        { cause },
      );
    }
    throw new StoreOpenError(
      'UNUSABLE',
      `Open store ${file}: its lock file ${path} cannot be used (${String(cause)}). Check that the directory exists and can be written`,
      { cause },
    );
  }
}
