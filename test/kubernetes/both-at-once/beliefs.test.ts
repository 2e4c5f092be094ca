import { expect, test } from 'vitest';
import { Beliefs } from './beliefs.js';
import type { Entry } from './history.js';

/** Somebody else's grant of the same lease, whose answer came at this instant. */
function grant(returnMs: number, token = 2n): Entry {
  const lease = { uid: 'u', version: token, state: 'HELD', holder: 'b', token, labels: {} } as const;
  return {
    ...{ by: 'b', lease: 'l', callMs: 0, returnMs, input: { kind: 'acquire', holder: 'b' } },
    output: { kind: 'shown', lease: { ...lease, specHolder: undefined, revoking: undefined } },
  };
}

test('a holder is betrayed when somebody else is granted its lease before its last acknowledged renewal has run out', () => {
  const beliefs = new Beliefs();
  beliefs.renewed('a', 'l', 1n, 1000);
  beliefs.renewed('a', 'l', 1n, 1500);
  expect(beliefs.betrayed([grant(1499)])).toEqual(['a believed in l (token 1) when b got it (token 2)']);
  expect(beliefs.betrayed([grant(1500)])).toEqual([]);
  expect(beliefs.betrayed([grant(1499, 1n)])).toEqual([]);
});

test('nobody is betrayed who has given the lease up', () => {
  const beliefs = new Beliefs();
  beliefs.renewed('a', 'l', 1n, 1000);
  beliefs.ended(1n, 500);
  expect(beliefs.betrayed([grant(499)])).toHaveLength(1);
  expect(beliefs.betrayed([grant(600)])).toEqual([]);
});
