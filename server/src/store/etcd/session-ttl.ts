import { put } from './changes.js';
import { waitWhile, type OthersParts } from './exclusive.js';
import type { Keys } from './keys.js';
import { Peers } from './peers.js';
import type { Compare } from './rpc.js';

/** Unless somebody has asked for another one. */
const defaultTtlMs = 3000;

/** What all servers on a store agree on. */
export interface SessionTtl {
  readonly ms: number;
  /** That it is still so: a session that begins compares it. */
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
export async function agreeOnTtl(
  parts: Pick<OthersParts, 'client' | 'clock' | 'keys'>,
  wantedMs: number | undefined,
): Promise<SessionTtl> {
  const { client, clock, keys } = parts;
  for (;;) {
    const { kvs } = await client.insist('Range', { key: keys.sessionTtl }, clock.monotonicMs() + answerMs);
    const stored = kvs[0]?.value;
    const ms = stored === undefined ? defaultTtlMs : Number(stored.toString());
    const compare = isStill(keys, stored);
    if (wantedMs === undefined || wantedMs === ms) return { ms, compare };
    await noSessions({ ...parts, session: undefined, ttlMs: ms }, wantedMs);
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
async function noSessions(parts: Omit<OthersParts, 'peers'>, wantedMs: number): Promise<void> {
  const { client, clock, keys, ttlMs } = parts;
  const peers = new Peers({ client, clock, ttlMs, keyOf: (id) => keys.session(id) });
  try {
    const why = `is in use with sessions of ${ttlMs} ms: stop every server on it before --etcd-session-ttl makes that ${wantedMs} ms`;
    await waitWhile({ ...parts, peers }, (others) => others.size > 0, why);
  } finally {
    peers.stop();
  }
}

const answerMs = 10_000;
