import { RefusedError, UnavailableError, type Clock } from '@leasehold/sdk';
import { FakeClock } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { attemptShare, backoffMs, isDraining, repeatWhileUnavailable } from '../../sdk/dist/retry.js';

let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
});

function unavailable(reason = 'UNAVAILABLE'): UnavailableError {
  return new UnavailableError({ code: 'UNAVAILABLE', reason, message: 'no', retryable: true });
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

describe('a call that is repeated while no server answers', () => {
  it('gets what is left of its time for each attempt, where there is no other server', async () => {
    const given: number[] = [];
    const repeated = repeatWhileUnavailable(clock, { timeoutMs: 5_000 }, async ({ timeoutMs }) => {
      given.push(timeoutMs);
      await pass(1_000);
      if (given.length < 3) throw unavailable();
      return 'done';
    });
    await clock.advance(5_000);
    expect(await repeated).toBe('done');
    expect(given.map((ms) => Math.round(ms))).toEqual([5_000, 3_975, 2_925]);
  });

  it('leaves half of it for other servers, where there are any, but takes a second at least', async () => {
    const given: number[] = [];
    const repeated = repeatWhileUnavailable(
      clock,
      { timeoutMs: 5_000 },
      async ({ timeoutMs }) => {
        given.push(Math.round(timeoutMs));
        await pass(timeoutMs);
        throw unavailable();
      },
      { share: attemptShare({ canMove: true }) },
    );
    const failed = expect(repeated).rejects.toBeInstanceOf(UnavailableError);
    await clock.advance(6_000);
    await failed;
    expect(given).toEqual([2_500, 1_238, 1_000, 88]);
  });

  it('ends with the last failure where no time is left for another attempt', async () => {
    let attempts = 0;
    const started = clock.monotonicMs();
    const repeated = repeatWhileUnavailable(clock, { timeoutMs: 1_000 }, () => {
      attempts += 1;
      return Promise.reject(unavailable(`attempt ${attempts}`));
    });
    const failed = expect(repeated).rejects.toMatchObject({ reason: 'attempt 6' });
    await clock.advance(2_000);
    await failed;
    expect(clock.monotonicMs() - started).toBe(2_000);
  });

  it.each([
    ['a refusal', new RefusedError({ code: 'ABORTED', reason: 'REPLACED', message: 'no', retryable: true })],
    ['what cannot be repeated', new UnavailableError({ code: 'UNAVAILABLE', reason: 'X', message: 'no' })],
  ])('is not repeated after %s', async (_, error) => {
    let attempts = 0;
    const once = repeatWhileUnavailable(clock, { timeoutMs: 1_000 }, () => {
      attempts += 1;
      return Promise.reject(error);
    });
    await expect(once).rejects.toBe(error);
    expect(attempts).toBe(1);
  });

  it('stops waiting when its signal is aborted', async () => {
    const abort = new AbortController();
    const repeated = repeatWhileUnavailable(clock, { timeoutMs: 60_000, signal: abort.signal }, () =>
      Promise.reject(unavailable()),
    );
    const failed = expect(repeated).rejects.toThrow('enough');
    await clock.advance(3_000);
    abort.abort(new Error('enough'));
    await failed;
  });
});

describe('a call that is made once', () => {
  it('is made again where a server that drains has refused it, and after no other failure', async () => {
    const failures = [unavailable('DRAINING'), unavailable('DRAINING'), unavailable('OUTCOME_UNKNOWN'), unavailable()];
    const once = (): Promise<never> => Promise.reject(failures.shift()!);
    const repeated = repeatWhileUnavailable(clock, { timeoutMs: 5_000 }, once, { only: isDraining });
    const failed = expect(repeated).rejects.toMatchObject({ reason: 'OUTCOME_UNKNOWN' });
    await clock.advance(5_000);
    await failed;
    expect(failures).toHaveLength(1);
  });
});

describe('the pause between attempts', () => {
  it('doubles from 50 ms to 1 s, half of it by chance', () => {
    const pauses = (random: number): number[] => {
      const still = { monotonicMs: () => 0, bootMs: () => 0, wallMs: () => 0, after: () => () => undefined };
      const chance: Clock = { ...still, random: () => random };
      return [1, 2, 3, 4, 5, 6, 7].map((failures) => backoffMs(chance, failures));
    };
    expect(pauses(0)).toEqual([25, 50, 100, 200, 400, 500, 500]);
    expect(pauses(1)).toEqual([50, 100, 200, 400, 800, 1_000, 1_000]);
  });
});
