import type { Lease, LeaseEvent } from '@leasehold/sdk';
import { describe, expect, test } from 'vitest';
import { checkLinearizable } from '../../support/linearizable.js';
import { attribute } from './attribution.js';
import type { Answered, Asked, Entry } from './history.js';
import { leaseModel } from './lease-model.js';
import type { Told } from './watcher.js';

/** What is wrong with a history; nothing: it is right. */
function wrongs(entries: readonly Entry[], told: readonly Told[]): string[] {
  const { history, findings } = attribute(entries, told);
  return checkLinearizable(leaseModel, history).linearizable ? [...findings] : [...findings, 'no order'];
}

/** A command of somebody, from one instant to another. */
function did([callMs, returnMs]: readonly [number, number], input: Asked, output: Answered): Entry {
  return { by: 'somebody', lease: 'job', callMs, returnMs, input, output };
}

function record(parts: Partial<Lease>): Lease {
  const times = { createTime: undefined, acquireTime: undefined, renewTime: undefined, remainingMs: undefined };
  return {
    ...{ namespace: 'default', name: 'job', uid: 'u', state: 'HELD', holder: '', durationMs: 1000, fencingToken: 0n },
    ...{ resourceVersion: 0n, transitions: 0, labels: {}, annotations: {}, lockDelayMs: 0, keepAfterExpiryMs: undefined },
    ...{ ...times, revoking: false },
    ...parts,
  };
}

function tell(toldMs: number, type: LeaseEvent['type'], lease: Lease, reason?: LeaseEvent['reason']): Told {
  return { toldMs, event: { type, lease, reason, revision: lease.resourceVersion, wasSelected: true } };
}

/** Held by one of the two, by the token of its grant. */
const heldBy = (holder: string, token: bigint, version = token, labels = {}): Lease =>
  record({ holder, fencingToken: token, resourceVersion: version, labels });
const free = (token: bigint, version: bigint): Lease =>
  record({ state: 'AVAILABLE', fencingToken: token, resourceVersion: version });
const expired = (holder: string, token: bigint, version: bigint): Lease =>
  record({ state: 'EXPIRED', holder, fencingToken: token, resourceVersion: version });

const acquire = (holder: string): Asked => ({ kind: 'acquire', holder });
const release = (token: bigint, to = ''): Asked => ({ kind: 'release', token, to });
const renew = (token: bigint): Asked => ({ kind: 'renew', token });
const update = (mark: string, token?: bigint): Asked => ({ kind: 'update', mark, token });
const get: Asked = { kind: 'get' };
const granted = (token: bigint): Answered => ({ kind: 'granted', token });
const shown = (lease: Lease): Answered => ({ kind: 'shown', lease });
const refused = (why: Extract<Answered, { kind: 'refused' }>['why']): Answered => ({ kind: 'refused', why });
const over: Answered = { kind: 'over' };
const unknown: Answered = { kind: 'unknown', why: 'TIMED_OUT' };

const grantToA = did([0, 2], acquire('a'), granted(5n));
const toldOfA = tell(3, 'ACQUIRED', heldBy('a', 5n), 'REQUESTED');
const handedToB = [tell(13, 'RELEASED', free(5n, 7n), 'REQUESTED'), tell(13, 'ACQUIRED', heldBy('b', 7n), 'HANDED_OVER')];

describe('a history is right', () => {
  test.each<[string, Entry[], Told[]]>([
    ['of nothing', [did([0, 1], get, refused('LEASE_NOT_FOUND'))], []],
    ['of a grant', [grantToA, did([4, 5], get, shown(heldBy('a', 5n)))], [toldOfA]],
    [
      'of a grant that is seen before it is answered',
      [did([0, 9], acquire('a'), granted(5n)), did([2, 3], get, shown(heldBy('a', 5n)))],
      [toldOfA],
    ],
    [
      'of a grant that nobody was told of',
      [did([0, 2], acquire('a'), unknown), did([4, 5], get, shown(heldBy('a', 5n)))],
      [toldOfA],
    ],
    [
      'of an acquire that has come to nothing',
      [did([0, 2], acquire('a'), unknown), did([4, 5], get, refused('LEASE_NOT_FOUND'))],
      [],
    ],
    [
      'of one that is late',
      [did([0, 2], acquire('a'), unknown), did([4, 5], get, refused('LEASE_NOT_FOUND'))],
      [tell(9, 'ACQUIRED', heldBy('a', 5n))],
    ],
    ['of somebody put off', [grantToA, did([4, 5], acquire('b'), { kind: 'busy', holder: 'a', token: 5n })], [toldOfA]],
    [
      'of a hand-over',
      [grantToA, did([4, 14], acquire('b'), granted(7n)), did([10, 12], release(5n), over)],
      [toldOfA, ...handedToB],
    ],
    [
      'of a transfer whose outcome is unknown',
      [grantToA, did([4, 14], acquire('b'), granted(7n)), did([10, 11], release(5n, 'b'), unknown)],
      [toldOfA, ...handedToB],
    ],
    [
      'of an expiry',
      [grantToA, did([20, 21], renew(5n), refused('LEASE_EXPIRED'))],
      [toldOfA, tell(15, 'EXPIRED', expired('a', 5n, 8n))],
    ],
    [
      'of a release that is repeated after an expiry',
      [grantToA, did([20, 21], release(5n), over)],
      [toldOfA, tell(15, 'EXPIRED', expired('a', 5n, 8n))],
    ],
    [
      'of a renewal',
      [grantToA, did([4, 5], renew(5n), { kind: 'renewed', version: 6n })],
      [toldOfA, tell(6, 'RENEWED', heldBy('a', 5n, 6n))],
    ],
    [
      'of a renewal that was left out for a later one',
      [grantToA, did([4, 5], renew(5n), { kind: 'renewed', version: 6n }), did([6, 7], get, shown(heldBy('a', 5n, 6n)))],
      [toldOfA, tell(9, 'RENEWED', heldBy('a', 5n, 8n))],
    ],
    [
      'of an update',
      [grantToA, did([4, 5], update('x', 5n), shown(heldBy('a', 5n, 6n, { u: 'x' })))],
      [toldOfA, tell(6, 'UPDATED', heldBy('a', 5n, 6n, { u: 'x' }))],
    ],
    [
      'of a grant given back by the client',
      [did([0, 2], acquire('a'), unknown)],
      [toldOfA, tell(4, 'RELEASED', free(5n, 6n), 'REQUESTED')],
    ],
    [
      'of a stale token',
      [
        grantToA,
        did([4, 14], acquire('b'), granted(7n)),
        did([10, 12], release(5n), over),
        did([15, 16], { kind: 'validate', token: 5n }, { kind: 'validity', valid: false, lease: heldBy('b', 7n) }),
      ],
      [toldOfA, ...handedToB],
    ],
  ])('%s', (_, entries, told) => {
    expect(wrongs(entries, told)).toEqual([]);
  });
});

describe('a history is wrong', () => {
  test.each<[string, Entry[], Told[]]>([
    [
      'that grants what is held',
      [grantToA, did([4, 5], acquire('b'), granted(7n))],
      [toldOfA, tell(6, 'ACQUIRED', heldBy('b', 7n))],
    ],
    ['that loses a grant', [grantToA, did([4, 5], get, refused('LEASE_NOT_FOUND'))], [toldOfA]],
    ['that loses a grant and does not tell of it', [grantToA], []],
    [
      'that reads what was there before',
      [grantToA, did([10, 12], release(5n), over), did([14, 15], get, shown(heldBy('a', 5n)))],
      [toldOfA, tell(13, 'RELEASED', free(5n, 7n), 'REQUESTED')],
    ],
    [
      'that reads what comes later',
      [grantToA, did([3, 4], get, shown(free(5n, 7n))), did([10, 12], release(5n), over)],
      [toldOfA, tell(13, 'RELEASED', free(5n, 7n), 'REQUESTED')],
    ],
    [
      'that says busy of what is free',
      [grantToA, did([5, 6], release(5n), over), did([8, 9], acquire('b'), { kind: 'busy', holder: 'a', token: 5n })],
      [toldOfA, tell(7, 'RELEASED', free(5n, 7n), 'REQUESTED')],
    ],
    [
      'that grants with an older token',
      [grantToA, did([5, 6], release(5n), over), did([8, 9], acquire('b'), granted(4n))],
      [toldOfA, tell(7, 'RELEASED', free(5n, 7n), 'REQUESTED'), tell(10, 'ACQUIRED', heldBy('b', 4n))],
    ],
    [
      'that grants one acquire twice',
      [did([0, 2], acquire('a'), granted(5n)), did([5, 6], release(5n), over)],
      [toldOfA, tell(7, 'RELEASED', free(5n, 6n), 'REQUESTED'), tell(8, 'ACQUIRED', heldBy('a', 8n))],
    ],
    [
      'that renews what is over',
      [grantToA, did([20, 21], renew(5n), { kind: 'renewed', version: 9n })],
      [toldOfA, tell(15, 'EXPIRED', expired('a', 5n, 8n))],
    ],
    ['that refuses the holder', [grantToA, did([4, 5], renew(5n), refused('LEASE_LOST'))], [toldOfA]],
    ['that ends a tenure nobody has ended', [grantToA], [toldOfA, tell(9, 'RELEASED', free(5n, 6n), 'REQUESTED')]],
    [
      'that keeps what was released',
      [grantToA, did([5, 6], release(5n), over), did([8, 9], get, shown(heldBy('a', 5n)))],
      [toldOfA],
    ],
    [
      'that does what it has refused',
      [grantToA, did([4, 5], update('x', 9n), refused('LEASE_LOST'))],
      [toldOfA, tell(6, 'UPDATED', heldBy('a', 5n, 6n, { u: 'x' }))],
    ],
    [
      'that loses a label',
      [
        grantToA,
        did([4, 5], update('x', 5n), shown(heldBy('a', 5n, 6n, { u: 'x' }))),
        did([7, 8], get, shown(heldBy('a', 5n, 9n))),
      ],
      [toldOfA, tell(6, 'UPDATED', heldBy('a', 5n, 6n, { u: 'x' }))],
    ],
    [
      'that loses an update and does not tell of it',
      [grantToA, did([4, 5], update('x', 5n), shown(heldBy('a', 5n, 6n, { u: 'x' })))],
      [toldOfA],
    ],
    ['that does something before it is asked for', [did([7, 9], acquire('a'), granted(5n))], [toldOfA]],
    [
      'that does something after it was answered',
      [did([0, 2], acquire('a'), granted(5n)), did([4, 5], get, refused('LEASE_NOT_FOUND'))],
      [tell(9, 'ACQUIRED', heldBy('a', 5n))],
    ],
    [
      'that ends a tenure before it was asked for',
      [did([7, 9], acquire('a'), granted(5n))],
      [tell(10, 'ACQUIRED', heldBy('a', 5n)), tell(6, 'EXPIRED', expired('a', 5n, 8n))],
    ],
    [
      'that believes a stale token',
      [
        grantToA,
        did([4, 14], acquire('b'), granted(7n)),
        did([10, 12], release(5n), over),
        did([15, 16], { kind: 'validate', token: 5n }, { kind: 'validity', valid: true, lease: heldBy('b', 7n) }),
      ],
      [toldOfA, ...handedToB],
    ],
    ['that changes labels with a renewal', [grantToA], [toldOfA, tell(6, 'RENEWED', heldBy('a', 5n, 6n, { u: 'x' }))]],
  ])('%s', (_, entries, told) => {
    expect(wrongs(entries, told)).not.toEqual([]);
  });
});
