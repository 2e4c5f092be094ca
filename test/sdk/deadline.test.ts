import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterRenewal, elapsedMs, isSuspect, remainingMs, type Belief } from '../../sdk/dist/lease/deadline.js';

const at = (monotonicMs: number, bootMs = monotonicMs, wallMs = monotonicMs) => ({ monotonicMs, bootMs, wallMs });
const belief = (sentAtMs: number, durationMs = 10_000): Belief => ({ sentAt: at(sentAtMs), durationMs });

describe('remainingMs', () => {
  it.each([
    { name: 'counts from the send, less two per cent', now: at(1_000), limitMs: Infinity, left: 9_800 },
    { name: 'shrinks with the monotonic clock', now: at(6_000), limitMs: Infinity, left: 4_800 },
    {
      name: 'shrinks with boot time when that is ahead, as after a suspension',
      now: at(2_000, 9_000),
      limitMs: Infinity,
      left: 1_800,
    },
    { name: 'does not grow when boot time lags by its coarseness', now: at(6_000, 5_991), limitMs: Infinity, left: 4_800 },
    { name: 'ignores the wall clock', now: at(1_000, 1_000, 3_600_000), limitMs: Infinity, left: 9_800 },
    { name: 'stops at the limit of the holder', now: at(2_000), limitMs: 6_000, left: 5_000 },
    { name: 'is not above the lease where the limit is', now: at(2_000), limitMs: 20_000, left: 8_800 },
    { name: 'is over after the deadline', now: at(11_000), limitMs: Infinity, left: -200 },
  ])('$name', ({ now, limitMs, left }) => {
    expect(remainingMs(belief(1_000), now, limitMs)).toBeCloseTo(left, 6);
  });
});

describe('elapsedMs', () => {
  it('is what the clock that saw more says, and never negative', () => {
    expect(elapsedMs(at(0, 0), at(5, 30))).toBe(30);
    expect(elapsedMs(at(0, 0), at(5, 0))).toBe(5);
    expect(elapsedMs(at(9, 9), at(5, 5))).toBe(0);
  });
});

describe('isSuspect', () => {
  it.each([
    { name: 'not while the clocks agree', now: at(5_000, 5_000, 5_000), suspect: false },
    { name: 'not for a jump of a second', now: at(5_000, 5_000, 6_000), suspect: false },
    { name: 'for a jump of more than a second against both clocks', now: at(5_000, 5_000, 6_001), suspect: true },
    { name: 'not when boot time has seen it too', now: at(5_000, 8_000, 8_000), suspect: false },
    { name: 'not for a jump back', now: at(5_000, 5_000, -3_600_000), suspect: false },
  ])('$name', ({ now, suspect }) => {
    expect(isSuspect(belief(0), now)).toBe(suspect);
  });
});

describe('afterRenewal', () => {
  it('believes a later renewal', () => {
    expect(afterRenewal(belief(0), belief(4_000), at(4_100), Infinity)).toEqual(belief(4_000));
  });

  it('believes nothing once the old deadline has passed, however fresh the renewal', () => {
    expect(afterRenewal(belief(0), belief(9_700), at(9_801), Infinity)).toBeUndefined();
  });

  it('keeps what it has when an older renewal is acknowledged late', () => {
    expect(afterRenewal(belief(4_000), belief(2_000), at(5_000), Infinity)).toEqual(belief(4_000));
  });

  it('begins with a first renewal where nothing was believed', () => {
    expect(afterRenewal(undefined, belief(4_000), at(5_000), Infinity)).toEqual(belief(4_000));
    expect(afterRenewal(undefined, belief(4_000), at(13_801), Infinity)).toBeUndefined();
  });

  it('takes a grown duration', () => {
    expect(afterRenewal(belief(0), belief(1_000, 20_000), at(1_000), Infinity)).toEqual(belief(1_000, 20_000));
  });
});

describe('the deadline of a holder', () => {
  const renewal = fc.record({
    pauseMs: fc.integer({ min: 0, max: 4_000 }),
    requestMs: fc.integer({ min: 0, max: 12_000 }),
    answerMs: fc.integer({ min: 0, max: 12_000 }),
    lost: fc.boolean(),
    durationMs: fc.integer({ min: 1_000, max: 12_000 }),
    again: fc.option(fc.integer({ min: 0, max: 12_000 }), { nil: undefined }),
  });

  it('is never later than that of the server, for any delay, loss, duplication or order, and a clock that is slow by 1.9 %', () => {
    const rate = fc.double({ min: 0.981, max: 1.02, noNaN: true });
    fc.assert(
      fc.property(fc.array(renewal, { minLength: 1, maxLength: 20 }), rate, (renewals, clientRate) => {
        const world = play(renewals, (realMs) => at(realMs * clientRate));
        for (const { realMs, believes, serverUntilMs } of world) if (believes) expect(realMs).toBeLessThan(serverUntilMs);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is never later than that of the server when the machine is suspended at any moment', () => {
    const sleeping = fc.record({ fromMs: fc.integer({ min: 0, max: 40_000 }), forMs: fc.integer({ min: 0, max: 30_000 }) });
    fc.assert(
      fc.property(fc.array(renewal, { minLength: 1, maxLength: 20 }), sleeping, (renewals, { fromMs, forMs }) => {
        const asleepMs = (realMs: number) => Math.min(Math.max(realMs - fromMs, 0), forMs);
        const coarse = (realMs: number) => Math.floor(realMs / 10) * 10;
        const world = play(renewals, (realMs) => at(realMs - asleepMs(realMs), coarse(realMs), realMs));
        // While it is suspended the holder does nothing, and so believes nothing.
        const awake = world.filter(({ realMs }) => realMs <= fromMs || realMs >= fromMs + forMs);
        // Boot time comes in steps of 10 ms; the two per cent cover them for any duration of a second or more.
        for (const { realMs, believes, serverUntilMs } of awake) if (believes) expect(realMs).toBeLessThan(serverUntilMs);
      }),
      { numRuns: 2_000 },
    );
  });
});

interface Renewal {
  readonly pauseMs: number;
  readonly requestMs: number;
  readonly answerMs: number;
  readonly lost: boolean;
  readonly durationMs: number;
  readonly again: number | undefined;
}

/**
 * Sends renewals to a server that counts by real time, and looks at the holder's belief at each moment that something happens and
 * around each of its deadlines.
 */
function play(renewals: readonly Renewal[], clock: (realMs: number) => ReturnType<typeof at>) {
  interface Step {
    readonly atMs: number;
    readonly run: () => void;
  }
  const steps: Step[] = [];
  let serverUntilMs = 0;
  let granted = 0;
  let mine: Belief | undefined;
  let lost = false;
  const seen: { realMs: number; believes: boolean; serverUntilMs: number }[] = [];
  const later = (atMs: number, run: () => void): void => void steps.push({ atMs, run });

  let sentMs = 0;
  for (const one of renewals) {
    sentMs += one.pauseMs;
    const sentAt = clock(sentMs);
    const readMs = sentMs + one.requestMs;
    later(readMs, () => {
      // The first one is the grant. A lease that has run out is never revived.
      if (serverUntilMs !== 0 && readMs >= serverUntilMs) return;
      granted = Math.max(granted, one.durationMs);
      serverUntilMs = readMs + granted;
      const answer: Belief = { sentAt, durationMs: granted };
      const take = (atMs: number) => () => {
        const next = lost ? undefined : afterRenewal(mine, answer, clock(atMs), Infinity);
        if (next === undefined && mine !== undefined) lost = true;
        mine = next ?? mine;
      };
      if (!one.lost) later(readMs + one.answerMs, take(readMs + one.answerMs));
      if (one.again !== undefined) later(readMs + one.again, take(readMs + one.again));
    });
  }
  for (let nowMs = 0, next = takeFirst(steps); next !== undefined; next = takeFirst(steps)) {
    for (const realMs of [nowMs, (nowMs + next.atMs) / 2, next.atMs - 0.001]) look(realMs);
    nowMs = next.atMs;
    next.run();
    if (steps.length === 0) for (let ms = 0; ms < 15_000; ms += 50) look(nowMs + ms);
  }
  return seen;

  function look(realMs: number): void {
    const believes = !lost && mine !== undefined && remainingMs(mine, clock(realMs), Infinity) > 0;
    seen.push({ realMs, believes, serverUntilMs });
  }
}

function takeFirst<T extends { readonly atMs: number }>(steps: T[]): T | undefined {
  steps.sort((left, right) => left.atMs - right.atMs);
  return steps.shift();
}
