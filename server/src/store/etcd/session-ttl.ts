import type { Etcd } from './client.js';
import type { Keys } from './keys.js';
import type { Compare } from './rpc.js';

/** Unless somebody has asked for another one. */
const defaultTtlMs = 3000;

/** The TTL of all sessions: what all servers on a store agree on. */
export interface SessionTtl {
  readonly ms: number;
  /** That it is still so: whoever begins a session, or ends that of another server, compares it. */
  readonly compare: Compare;
}

/** The one that stands in the store. `untilMs`: on the monotonic clock of the client. @throws {EtcdError} */
export async function storedTtl(client: Etcd, keys: Keys, untilMs: number): Promise<SessionTtl> {
  const key = keys.sessionTtl;
  const { kvs } = await client.insist('Range', { key }, untilMs);
  const value = kvs[0]?.value;
  return value === undefined
    ? { ms: defaultTtlMs, compare: { key, result: 'EQUAL', target: 'CREATE', create_revision: '0' } }
    : { ms: Number(value.toString()), compare: { key, result: 'EQUAL', target: 'VALUE', value } };
}
