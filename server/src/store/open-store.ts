import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MemoryStore, type Clock, type Store } from '@leasehold/core';
import { readOptionFile } from '../options/file.js';
import type { ServerOptions } from '../options/table.js';
import type { EtcdCredentials, EtcdTls } from './etcd/client.js';
import { openEtcdStore } from './etcd/index.js';
import { openSqliteStore } from './sqlite/index.js';
import { refuseUnfinished } from './unfinished.js';

/** Where is said what is wrong with a store. */
export interface StoreLog {
  warn(message: string): void;
}

/** What opening a store needs besides the options. */
export interface OpenStoreParts {
  readonly clock: Clock;
  readonly log: StoreLog;
  /** Opens it for nobody else. Default: as many servers as the store can take. */
  readonly alone?: boolean;
}

/**
 * Opens the store that the options name. The directory of a SQLite file is made if it is not there. One into which a migration was not
 * finished is not loaded.
 */
export async function openStore(options: ServerOptions, parts: OpenStoreParts): Promise<Store> {
  return refuseUnfinished(await openAnyStore(options, parts));
}

/** Does the same, and has also loaded what a migration has left unfinished. */
export async function openAnyStore(options: ServerOptions, { clock, log, alone = false }: OpenStoreParts): Promise<Store> {
  const { store, historyMax } = options;
  const wallMs = (): number => clock.wallMs();
  switch (store.kind) {
    case 'memory':
      return new MemoryStore({ wallMs, historyMax });
    case 'sqlite':
      await mkdir(dirname(store.path), { recursive: true });
      return openSqliteStore({ file: store.path, wallMs, historyMax });
    case 'etcd':
      return openEtcdStore({
        ...{ endpoints: store.endpoints, prefix: options.etcdPrefix, clock, historyMax, alone },
        ttlMs: options.etcdSessionTtl,
        credentials: await credentialsOf(options),
        tls: await tlsOf(options),
        onWarning: (warning) => log.warn(warning),
      });
  }
}

async function credentialsOf({ etcdUser, etcdPasswordFile }: ServerOptions): Promise<EtcdCredentials | undefined> {
  if (etcdUser === undefined || etcdPasswordFile === undefined) {
    return undefined;
  }
  const password = await readOptionFile('--etcd-password-file', etcdPasswordFile);
  return { name: etcdUser, password: password.toString().replace(/\r?\n$/, '') };
}

async function tlsOf({ etcdCa, etcdCert, etcdKey }: ServerOptions): Promise<EtcdTls> {
  const read = (flag: string, path: string | undefined): Promise<Buffer> | undefined =>
    path === undefined ? undefined : readOptionFile(flag, path);
  return {
    ca: await read('--etcd-ca', etcdCa),
    cert: await read('--etcd-cert', etcdCert),
    key: await read('--etcd-key', etcdKey),
  };
}
