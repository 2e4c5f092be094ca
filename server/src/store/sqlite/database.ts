import { closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { asOpenError, inspect } from './inspection.js';
import { lockFile } from './lock-file.js';
import { applicationId, migrate } from './schema.js';

/** What the worker needs to open a store. */
export interface DatabaseOptions {
  readonly file: string;
  /** The revision that making the store takes, if it has to be made. */
  readonly makingRevision: bigint;
  readonly migrations: readonly string[];
  /** How many pages the file may have; `undefined`: as many as the disk takes. */
  readonly pagesMax: number | undefined;
}

/** An open store: whole, of the newest schema, durable as it stands, and this process' own. */
export interface OpenDatabase {
  readonly database: Database.Database;
  close(): void;
}

/** Opens a store, and makes it where there is none. @throws {StoreOpenError} */
export function openDatabase(options: DatabaseOptions): OpenDatabase {
  const file = resolveLinks(options.file);
  const lock = lockFile(file);
  let database: Database.Database | undefined;
  try {
    if (!inspect(file, options.migrations.length)) {
      make(file, options);
    }
    database = new Database(file, { fileMustExist: true });
    prepare(database, options);
    const opened = database;
    return {
      database: opened,
      close() {
        opened.close();
        lock.close();
      },
    };
  } catch (error) {
    database?.close();
    lock.close();
    throw asOpenError(file, error);
  }
}

/** The file that is meant, so that two names of one file have one lock. */
function resolveLinks(file: string): string {
  try {
    return existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file));
  } catch (error) {
    throw asOpenError(file, error);
  }
}

/** Makes a store under another name and moves it into place, so that a crash leaves a whole one or none. */
function make(file: string, options: DatabaseOptions): void {
  const draft = `${file}.new`;
  for (const path of [draft, `${draft}-journal`, `${draft}-wal`, `${draft}-shm`]) {
    rmSync(path, { force: true });
  }
  const database = new Database(draft);
  try {
    database.pragma(`application_id = ${applicationId}`);
    migrate(database, options.migrations);
    database.prepare("INSERT INTO meta (key, value) VALUES ('floor', ?)").run(options.makingRevision);
    database.pragma('journal_mode = WAL');
  } finally {
    database.close();
  }
  renameSync(draft, file);
  syncDirectory(dirname(file));
}

function prepare(database: Database.Database, options: DatabaseOptions): void {
  if (database.pragma('journal_mode = WAL', { simple: true }) !== 'wal') {
    throw new Error('its file system does not take a write-ahead log: use a local disk');
  }
  database.pragma('synchronous = FULL');
  // Checkpoints are made between commits, not inside them.
  database.pragma('wal_autocheckpoint = 0');
  migrate(database, options.migrations);
  if (options.pagesMax !== undefined) {
    database.pragma(`max_page_count = ${options.pagesMax}`);
  }
  settle(database);
}

/**
 * Makes durable what is about to be loaded. After an I/O error the log may hold a commit that only the operating system's memory has:
 * served without this, it could be gone after the next power loss.
 */
function settle(database: Database.Database): void {
  const [result] = database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
  if (result?.busy !== 0) {
    throw new Error('another program reads the file and does not let its log be written back');
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
