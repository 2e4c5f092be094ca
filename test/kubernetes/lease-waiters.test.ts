import { beforeEach, describe, expect, test } from 'vitest';
import type { Answer, Attachment, Loss } from '@leasehold/core';
import { acquire, Client, lease as leaseName, release, renew, revoke, update } from '../core/world.js';
import { changed, heldBy, leases, LeaseWorld, merge, one, type Answered } from './lease-world.js';

/** Leases that one API holds and the other waits for, or takes away. */

let api: LeaseWorld;

beforeEach(async () => {
  api = await LeaseWorld.start();
});

const patch = (body: object, query = ''): Promise<Answered> => api.ask('PATCH', `${one}${query}`, { headers: merge, body });
const remove = (body?: object): Promise<Answered> => api.ask('DELETE', one, body === undefined ? {} : { body });
const post = (spec: object = {}): Promise<Answered> =>
  api.ask('POST', leases, { body: { metadata: { name: leaseName.name }, spec } });

/** Somebody who waits over gRPC for as long as it takes; `answers`: what it got. */
async function waiter(holder: string, claim: Parameters<typeof acquire>[1] = {}): Promise<{ answers: Answer[] }> {
  const answers: Answer[] = [];
  const waiting = api.world.coordinator.submit(acquire(holder, claim, { waitMs: 3_600_000 }), new Client());
  waiting.then(
    (answer) => answers.push(answer),
    () => undefined,
  );
  await api.world.clock.advance(0);
  return { answers };
}

describe('who waits over gRPC', () => {
  test('is granted a lease of Kubernetes when it expires by the clock of the server', async () => {
    const { metadata } = await api.create(heldBy('a', 10));
    const { answers } = await waiter('b');
    await api.world.clock.advance(9_999);
    expect(answers).toEqual([]);
    // Whatever the wall clock says.
    api.world.clock.jumpWall(-3_600_000);
    await api.world.clock.advance(1);
    expect(answers).toMatchObject([{ kind: 'granted', record: { holder: 'b', origin: 'grpc' } }]);
    const shown = await api.get();
    expect(shown).toMatchObject({ metadata: { uid: metadata.uid }, spec: { holderIdentity: 'b', leaseTransitions: 1 } });
    expect(BigInt(shown.metadata.annotations!['leasehold.dev/token']!)).toBeGreaterThan(
      BigInt(metadata.annotations!['leasehold.dev/token']!),
    );
    // From here on it is a lease of gRPC.
    expect(await patch({ spec: { holderIdentity: 'a' } })).toMatchObject({
      code: 409,
      status: { details: { causes: [{ reason: 'LEASE_HELD' }] } },
    });
  });

  test('waits on while the lease of Kubernetes is renewed, and for ever where it has no duration', async () => {
    await api.create(heldBy('a', 10));
    const { answers } = await waiter('b');
    for (let renewal = 1; renewal <= 3; renewal += 1) {
      await api.world.clock.advance(9_000);
      await patch({ spec: { renewTime: `2027-01-01T00:00:0${renewal}.000000Z` } });
    }
    await patch({ spec: { leaseDurationSeconds: null } });
    await api.world.clock.stall(1_800_000);
    expect(answers).toEqual([]);
    expect((await api.get()).spec).not.toHaveProperty('leaseDurationSeconds');
    // The moment it has one, it counts.
    await patch({ spec: { leaseDurationSeconds: 1 } });
    await api.world.clock.advance(2_000);
    expect(answers).toMatchObject([{ kind: 'granted' }]);
  });

  test.each([
    ['a PUT', () => api.get().then((lease) => api.ask('PUT', one, { body: changed(lease, { spec: { holderIdentity: '' } }) }))],
    ['a patch', () => patch({ spec: { holderIdentity: '', leaseDurationSeconds: 1 } })],
    ['a patch that takes the holder away', () => patch({ spec: { holderIdentity: null } })],
  ])('is granted a lease that Kubernetes releases by %s, the first in the queue before others', async (_, letGo) => {
    await api.create(heldBy('a'));
    const [first, second] = [await waiter('b'), await waiter('c')];
    const { code, lease } = await letGo();
    await api.world.clock.advance(0);
    expect({ code, holder: lease.spec?.holderIdentity }).toEqual({ code: 200, holder: 'b' });
    expect(first.answers).toMatchObject([{ kind: 'granted', record: { fencingToken: BigInt(lease.metadata.resourceVersion!) } }]);
    expect(second.answers).toEqual([]);
    await api.world.do(release(BigInt(lease.metadata.resourceVersion!)));
    expect(second.answers).toMatchObject([{ kind: 'granted' }]);
  });

  test('is granted a lease that does not exist before Kubernetes can create it', async () => {
    await api.world.grant('a');
    await remove();
    const { answers } = await waiter('b');
    await api.world.clock.advance(10_000);
    expect(answers).toMatchObject([{ kind: 'granted', record: { holder: 'b' } }]);
    expect(await post()).toMatchObject({ code: 409, status: { reason: 'AlreadyExists' } });
  });
});

describe('a deletion by Kubernetes with somebody in the queue', () => {
  test('of a lease of Kubernetes grants it at once, under another identity', async () => {
    const { metadata } = await api.create(heldBy('a'), { labels: { app: 'x' } });
    const { answers } = await waiter('b');
    expect((await remove()).code).toBe(200);
    await api.world.clock.advance(0);
    expect(answers).toMatchObject([{ kind: 'granted', record: { holder: 'b', labels: {} } }]);
    expect((await api.get()).metadata.uid).not.toBe(metadata.uid);
  });

  test('of a lease of gRPC grants it once its holder cannot believe in it any more', async () => {
    const token = await api.world.grant('a');
    const { answers } = await waiter('b');
    await api.world.clock.advance(4_000);
    expect((await remove()).code).toBe(200);
    await expect(api.world.do(renew(api.world, 'a', token))).rejects.toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    await api.world.clock.advance(5_999);
    expect(answers).toEqual([]);
    await api.world.clock.advance(1);
    expect(answers).toMatchObject([{ kind: 'granted' }]);
  });
});

describe('the name of a deleted lease of gRPC', () => {
  test.each([
    ['a POST', () => post()],
    ['a PUT', () => api.ask('PUT', one, { body: { metadata: { name: leaseName.name }, spec: {} } })],
    [
      'an apply',
      () =>
        api.ask('PATCH', `${one}?fieldManager=me`, {
          headers: { 'content-type': 'application/apply-patch+yaml' },
          body: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: leaseName.name } },
        }),
    ],
  ])('cannot be taken by %s, which is told how long', async (_, create) => {
    await api.world.grant('a');
    await api.world.clock.advance(2_500);
    await remove();
    await api.world.clock.advance(1_000);
    expect(await create()).toMatchObject({
      code: 409,
      status: {
        reason: 'Conflict',
        details: { causes: [{ reason: 'NAME_RESERVED', message: expect.stringContaining('6500 ms left') as string }] },
      },
    });
    await api.world.clock.advance(6_500);
    expect((await create()).code).toBe(201);
  });
});

describe('finalizers', () => {
  const withFinalizer = { finalizers: ['example.com/f'] };

  test('keep a lease from who waits, until its tenure ends otherwise', async () => {
    await api.create(heldBy('a'), withFinalizer);
    const { answers } = await waiter('b');
    expect(await remove()).toMatchObject({ code: 200, lease: { kind: 'Lease' } });
    await api.world.clock.advance(9_999);
    expect(answers).toEqual([]);
    await api.world.clock.advance(1);
    expect(answers).toMatchObject([{ kind: 'granted' }]);
    expect((await api.get()).metadata).toMatchObject({ deletionTimestamp: expect.any(String) as string });
  });

  test('whose last one goes end a lease of Kubernetes at once', async () => {
    await api.create(heldBy('a'), withFinalizer);
    const { answers } = await waiter('b');
    await remove();
    expect((await patch({ metadata: { finalizers: null } })).code).toBe(200);
    await api.world.clock.advance(0);
    expect(answers).toMatchObject([{ kind: 'granted' }]);
  });

  test('whose last one goes leave the name of a lease of gRPC reserved for its holder', async () => {
    await api.create({}, withFinalizer);
    const token = await api.world.grant('a');
    const { answers } = await waiter('b');
    await remove();
    await api.world.clock.advance(4_000);
    expect((await api.world.do(renew(api.world, 'a', token))).record.holder).toBe('a');
    expect((await patch({ metadata: { finalizers: null } })).code).toBe(200);
    expect((await api.ask('GET', one)).code).toBe(404);
    await api.world.clock.advance(9_999);
    expect(answers).toEqual([]);
    expect(await post()).toMatchObject({ code: 409, status: { details: { causes: [{ reason: 'NAME_RESERVED' }] } } });
    await api.world.clock.advance(1);
    expect(answers).toMatchObject([{ kind: 'granted' }]);
  });

  test('whose last one goes in a lock delay leave the name reserved for it', async () => {
    await api.create({}, withFinalizer);
    await api.world.grant('a', { lockDelayMs: 5_000 });
    await remove();
    await api.world.clock.advance(12_000);
    expect((await patch({ metadata: { finalizers: null } })).code).toBe(200);
    expect(await post()).toMatchObject({
      code: 409,
      status: { details: { causes: [{ message: expect.stringContaining('3000 ms left') as string }] } },
    });
    await api.world.clock.advance(3_000);
    expect((await post()).code).toBe(201);
  });
});

describe('a lock delay', () => {
  test('keeps a lease from both APIs after it has expired, whoever held it, and not after a release', async () => {
    await api.create(heldBy('a', 10));
    await api.world.do(update({ lockDelayMs: 5_000 }));
    const { answers } = await waiter('b');
    await api.world.clock.advance(10_000);
    const take = { spec: heldBy('c', 10) };
    expect(await patch({ spec: { ...take.spec, renewTime: '2027-02-01T00:00:00.000000Z' } })).toMatchObject({
      code: 409,
      status: { details: { causes: [{ reason: 'LEASE_HELD', message: expect.stringContaining('5000 ms left') as string }] } },
    });
    expect((await patch({ metadata: { labels: { free: 'yes' } } })).code).toBe(200);
    await api.world.clock.advance(4_999);
    expect(answers).toEqual([]);
    await api.world.clock.advance(1);
    expect(answers).toMatchObject([{ kind: 'granted' }]);
    await api.world.do(release(api.world.lease.record.fencingToken));
    expect((await patch(take)).code).toBe(200);
  });
});

describe('a holder of a lease of Kubernetes that beats over gRPC', () => {
  test('keeps it alive, and is told when Kubernetes gives it to somebody else', async () => {
    await api.create(heldBy('a', 10));
    const losses: Loss[] = [];
    const durations: number[] = [];
    const listener = {
      onLoss: (_: Attachment, loss: Loss) => losses.push(loss),
      onDuration: (_: Attachment, durationMs: number) => durations.push(durationMs),
    };
    const { coordinator, clock } = api.world;
    const { fencingToken } = api.world.lease.record;
    const request = { ...leaseName, holder: 'a', fencingToken, readAtMs: clock.monotonicMs() };
    const attachment = await coordinator.attach(request, listener);
    await clock.advance(9_000);
    expect(coordinator.beat(attachment, clock.monotonicMs())).toBe('renewed');
    await clock.advance(9_000);
    expect(api.world.lease.record.state).toBe('HELD');
    await patch({ spec: { leaseDurationSeconds: 30 } });
    expect(durations).toEqual([30_000]);
    expect((await patch({ spec: heldBy('b', 10) })).code).toBe(200);
    expect(losses).toMatchObject([{ reason: 'RELEASED', holder: 'b', graceMs: undefined }]);
    expect(coordinator.beat(attachment, clock.monotonicMs())).toBe('lost');
  });
});

describe('a revoke over gRPC of a lease of Kubernetes', () => {
  test('stops its renewals, lets it be released, and ends with its deadline', async () => {
    await api.create(heldBy('a', 10));
    const { answers } = await waiter('b');
    await api.world.do(revoke(api.world.lease.record.fencingToken));
    for (const spec of [{ renewTime: '2027-02-01T00:00:00.000000Z' }, { holderIdentity: 'c' }]) {
      expect(await patch({ spec })).toMatchObject({ code: 409, status: { details: { causes: [{ reason: 'LEASE_REVOKED' }] } } });
    }
    await api.world.clock.advance(9_999);
    expect(answers).toEqual([]);
    await api.world.clock.advance(1);
    expect(answers).toMatchObject([{ kind: 'granted' }]);
  });
});
