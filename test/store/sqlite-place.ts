import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore, type SqliteStoreOptions } from '../../server/dist/store/sqlite/index.js';
import type { Store } from '@leasehold/core';
import type { StorePlace } from './contract.js';

export interface SqlitePlace extends StorePlace {
  /** Removed with the place. */
  readonly directory: string;
  readonly file: string;
  open(options?: Partial<SqliteStoreOptions>): Promise<Store>;
}

/** A directory of its own with a SQLite store in it. */
export async function sqlitePlace(): Promise<SqlitePlace> {
  const directory = await mkdtemp(join(tmpdir(), 'leasehold-store-'));
  const file = join(directory, 'store.db');
  const place: SqlitePlace = {
    directory,
    file,
    wallMs: 1_800_000_000_000,
    open: (options) => openSqliteStore({ file, wallMs: () => place.wallMs, ...options }),
    copy: async () => {
      const copy = join(directory, 'copy.db');
      await copyFile(file, copy);
      return () => copyFile(copy, file);
    },
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
  return place;
}
