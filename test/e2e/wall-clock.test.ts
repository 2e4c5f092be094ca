import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@leasehold/sdk';
import { expect, it, onTestFinished } from 'vitest';
import { ServerProcess, temporaryDirectory } from '../support/server-process.js';
import { acquire, acquireRequest, grantOf, seconds, wireClient } from '../support/wire.js';

const durationMs = 3_000;

const library = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']
  .map((directory) => join(directory, 'faketime/libfaketimeMT.so.1'))
  .find((path) => existsSync(path));

if (library === undefined && process.env['CI'] !== undefined) {
  throw new Error('CI has to have libfaketime (the Debian package faketime)');
}

it.skipIf(library === undefined)(
  'expires no lease early and none late while the wall clock jumps by an hour, back and forth (needs libfaketime)',
  async () => {
    const directory = await temporaryDirectory();
    const control = join(directory, 'time');
    const jump = (seconds: number): void => {
      writeFileSync(control, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
    };
    jump(0);
    const server = await ServerProcess.start({
      store: `sqlite:${join(directory, 'leases.db')}`,
      env: {
        LD_PRELOAD: library ?? '',
        FAKETIME_TIMESTAMP_FILE: control,
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        FAKETIME_NO_CACHE: '1',
      },
    });
    const client = createClient({ endpoints: [server.address] });
    onTestFinished(() => client.close());

    const { granted: kept } = await client.acquire('kept', { durationMs: 2_000 });
    const lateness: number[] = [];
    for (const [index, offset] of [3_600, -3_600, 0].entries()) {
      const name = `left-${index}`;
      const { resourceVersion } = await client.create(name);
      await grantOf(
        acquire(wireClient(server.address), acquireRequest({ name, holder: 'gone', duration: seconds(durationMs / 1000) })),
      );
      const grantedAt = performance.now();
      jump(offset);
      const probe = await client.create(`probe-${index}`);
      expect(Math.abs((probe.createTime?.getTime() ?? 0) - (Date.now() + offset * 1000))).toBeLessThan(60_000);
      await sleep(durationMs - 500);
      expect(await client.get(name)).toMatchObject({ state: 'HELD' });
      for await (const { type } of client.watch({ name, fromRevision: resourceVersion })) {
        if (type === 'EXPIRED') {
          break;
        }
      }
      lateness.push(performance.now() - grantedAt - durationMs);
    }
    // Early by no more than the answer's way; late by no more than a busy machine takes.
    expect(Math.min(...lateness)).toBeGreaterThan(-50);
    expect(Math.max(...lateness)).toBeLessThan(2_000);
    expect(kept?.status).toBe('held');
  },
  60_000,
);
