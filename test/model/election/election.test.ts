import { createClient } from '@leasehold/sdk';
import { FakeClock, TestServer } from '@leasehold/sdk/testing';
import { expect, it } from 'vitest';
import { check } from './check.js';

/**
 * Two to five electors, the real coordinator and the networks between them, in one process and in virtual time. Every message is
 * delayed, lost or doubled by chance; clocks run at different rates; processes, the server among them, are paused, killed, restarted
 * and cut off. What is checked, at every instant where anything happens, stands in `witness.ts`; and once the faults have stopped,
 * somebody leads, and every election settles when it is told to stop.
 *
 * `MODEL_RUNS` says how many runs; `MODEL_SEED` and `MODEL_PATH` replay a failure, as its report says.
 */
it('elections keep their promises under random faults', async () => {
  const { MODEL_RUNS: runs = '300', MODEL_SEED: seed, MODEL_PATH: path } = process.env;
  const { failure, terms, refusedWrites } = await check(
    { createClient, FakeClock, TestServer },
    {
      numRuns: Number(runs),
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(path === undefined ? {} : { path }),
    },
  );
  if (failure !== undefined) throw failure;
  // A model in which nothing happens finds nothing.
  if (path === undefined) {
    expect(terms).toBeGreaterThan(Number(runs));
    expect(refusedWrites).toBeGreaterThan(0);
  }
}, 3_600_000);
