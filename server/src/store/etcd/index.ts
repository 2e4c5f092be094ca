import { randomUUID } from 'node:crypto';
import { firstRevision, type Clock, type Store } from '@leasehold/core';
import { put } from './changes.js';
import { EtcdClient, type Etcd, type EtcdClientOptions } from './client.js';
import { Keys } from './keys.js';
import type { RangeRequest } from './rpc.js';
import type { SessionTtl } from './session-ttl.js';
import { EtcdStore } from './store.js';
import { agreeOnTtl } from './ttl-agreement.js';

export interface EtcdStoreOptions extends Omit<EtcdClientOptions, 'timeoutMs'> {
  readonly clock: Clock;
  /** What all keys begin with. Default `/leasehold/`. */
  readonly prefix?: string;
  /** How many changes of history are kept at least. Default 1,000,000. */
  readonly historyMax?: number;
  /** After how long the others take a server for gone that is not heard of, in milliseconds. Default: as it is, at first 3,000. */
  readonly ttlMs?: number | undefined;
  /** How long etcd may take to answer at all, in milliseconds. Default 10,000. */
  readonly answerMs?: number;
  /** Opens it for nobody else. Default: false. */
  readonly alone?: boolean;
  /** Told what is known to be wrong with the version of an etcd. */
  readonly onWarning?: (warning: string) => void;
}

/** Why a store cannot be opened. */
class EtcdOpenError extends Error {
  override readonly name = 'EtcdOpenError';
}

/**
 * Opens the store in etcd, which any number of servers can have open at the same time.
 *
 * @throws {InUseError} somebody has it for itself, or is to have it so, or others have it open with another TTL.
 * @throws {EtcdOpenError} what stands under the prefix is somebody else's, or of a newer Leasehold; nothing was changed.
 * @throws {EtcdError} etcd does not answer, or refuses.
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const { clock, prefix = '/leasehold/', historyMax = 1_000_000, alone = false } = options;
  const keys = new Keys(prefix);
  const ttl = await prepare(options, keys);
  const client = new EtcdClient({ ...options, timeoutMs: ttl.ms / 2 });
  const store = new EtcdStore({ client, keys, clock, session: randomUUID(), ttl, historyMax, alone });
  try {
    await store.open();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Makes what every store has, unless it is there. Returns what the servers on it have agreed on. */
async function prepare(options: EtcdStoreOptions, keys: Keys): Promise<SessionTtl> {
  const { clock, onWarning, answerMs = 10_000 } = options;
  const client = new EtcdClient(options);
  try {
    const untilMs = clock.monotonicMs() + answerMs;
    const { version } = await client.insist('Status', {}, untilMs);
    const warning = warningOf(version);
    if (warning !== undefined) onWarning?.(warning);
    await makeSchema({ client, keys, untilMs, wallMs: clock.wallMs() });
    return await agreeOnTtl({ client, clock, keys }, options.ttlMs);
  } finally {
    client.close();
  }
}

interface Making {
  readonly client: Etcd;
  readonly keys: Keys;
  readonly untilMs: number;
  readonly wallMs: number;
}

/** @throws {EtcdOpenError} what is there is not Leasehold's, or of a newer one. */
async function makeSchema(making: Making): Promise<void> {
  const { client, keys, untilMs, wallMs } = making;
  const { kvs, header } = await client.insist('Range', { key: keys.schema }, untilMs);
  const [found] = kvs;
  if (found === undefined) {
    // As it was then: a server that starts at the same time may have made them meanwhile.
    const first: RangeRequest = { ...keys.all, limit: 1, keys_only: true, revision: header.revision };
    const { kvs: foreign } = await client.insist('Range', first, untilMs);
    const [other] = foreign;
    if (other !== undefined) {
      const where = keys.all.key.toString();
      throw new EtcdOpenError(`Open etcd: the keys under ${where} are not Leasehold's, such as ${other.key.toString()}`);
    }
    const revision = String(firstRevision(0n, wallMs));
    const success = [put(keys.schema, `{"schema":${schema}}`), put(keys.revision, revision), put(keys.floor, revision)];
    const absent = { key: keys.schema, result: 'EQUAL', target: 'CREATE', create_revision: '0' } as const;
    // Another server may be faster, of whichever version.
    await client.insist('Txn', { compare: [absent], success }, untilMs);
    return makeSchema(making);
  }
  if (schemaOf(found.value.toString()) === schema) return;
  const text = found.value.toString().slice(0, 100);
  throw new EtcdOpenError(
    `Open etcd: ${keys.schema.toString()} must be {"schema":${schema}}, or this Leasehold is too old: ${text}`,
  );
}

/** How keys and values are made. */
const schema = 2;

function schemaOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { schema?: unknown } | null)?.schema;
  } catch {
    return undefined;
  }
}

/** Versions of etcd that are known to lose or corrupt what they were told, and in which release that was mended. */
function warningOf(version: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  if (major === 3 && minor === 5 && patch < 3) {
    return `etcd ${version} can lose or differ in data after a crash under load: use 3.5.3 or newer (etcd-io/etcd#13766)`;
  }
  if (major < 3 || (major === 3 && minor < 4)) return `etcd ${version} is older than 3.4, with which this was tried`;
  return undefined;
}
