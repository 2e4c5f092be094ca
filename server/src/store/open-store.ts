import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MemoryStore, type Clock, type Store } from '@leasehold/core';
import type { ServerOptions } from '../options/table.js';
import { openSqliteStore } from './sqlite/index.js';

/** Opens the store that the options name. The directory of a SQLite file is made if it is not there. */
export async function openStore(
  { store, historyMax }: Pick<ServerOptions, 'store' | 'historyMax'>,
  clock: Clock,
): Promise<Store> {
  const wallMs = (): number => clock.wallMs();
  switch (store.kind) {
    case 'memory':
      return new MemoryStore({ wallMs, historyMax });
    case 'sqlite':
      await mkdir(dirname(store.path), { recursive: true });
      return openSqliteStore({ file: store.path, wallMs, historyMax });
  }
}
