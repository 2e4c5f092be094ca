import { expect, test } from 'vitest';
import { Memo } from '../../server/dist/kubernetes/memo.js';

function counting(countMax: number) {
  const made: string[] = [];
  const memo = new Memo(countMax, (text) => {
    made.push(text);
    return text.toUpperCase();
  });
  return { memo, made };
}

test('what comes again is made once', () => {
  const { memo, made } = counting(10);
  expect([memo.of('a'), memo.of('b'), memo.of('a')]).toEqual(['A', 'B', 'A']);
  expect(made).toEqual(['a', 'b']);
});

test('of too many all are forgotten, and what is long is not remembered', () => {
  const { memo, made } = counting(2);
  for (const text of ['a', 'b', 'c', 'c', 'a']) memo.of(text);
  expect(made).toEqual(['a', 'b', 'c', 'a']);
  const long = 'x'.repeat(1001);
  expect([memo.of(long), memo.of(long)]).toEqual([long.toUpperCase(), long.toUpperCase()]);
  expect(made.filter((text) => text === long).length).toBe(2);
});

test('what cannot be made is not remembered', () => {
  let tries = 0;
  const memo = new Memo(2, () => {
    tries += 1;
    throw new Error('no');
  });
  expect(() => memo.of('a')).toThrow('no');
  expect(() => memo.of('a')).toThrow('no');
  expect(tries).toBe(2);
});
