import { describe, expect, it } from 'vitest';
import { electionTiming } from '../../../sdk/dist/election/timing.js';

describe('electionTiming', () => {
  it("has client-go's defaults, and scales them with the lease", () => {
    expect(electionTiming({})).toEqual({ leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 });
    expect(electionTiming({ leaseDurationMs: 3_000 })).toEqual({
      leaseDurationMs: 3_000,
      renewDeadlineMs: 2_000,
      retryPeriodMs: 400,
    });
  });

  it.each([
    [
      { leaseDurationMs: 10_000, renewDeadlineMs: 9_900 },
      /renewDeadlineMs: must be at most 9800 ms.*leaseDurationMs \(10000\).*got 9900/,
    ],
    [
      { renewDeadlineMs: 2_400, retryPeriodMs: 2_000 },
      /renewDeadlineMs: must be longer than 1.2 × retryPeriodMs \(2000\), got 2400/,
    ],
    [{ leaseDurationMs: Number.NaN }, /leaseDurationMs: must be a number of milliseconds from 0.*got NaN/],
    [{ leaseDurationMs: 0 }, /leaseDurationMs: must be longer than 0 ms, got 0/],
    [{ retryPeriodMs: -1 }, /retryPeriodMs: .*from 0 to \d+, got -1/],
  ])('refuses %o and names both values', (options, message) => {
    expect(() => electionTiming(options)).toThrow(message);
  });
});
