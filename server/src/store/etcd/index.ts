import type { Clock, Store } from '@leasehold/core';
import { EtcdClient, type EtcdClientOptions } from './client.js';
import { Keys } from './keys.js';
import { Ownership } from './ownership.js';
import { EtcdStore } from './store.js';

export interface EtcdStoreOptions extends Omit<EtcdClientOptions, 'timeoutMs'> {
  readonly clock: Clock;
  /** What all keys begin with. Default `/leasehold/`. */
  readonly prefix?: string;
  /** How many changes of history are kept at least. Default 1,000,000. */
  readonly historyMax?: number;
  /** How long a server that is not heard of keeps others out, in milliseconds. Default 3,000. */
  readonly ttlMs?: number;
  /** How long etcd may take to answer at all, in milliseconds. Default 10,000. */
  readonly answerMs?: number;
  /** Told once if another server has the store open: this one waits to take its place. */
  readonly onWait?: () => void;
  /** Told what is known to be wrong with the version of an etcd. */
  readonly onWarning?: (warning: string) => void;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** Why a store cannot be opened. */
class EtcdOpenError extends Error {
  override readonly name = 'EtcdOpenError';
}

/**
 * Opens the store in etcd, for this server alone: waits as long as another one has it open. A server that goes in order lets the next
 * one in at once; one that is not heard of any more, after `ttlMs`.
 *
 * @throws {EtcdOpenError} what stands under the prefix is somebody else's, or of a newer Leasehold; nothing was changed.
 * @throws {EtcdError} etcd does not answer, or refuses.
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const { clock, prefix = '/leasehold/', historyMax = 1_000_000, ttlMs = 3000, onWait, onWarning, signal } = options;
  const client = new EtcdClient({ ...options, timeoutMs: ttlMs / 2 });
  const keys = new Keys(prefix);
  try {
    const untilMs = clock.monotonicMs() + (options.answerMs ?? 10_000);
    const { version } = await client.insist('Status', {}, untilMs);
    const warning = warningOf(version);
    if (warning !== undefined) onWarning?.(warning);
    await checkSchema(client, keys, untilMs);
    const ownership = await Ownership.acquire({
      ...{ client, key: keys.owner, clock, ttlMs, signal },
      ...(onWait === undefined ? {} : { onWait }),
    });
    const store = new EtcdStore({ client, keys, ownership, clock, historyMax, patienceMs: 2 * ttlMs });
    try {
      await store.open();
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  } catch (error) {
    client.close();
    throw error;
  }
}

async function checkSchema(client: EtcdClient, keys: Keys, untilMs: number): Promise<void> {
  const { kvs } = await client.insist('Range', { key: keys.schema }, untilMs);
  const [found] = kvs;
  if (found === undefined) {
    const { kvs: foreign } = await client.insist('Range', { ...keys.all, limit: 2, keys_only: true }, untilMs);
    const other = foreign.find(({ key }) => !key.equals(keys.owner));
    if (other === undefined) return;
    throw new EtcdOpenError(
      `Open etcd: the keys under ${keys.all.key.toString()} are not Leasehold's, such as ${other.key.toString()}`,
    );
  }
  const schema = schemaOf(found.value.toString());
  if (schema === 1) return;
  throw new EtcdOpenError(
    `Open etcd: ${keys.schema.toString()} must be {"schema":1}, or this Leasehold is too old: ${found.value.toString().slice(0, 100)}`,
  );
}

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
