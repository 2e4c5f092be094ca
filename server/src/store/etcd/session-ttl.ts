import { put } from './changes.js';
import { waitWhile, type OthersParts } from './exclusive.js';
import type { Keys } from './keys.js';
import { Peers } from './peers.js';
import type { Compare } from './rpc.js';

/** Unless somebody has asked for another one. */
const defaultTtlMs = 3000;

/** Where a store is. */
type Place = Pick<OthersParts, 'client' | 'clock' | 'keys'>;

/** What all servers on a store agree on. */
export interface SessionTtl {
  readonly ms: number;
  /** That it is still so: whoever begins a session, or ends that of another server, compares it. */
  readonly compare: Compare;
}

/**
 * The TTL of all sessions, which stands in the store: a server that counted less than another one would take it for gone before its time.
 * So it changes only while there is no session; those of servers that were killed are waited for.
 *
 * @param wantedMs `undefined`: as it is.
 * @throws {InUseError} servers go on with another one.
 * @throws {EtcdError}
 */
export async function agreeOnTtl(place: Place, wantedMs: number | undefined): Promise<SessionTtl> {
  const { client, clock, keys } = place;
  for (;;) {
    const { kvs } = await client.insist('Range', { key: keys.sessionTtl }, clock.monotonicMs() + answerMs);
    const stored = kvs[0]?.value;
    const ms = stored === undefined ? defaultTtlMs : Number(stored.toString());
    const compare = isStill(keys, stored);
    if (wantedMs === undefined || wantedMs === ms) return { ms, compare };
    await noSessions(place, { ms, compare }, wantedMs);
    const nobody: Compare = { ...keys.sessions, result: 'EQUAL', target: 'CREATE', create_revision: '0' };
    const success = [put(keys.sessionTtl, String(wantedMs))];
    // Whether it was this one or another server that was faster is seen by reading it again.
    await client.insist('Txn', { compare: [nobody, compare], success }, clock.monotonicMs() + answerMs);
  }
}

function isStill(keys: Keys, stored: Buffer | undefined): Compare {
  const key = keys.sessionTtl;
  return stored === undefined
    ? { key, result: 'EQUAL', target: 'CREATE', create_revision: '0' }
    : { key, result: 'EQUAL', target: 'VALUE', value: stored };
}

/** @throws {InUseError} */
async function noSessions(place: Place, ttl: SessionTtl, wantedMs: number): Promise<void> {
  const { client, clock, keys } = place;
  const peers = new Peers({ client, clock, ttl, keyOf: (id) => keys.session(id) });
  try {
    const why = `is in use with sessions of ${ttl.ms} ms: stop every server on it before --etcd-session-ttl makes that ${wantedMs} ms`;
    await waitWhile({ ...place, peers, session: undefined, ttlMs: ttl.ms }, (others) => others.size > 0, why);
  } finally {
    peers.stop();
  }
}

const answerMs = 10_000;
