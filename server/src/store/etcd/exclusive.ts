import type { Clock } from '@leasehold/core';
import { sleep } from '../../clock.js';
import { put } from './changes.js';
import type { Etcd } from './client.js';
import type { Keys } from './keys.js';
import type { Peers } from './peers.js';

/** Who looks for other servers. */
export interface OthersParts {
  readonly client: Etcd;
  readonly clock: Clock;
  readonly keys: Keys;
  /** Ends the sessions that are not heard of. */
  readonly peers: Peers;
  /** Its own; `undefined`: it has none yet. */
  readonly session: string | undefined;
  readonly ttlMs: number;
}

/** Who wants a store for itself, or does not. */
export interface ExclusiveParts extends OthersParts {
  readonly session: string;
}

/** Somebody else has the store open. */
export class InUseError extends Error {
  override readonly name = 'InUseError';
}

/** Keeps other servers from opening the store from now on, and waits until none has it open. @throws {InUseError} one goes on. */
export async function claim(parts: ExclusiveParts): Promise<void> {
  const { client, clock, keys, session, ttlMs } = parts;
  const untilMs = clock.monotonicMs() + 2 * ttlMs;
  await client.insist('Txn', { compare: [], success: [put(keys.claim, session)] }, untilMs);
  await waitWhile(parts, (others) => others.size > 0, inUse);
}

/** Gives way to whoever wants the store for itself. @throws {InUseError} it goes on. */
export async function giveWay(parts: ExclusiveParts): Promise<void> {
  const { client, clock, keys, session, ttlMs } = parts;
  const { kvs } = await client.insist('Range', { key: keys.claim }, clock.monotonicMs() + 2 * ttlMs);
  const owner = kvs[0]?.value.toString();
  if (owner !== undefined && owner !== session) await waitWhile(parts, (others) => others.has(owner), inUse);
}

const inUse = 'is in use: stop every server on it first';

/**
 * A server that was killed is not to be told from one that lives until its session has been unchanged for its time.
 *
 * @throws {InUseError} those in the way go on. `why`: its message.
 */
export async function waitWhile(
  parts: OthersParts,
  isInTheWay: (others: ReadonlySet<string>) => boolean,
  why: string,
): Promise<void> {
  const { client, clock, keys, peers, session, ttlMs } = parts;
  const untilMs = clock.monotonicMs() + 2 * ttlMs;
  const seen = new Map<string, string>();
  for (;;) {
    const { kvs } = await client.insist('Range', keys.sessions, untilMs);
    const others = new Set<string>();
    for (const { key, mod_revision } of kvs) {
      const id = keys.sessionOf(key) ?? '';
      if (id === session) continue;
      others.add(id);
      if (seen.get(id) !== mod_revision) peers.seen(id, mod_revision);
      seen.set(id, mod_revision);
    }
    if (!isInTheWay(others)) return;
    if (clock.monotonicMs() >= untilMs) throw new InUseError(why);
    await sleep(clock, pollMs);
  }
}

const pollMs = 200;
