import { randomBytes } from 'node:crypto';
import { parseOptions, startServer, type RunningServer } from '@leasehold/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { moreRecordedCases, recordedCases } from './recordings.js';
import { Replay } from './replay.js';

/** Answers as kube-apiserver 1.36 gives them, to sequences of requests that were recorded there. */

let server: RunningServer;

beforeAll(async () => {
  const request = parseOptions(['--listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0', '--store', 'memory:'], {});
  if (request.kind !== 'serve') throw new Error('asked for help');
  // Time stands still: on a busy machine, a lease would be shown to be a second old that was new when it was recorded. Nor does one of a
  // case before expire meanwhile, with which the version would go on under who has just written and asks for the newest one.
  const wallMs = systemClock.wallMs();
  const monotonicMs = systemClock.monotonicMs();
  const clock = { ...systemClock, wallMs: () => wallMs, monotonicMs: () => monotonicMs };
  server = await startServer(request.options, { clock });
});

afterAll(() => server.drain());

describe('recorded', () => {
  for (const { name, steps } of [...recordedCases(), ...moreRecordedCases()]) {
    test(name, async () => {
      const replay = new Replay(server.http?.port ?? 0, `g-${randomBytes(4).toString('hex')}`);
      await replay.run(steps);
      expect(replay.deviations).toEqual([]);
    });
  }
});
