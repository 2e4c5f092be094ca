import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MemoryStore, type Clock, type Store } from '@leasehold/core';
import { readOptionFile } from '../options/file.js';
import { readCertificates, readPair } from '../options/pem.js';
import type { ServerOptions } from '../options/table.js';
import type { EtcdCredentials, EtcdTls } from './etcd/client.js';
import { InUseError } from './etcd/exclusive.js';
import { openEtcdStore } from './etcd/index.js';
import { openSqliteStore, StoreOpenError } from './sqlite/index.js';
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
      await makeFolder(dirname(store.path));
      return openSqliteStore({ file: store.path, wallMs, historyMax });
    case 'etcd':
      return openEtcdStore({
        ...{ endpoints: store.endpoints, prefix: options.etcdPrefix, clock, historyMax, alone },
        ttlMs: options.etcdSessionTtl,
        credentials: await credentialsOf(options),
        tls: await tlsOf(options),
        onWarning: (warning) => log.warn(warning),
      }).catch((error: unknown) => {
        throw error instanceof InUseError ? new InUseError(`etcd:${store.endpoints.join(',')} ${error.message}`) : error;
      });
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreOpenError('UNUSABLE', `Open store: the folder ${path} cannot be made: ${why}`, { cause: error });
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
  const pair = etcdCert === undefined || etcdKey === undefined ? undefined : await readPair('etcd', etcdCert, etcdKey);
  return {
    ca: etcdCa === undefined ? undefined : await readCertificates('--etcd-ca', etcdCa),
    cert: pair?.cert,
    key: pair?.key,
  };
}
