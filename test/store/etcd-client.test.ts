import { setTimeout } from 'node:timers/promises';
import type { Clock } from '@leasehold/core';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { EtcdClient, EtcdError } from '../../server/dist/store/etcd/client.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';

it('a client of etcd that is closed reaches nobody, and says so as it always does', async () => {
  const client = new EtcdClient({ endpoints: ['http://127.0.0.1:1'], clock: systemClock });
  client.close();
  const refused = client.call('Status', {});
  await expect(refused).rejects.toThrow(EtcdError);
  await expect(refused).rejects.toMatchObject({ message: 'etcd Status: the client is closed', isRefusal: false });
});

it.skipIf(withoutEtcd !== '')(
  `a client of etcd${withoutEtcd} takes an answer that came while its process was held up`,
  async () => {
    const etcd = await EtcdProcess.start();
    onTestFinished(() => etcd.dispose());
    let timeIsUp = (): void => undefined;
    const clock: Clock = {
      ...systemClock,
      after(_, action) {
        timeIsUp = action;
        return () => undefined;
      },
    };
    const client = new EtcdClient({ endpoints: [etcd.endpoint], clock });
    onTestFinished(() => client.close());
    await client.call('Status', {});
    etcd.signal('SIGSTOP');
    // Signals take a moment.
    await setTimeout(100);
    let isAnswered = false;
    const answer = client.call('Status', {}).finally(() => {
      isAnswered = true;
    });
    answer.catch(() => undefined);
    await setTimeout(100);
    // This goes on in the turn of a timer, which comes before the input of that turn.
    etcd.signal('SIGCONT');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    const wasAnswered = isAnswered;
    timeIsUp();
    expect(wasAnswered).toBe(false);
    expect(await answer).toMatchObject({ version: expect.stringMatching(/^3\./) as string });
  },
);
