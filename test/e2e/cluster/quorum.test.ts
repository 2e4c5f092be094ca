import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '@leasehold/sdk';
import { describe, expect, it } from 'vitest';
import { withoutEtcd } from '../../support/etcd-process.js';
import type { EtcdMember } from '../../support/etcd-cluster.js';
import { Scene } from './scene.js';

const patience = { timeout: 60_000, interval: 50 };
const timeoutMs = 2000;

type Loss = (members: readonly EtcdMember[], scene: Scene) => unknown;

/** How two of three members can be lost at once. */
const losses: readonly [string, Loss][] = [
  ['killed', (members) => Promise.all(members.map((member) => member.kill()))],
  ['cut off', (members, { etcd }) => members.forEach((member) => etcd.around(member).forEach((link) => link.partition()))],
];

/** Servers while etcd has no quorum, and after. What is random here is the load alone. */
describe.skipIf(withoutEtcd !== '')(`several servers whose etcd has lost its quorum${withoutEtcd}`, { timeout: 240_000 }, () => {
  it.each(losses)('say so, lose nothing, and go on by themselves (two members %s)', async (_, lose) => {
    const scene = await Scene.set(1);
    const { client, etcd, faults, stage } = scene;
    const { granted: held } = await client.acquire('held', { durationMs: 4000, holder: 'me' });
    stage.beliefs.add(held!);
    const { granted: kept } = await client.acquire('kept', { durationMs: 600_000, holder: 'somebody' });
    const updated = await client.update('kept', { labels: { was: 'acknowledged' } });
    scene.begin();
    await expect.poll(() => scene.answered, patience).toBeGreaterThan(30);

    const leader = (await etcd.leader())!;
    const other = etcd.members.find((member) => member !== leader)!;
    faults.note('losing the quorum');
    await lose([leader, other], scene);
    const lostMs = performance.now();

    // 1. Everybody is told, in a class of its own: no other failure comes, and nothing hangs.
    const calls = [
      () => client.get('kept', { timeoutMs }),
      () => client.acquire('new', { timeoutMs }),
      () => client.renew('kept', { fencingToken: kept!.fencingToken, holder: 'somebody', timeoutMs }),
      () => client.update('kept', { labels: { was: 'not acknowledged' }, timeoutMs }),
      () => client.validate('kept', { fencingToken: kept!.fencingToken, timeoutMs }),
    ];
    await Promise.all(calls.map((call) => expect.poll(() => failureOf(call), patience).toMatchObject({ code: 'UNAVAILABLE' })));
    for (const failure of await Promise.all(calls.map(failureOf))) expect(failure).toBeInstanceOf(UnavailableError);

    // 2. A holder stops by its own clocks: within its duration of the last renewal, and what a busy machine adds.
    await expect.poll(() => held!.signal.aborted, patience).toBe(true);
    expect(performance.now() - lostMs).toBeLessThan(4000 + 20_000);
    expect(held!.status).toBe('lost');
    expect(kept!.status).toBe('held');
    await sleep(2000);

    // 3. It goes on: with the same servers, and with everything that was acknowledged.
    await etcd.restore();
    faults.note('the quorum is back');
    await expect
      .poll(() => client.get('kept').catch(() => undefined), patience)
      .toMatchObject({ holder: 'somebody', fencingToken: kept!.fencingToken, state: 'HELD' });
    const { granted: again } = await client.acquire('held', { durationMs: 4000, waitMs: 60_000, holder: 'else' });
    expect(again!.fencingToken).toBeGreaterThan(held!.fencingToken);
    expect((await client.get('kept')).resourceVersion).toBeGreaterThanOrEqual(updated.resourceVersion);
    expect(kept!.status).toBe('held');
    await Promise.all([again!.release(), kept!.release()]);
    expect(await scene.findings()).toEqual([]);
  });
});

async function failureOf(call: () => Promise<unknown>): Promise<unknown> {
  return call().then(
    (answer) => answer,
    (error: unknown) => error,
  );
}
