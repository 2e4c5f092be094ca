import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FencedRegister, staleWrites } from './fenced-register.js';
import { Witness } from './witness.js';

/** Who claimed what: process, token, before, after. */
type History = readonly (readonly [string, bigint, bigint, bigint])[];

function overlapsIn(history: History): string[] {
  const witness = new Witness();
  for (const [process, token, before, after] of history) witness.hear(process, { token, before, after });
  return witness.overlaps().map(({ older, newer }) => `${older.process}/${older.token} ${newer.process}/${newer.token}`);
}

describe('the witness finds nothing wrong with', () => {
  it.each<[string, History]>([
    ['nobody', []],
    [
      'one leader',
      [
        ['a', 1n, 10n, 11n],
        ['a', 1n, 20n, 21n],
      ],
    ],
    [
      'one after the other',
      [
        ['a', 1n, 10n, 11n],
        ['b', 2n, 12n, 13n],
        ['c', 3n, 14n, 15n],
      ],
    ],
    [
      'one process twice',
      [
        ['a', 1n, 10n, 11n],
        ['a', 2n, 12n, 13n],
      ],
    ],
    [
      'a leader that looked, and was stopped before it could say so',
      [
        ['a', 1n, 10n, 99n],
        ['b', 2n, 50n, 51n],
      ],
    ],
    [
      'a first look that took long',
      [
        ['a', 1n, 10n, 30n],
        ['b', 2n, 20n, 40n],
      ],
    ],
    [
      'claims that are heard late',
      [
        ['b', 2n, 50n, 51n],
        ['a', 1n, 10n, 11n],
        ['b', 2n, 40n, 41n],
      ],
    ],
  ])('%s', (_, history) => {
    expect(overlapsIn(history)).toEqual([]);
  });

  it('any history of one leader after the other, however long their looks took', () => {
    const looks = fc.array(fc.array(fc.tuple(fc.nat(50), fc.nat(50), fc.nat(50)), { minLength: 1 }), { maxLength: 6 });
    fc.assert(
      fc.property(looks, (reigns) => {
        let now = 0;
        const history = reigns.flatMap((reign, index) =>
          reign.map(([pause, early, late]) => {
            now += pause + 1;
            return [`p${index % 3}`, BigInt(index), BigInt(now - early), BigInt(now + late)] as const;
          }),
        );
        expect(overlapsIn(history)).toEqual([]);
      }),
    );
  });
});

describe('the witness finds', () => {
  it.each<[string, History, string[]]>([
    [
      'a leader that goes on',
      [
        ['a', 1n, 10n, 11n],
        ['b', 2n, 12n, 13n],
        ['a', 1n, 14n, 15n],
      ],
      ['a/1 b/2'],
    ],
    [
      'one that goes on by a nanosecond',
      [
        ['a', 1n, 14n, 20n],
        ['b', 2n, 12n, 13n],
      ],
      ['a/1 b/2'],
    ],
    [
      'an old one that begins late',
      [
        ['b', 2n, 12n, 13n],
        ['a', 1n, 14n, 15n],
      ],
      ['a/1 b/2'],
    ],
    [
      'two terms of one process',
      [
        ['a', 1n, 10n, 11n],
        ['a', 2n, 12n, 13n],
        ['a', 1n, 14n, 15n],
      ],
      ['a/1 a/2'],
    ],
    [
      'one that outlives two others',
      [
        ['a', 1n, 30n, 31n],
        ['b', 2n, 12n, 13n],
        ['c', 3n, 20n, 21n],
      ],
      ['a/1 b/2', 'a/1 c/3'],
    ],
    [
      'a token that two processes have',
      [
        ['a', 1n, 10n, 11n],
        ['b', 1n, 20n, 21n],
      ],
      ['a/1 b/1'],
    ],
  ])('%s', (_, history, found) => {
    expect(overlapsIn(history)).toEqual(found);
  });
});

describe('the register', () => {
  it('takes writes of the highest token so far, and refuses lower ones', () => {
    const register = new FencedRegister();
    for (const token of [5n, 5n, 7n, 5n, 7n, 6n, 8n]) register.write(token);
    expect(register.accepted).toEqual([5n, 5n, 7n, 7n, 8n]);
    expect(register.refused).toEqual([5n, 6n]);
  });

  it('is watched: a stale write that was taken is found', () => {
    expect(staleWrites([5n, 5n, 7n, 7n])).toEqual([]);
    expect(staleWrites([5n, 7n, 5n, 6n, 7n])).toEqual([5n, 6n]);
  });
});
