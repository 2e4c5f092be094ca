import { LeaseError } from '@leasehold/core';
import { describe, expect, test } from 'vitest';
import { optionalMs, requiredMs, toDuration, toTimestamp } from '../../server/dist/grpc/convert.js';

describe('a duration from the wire', () => {
  test.each([
    [0n, 0, 0],
    [15n, 0, 15_000],
    [1n, 500_000_000, 1500],
    [0n, 1, 1],
    [2n, 1_000_001, 2002],
    [315_576_000_000n, 0, 315_576_000_000_000],
  ])('of %i s and %d ns is %d ms, parts of one rounded up', (seconds, nanos, ms) => {
    expect(requiredMs('duration', { seconds, nanos })).toBe(ms);
  });

  test.each([
    [-1n, 0, 'must not be negative, got "-1 s and 0 ns"'],
    [0n, -1, 'must not be negative, got "0 s and -1 ns"'],
    [1n, -1, 'must have nanos below a second, of the sign of its seconds, got "1 s and -1 ns"'],
    [0n, 1_000_000_000, 'must have nanos below a second, of the sign of its seconds'],
    [315_576_000_001n, 0, 'must have at most 315576000000 s, got "315576000001 s"'],
    [2n ** 63n - 1n, 0, 'must have at most 315576000000 s'],
  ])('of %i s and %d ns is refused', (seconds, nanos, rule) => {
    const read = (): number => requiredMs('duration', { seconds, nanos });
    expect(read).toThrow(LeaseError);
    expect(read).toThrow(`Invalid duration: ${rule}`);
  });

  test('that is required and missing is refused', () => {
    expect(() => requiredMs('duration', undefined)).toThrow('Invalid duration: is required, got "none"');
  });

  test('may be left out where nothing needs it', () => {
    expect(optionalMs('wait', undefined)).toBeUndefined();
    expect(optionalMs('wait', { seconds: 1n, nanos: 0 })).toBe(1000);
  });
});

describe('a duration to the wire', () => {
  test.each([
    [0, 0n, 0],
    [-5, 0n, 0],
    [1500, 1n, 500_000_000],
    [999.9999, 0n, 999_999_000],
    [86_400_000, 86_400n, 0],
  ])('of %d ms never says more than is left', (ms, seconds, nanos) => {
    expect(toDuration(ms)).toEqual({ seconds, nanos });
  });
});

describe('a time to the wire', () => {
  test.each([
    [1500, 1n, 500_000_000],
    [-500, -1n, 500_000_000],
    [1_790_000_000_123, 1_790_000_000n, 123_000_000],
  ])('of %d ms', (ms, seconds, nanos) => {
    expect(toTimestamp(ms)).toEqual({ seconds, nanos });
  });

  test('is left out where there is none', () => {
    expect(toTimestamp(0)).toBeUndefined();
  });
});
