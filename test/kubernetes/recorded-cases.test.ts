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
  // The calendar stands still: on a busy machine, a lease would be shown to be a second old that was new when it was recorded.
  const wallMs = systemClock.wallMs();
  server = await startServer(request.options, { clock: { ...systemClock, wallMs: () => wallMs } });
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
