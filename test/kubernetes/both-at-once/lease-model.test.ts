import { describe, expect, test } from 'vitest';
import { checkLinearizable } from '../../support/linearizable.js';
import type { Answered, Asked, Entry, Refusal, Shown } from './history.js';
import { leaseModel } from './lease-model.js';

/** Histories of one lease that the model has to know for what they are. */

/** A lease as it is shown, with what is different. */
function lease(version: number, parts: Partial<Shown> = {}): Shown {
  return {
    ...{ uid: 'u1', version: BigInt(version), state: 'HELD', holder: 'a', token: 1n, labels: {} },
    ...{ specHolder: undefined, revoking: undefined, ...parts },
  };
}

function shown(version: number, parts: Partial<Shown> = {}): Answered {
  return { kind: 'shown', lease: lease(version, parts) };
}

const refused = (why: Refusal): Answered => ({ kind: 'refused', why });
const free: Partial<Shown> = { state: 'AVAILABLE', holder: '' };
const acquire = (holder: string): Asked => ({ kind: 'acquire', holder });
const busyWith = (holder: string, token: number): Answered => ({ kind: 'busy', holder, token: BigInt(token) });
const put = (version: number, holder: string | undefined): Asked => ({
  kind: 'put',
  base: { uid: 'u1', version: BigInt(version) },
  spec: holder === undefined ? undefined : { holder },
  labels: {},
});
const patch = (holder: string | undefined): Asked => ({ kind: 'patch', spec: { holder }, labels: {} });
const post = (holder: string): Asked => ({ kind: 'post', spec: { holder }, labels: {} });

/** What was asked and answered, one after the other. */
function inTurn(...steps: (readonly [Asked, Answered])[]): Entry[] {
  return steps.map(([input, output], index) => ({
    ...{ by: 'x', lease: 'l', input, output, callMs: 10 * index, returnMs: 10 * index + 5 },
  }));
}

/** The same, all at once. */
function atOnce(...steps: (readonly [Asked, Answered])[]): Entry[] {
  return inTurn(...steps).map((entry) => ({ ...entry, callMs: 0, returnMs: 100 }));
}

const granted = [acquire('a'), shown(1)] as const;
const taken = [post('a'), shown(1)] as const;
const renew: Asked = { kind: 'renew', holder: 'a', token: 1n };
const release: Asked = { kind: 'release', token: 1n };

const right: [string, Entry[]][] = [
  [
    'a lease is granted, renewed and released',
    inTurn(granted, [renew, { kind: 'renewed', version: 2n }], [release, shown(3, free)]),
  ],
  ['a holder is in the way of others', inTurn(granted, [acquire('b'), busyWith('a', 1)], [put(1, 'b'), refused('LEASE_HELD')])],
  ['a lease of Kubernetes goes to the last writer', inTurn(taken, [put(1, 'b'), shown(2, { holder: 'b', token: 2n })])],
  [
    'what is released goes to who waits',
    atOnce(granted, [release, shown(2, { holder: 'b', token: 2n })], [acquire('b'), shown(2, { holder: 'b', token: 2n })]),
  ],
  [
    'what Kubernetes releases goes to who waits over gRPC',
    atOnce(taken, [put(1, ''), shown(2, { holder: 'b', token: 2n })], [acquire('b'), shown(2, { holder: 'b', token: 2n })]),
  ],
  [
    'a lease expires, and is taken by Kubernetes',
    inTurn(
      granted,
      [{ kind: 'elapse', does: 'expire' }, shown(2, { state: 'EXPIRED', holder: '' })],
      [patch('b'), shown(3, { holder: 'b', token: 3n })],
    ),
  ],
  [
    'an expired lease is claimed by a renewal of its last holder',
    inTurn(
      taken,
      [{ kind: 'elapse', does: 'expire' }, shown(2, { state: 'EXPIRED', holder: '' })],
      [patch(undefined), shown(3, { token: 3n })],
    ),
  ],
  [
    'a deleted lease of gRPC keeps its name, and then lets it go',
    inTurn(
      granted,
      [
        { kind: 'remove', version: undefined },
        { kind: 'gone', uid: 'u1', version: undefined },
      ],
      [post('b'), refused('NAME_RESERVED')],
      [post('b'), shown(5, { uid: 'u2', holder: 'b', token: 5n })],
    ),
  ],
  [
    'a deleted lease of Kubernetes is free at once',
    inTurn(
      taken,
      [
        { kind: 'remove', version: 1n },
        { kind: 'gone', uid: 'u1', version: undefined },
      ],
      [acquire('b'), shown(5, { uid: 'u2', holder: 'b', token: 5n })],
    ),
  ],
  [
    'a revoke stops renewals and ends',
    inTurn(
      granted,
      [{ kind: 'revoke', token: 1n }, shown(2, { revoking: true })],
      [renew, refused('LEASE_REVOKED')],
      [{ kind: 'elapse', does: 'end' }, shown(3, free)],
      [release, { kind: 'shown', lease: lease(3, free), repeated: true }],
    ),
  ],
];

const wrong: [string, Entry[]][] = [
  ['Kubernetes takes a living lease of gRPC', inTurn(granted, [put(1, 'b'), shown(2, { holder: 'b', token: 2n })])],
  ['Kubernetes renews a living lease of gRPC', inTurn(granted, [patch(undefined), shown(2)])],
  ['Kubernetes is refused a lease of its own', inTurn(taken, [put(1, 'b'), refused('LEASE_HELD')])],
  ['two are granted the same lease', atOnce(granted, [acquire('b'), shown(2, { holder: 'b', token: 2n })])],
  ['a token does not rise', inTurn(granted, [release, shown(2, free)], [acquire('b'), shown(3, { holder: 'b', token: 1n })])],
  [
    'a token falls after a deletion',
    inTurn(
      [post('a'), shown(9, { token: 9n })],
      [
        { kind: 'remove', version: undefined },
        { kind: 'gone', uid: 'u1', version: undefined },
      ],
      [post('a'), shown(8, { uid: 'u2', token: 8n })],
    ),
  ],
  ['a version comes twice', atOnce(taken, [put(1, 'a'), shown(2)], [patch('a'), shown(2)])],
  ['a write with an old version is made', inTurn(taken, [patch('a'), shown(2)], [put(1, 'a'), shown(3)])],
  ['a write with the version of now is refused', inTurn(taken, [put(1, 'a'), refused('STALE_VERSION')])],
  [
    'a label that was written is lost',
    inTurn(
      taken,
      [{ kind: 'update', labels: { x: 'y' }, token: undefined }, shown(2, { labels: { x: 'y' } })],
      [{ kind: 'get' }, shown(2)],
    ),
  ],
  ['a read sees what was there before', inTurn(granted, [release, shown(2, free)], [{ kind: 'get' }, shown(1)])],
  ['a lease that is there is not found', inTurn(granted, [{ kind: 'get' }, refused('LEASE_NOT_FOUND')])],
  ['a lease that was never deleted has another identity', inTurn(granted, [{ kind: 'get' }, shown(1, { uid: 'u2' })])],
  ['a grant out of the queue that nobody made', atOnce(granted, [acquire('b'), shown(1, { holder: 'b' })])],
  [
    'an old token renews',
    inTurn(taken, [put(1, 'b'), shown(2, { holder: 'b', token: 2n })], [renew, { kind: 'renewed', version: 3n }]),
  ],
  [
    'a lease of Kubernetes is reserved',
    inTurn(
      taken,
      [
        { kind: 'remove', version: undefined },
        { kind: 'gone', uid: 'u1', version: undefined },
      ],
      [post('b'), refused('NAME_RESERVED')],
    ),
  ],
  ['nobody has it, and somebody is in the way', inTurn(granted, [release, shown(2, free)], [acquire('b'), busyWith('a', 1)])],
  [
    'a lease that is revoked expires',
    inTurn(
      granted,
      [{ kind: 'revoke', token: 1n }, shown(2, { revoking: true })],
      [{ kind: 'elapse', does: 'expire' }, shown(3, { state: 'EXPIRED', holder: '' })],
    ),
  ],
];

describe('the model of a lease', () => {
  test.each(right)('knows as right: %s', (_, history) => {
    expect(checkLinearizable(leaseModel({ strict: false }), history)).toMatchObject({ linearizable: true });
  });

  test.each(wrong)('knows as wrong: %s', (_, history) => {
    expect(checkLinearizable(leaseModel({ strict: false }), history)).toMatchObject({ linearizable: false });
  });

  test('knows what strict mode refuses', () => {
    const [taking, putOff] = [
      inTurn(taken, [put(1, 'b'), shown(2, { holder: 'b', token: 2n })]),
      inTurn(taken, [put(1, 'b'), refused('LEASE_HELD')]),
    ];
    const verdicts = [taking, putOff].map((history) =>
      [false, true].map((strict) => checkLinearizable(leaseModel({ strict }), history).linearizable),
    );
    expect(verdicts).toEqual([
      [true, false],
      [false, true],
    ]);
  });
});
