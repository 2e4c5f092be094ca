import { put } from './changes.js';
import { waitWhile, type OthersParts } from './exclusive.js';
import { Peers } from './peers.js';
import type { Compare } from './rpc.js';
import { storedTtl, type SessionTtl } from './session-ttl.js';

/** Where a store is. */
type Place = Pick<OthersParts, 'client' | 'clock' | 'keys'>;

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
    const ttl = await storedTtl(client, keys, clock.monotonicMs() + answerMs);
    if (wantedMs === undefined || wantedMs === ttl.ms) return ttl;
    await noSessions(place, ttl, wantedMs);
    const nobody: Compare = { ...keys.sessions, result: 'EQUAL', target: 'CREATE', create_revision: '0' };
    const success = [put(keys.sessionTtl, String(wantedMs))];
    // Whether it was this one or another server that was faster is seen by reading it again.
    await client.insist('Txn', { compare: [nobody, ttl.compare], success }, clock.monotonicMs() + answerMs);
  }
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
