import {
  defaultLimits,
  everything,
  startCoordinator,
  type Answer,
  type Attachment,
  type AttachRequest,
  type Claim,
  type Command,
  type LeaseCoordinator,
  type LeaseError,
  type LeaseRecord,
  type Loss,
  type WriteCommand,
} from '@leasehold/core';
import { FakeClock, settle } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Member, SharedMemory, type Server } from './shared-memory.js';
import { acquire, lease, release, remove, revoke } from './world.js';

const durationMs = 10_000;
const ttlMs = 3_000;

/** Two servers on the same data: which of them keeps a lease, and what the other one may do about it. */
describe('a lease on two servers', () => {
  let clock: FakeClock;
  let shared: SharedMemory;
  let first: Server;
  let second: Server;

  beforeEach(async () => {
    clock = new FakeClock();
    shared = new SharedMemory(clock);
    first = await shared.start('session-1');
    second = await shared.start('session-2');
  });

  it('is not served by a server that cannot catch up, of which nothing is left', async () => {
    const [before, store] = [clock.timers, new Member(shared, 'session-3')];
    store.follow = () => Promise.reject(new Error('the feed is over'));
    const options = { store, clock, limits: defaultLimits, newUid: () => '', onFailure: () => undefined };
    await expect(startCoordinator(options)).rejects.toThrow('the feed is over');
    expect(clock.timers).toBe(before);
  });

  it('is granted by one and known to the other', async () => {
    const token = await grant(first, 'alice');
    expect(second.coordinator.get(lease.namespace, lease.name).record).toMatchObject({ holder: 'alice', fencingToken: token });
    expect(await submit(second, acquire('bob'))).toMatchObject({ kind: 'busy', busy: { holder: 'alice' } });
  });

  it('is watched no further than the server has come, and then on from there', async () => {
    const { revision } = first.coordinator;
    const token = await grant(first, 'alice');
    // Its history goes back beyond what it remembers, and further on than it has heard of.
    const third = await shared.start('session-3');
    third.store.hold();
    await submit(first, release(token));
    const seen: string[] = [];
    const query = { namespace: '', name: '', selector: everything, fromRevision: revision, includeRenewals: true };
    third.coordinator.watch(query, {
      write: ({ events }) => {
        seen.push(...events.map(({ type }) => type));
        return true;
      },
      end: (error) => expect.fail(error.message),
    });
    await settle();
    expect(seen).toEqual(['ACQUIRED']);
    await third.store.release();
    expect(seen).toEqual(['ACQUIRED', 'RELEASED']);
  });

  it('is not expired by a server that does not keep it, however long that hears nothing of it', async () => {
    const token = await grant(first, 'alice');
    const kept = await attach(first, 'alice', token);
    for (let passed = 0; passed < 5 * durationMs; passed += 2_000) {
      await clock.advance(2_000);
      expect(first.coordinator.beat(kept.attachment, clock.monotonicMs())).toBe('renewed');
    }
    expect(second.coordinator.get(lease.namespace, lease.name)).toMatchObject({
      record: { state: 'HELD' },
      remainingMs: durationMs,
    });
    expect(await submit(second, acquire('bob'))).toMatchObject({ kind: 'busy' });
  });

  it('that is held over Kubernetes is expired by either, counted from the last renewal that it has seen', async () => {
    const { record } = (await submit(first, write('2026-01-01T00:00:00.000000Z', clock.monotonicMs()))) as {
      record: LeaseRecord;
    };
    await clock.advance(durationMs - 1);
    await submit(second, {
      ...write('2026-01-01T00:00:09.999000Z', clock.monotonicMs()),
      resourceVersion: record.resourceVersion,
    });
    await clock.advance(durationMs - 1);
    expect(first.coordinator.get(lease.namespace, lease.name).record.state).toBe('HELD');
    // Whichever of the servers comes second leaves a moment to the other one.
    await clock.advance(2_001);
    expect(first.coordinator.get(lease.namespace, lease.name).record.state).toBe('EXPIRED');
    expect(second.coordinator.get(lease.namespace, lease.name).record.state).toBe('EXPIRED');
  });

  it('is renewed by a call to another server than the one that keeps it', async () => {
    const token = await grant(first, 'alice');
    await clock.advance(durationMs - 1);
    await submit(second, { kind: 'renew', ...lease, holder: 'alice', fencingToken: token, readAtMs: clock.monotonicMs() });
    await clock.advance(durationMs - 1);
    expect(first.coordinator.get(lease.namespace, lease.name).record.state).toBe('HELD');
    await clock.advance(2);
    expect(second.coordinator.get(lease.namespace, lease.name).record.state).toBe('EXPIRED');
  });

  it('keeps its version while it moves and while somebody waits, which no watch tells of', async () => {
    const token = await grant(first, 'alice');
    const { resourceVersion } = first.coordinator.get(lease.namespace, lease.name).record;
    await attach(second, 'alice', token);
    void first.coordinator.submit(acquire('bob', {}, { waitMs: 5_000 }));
    await settle();
    for (const { coordinator } of [first, second]) {
      const { record } = coordinator.get(lease.namespace, lease.name);
      expect(record).toMatchObject({ resourceVersion, attendant: 'session-2', waiting: [{ session: 'session-1' }] });
    }
  });

  it('counts in full once the server that kept it is gone', async () => {
    const token = await grant(first, 'alice');
    await attach(first, 'alice', token);
    await clock.advance(durationMs - 100);
    shared.end('session-1');
    await settle();
    await clock.advance(durationMs - 1);
    expect(second.coordinator.get(lease.namespace, lease.name).record.state).toBe('HELD');
    await clock.advance(2);
    expect(second.coordinator.get(lease.namespace, lease.name).record.state).toBe('EXPIRED');
  });

  it('moves with its holder: the stream before hears of it, and its beats count no more', async () => {
    const token = await grant(first, 'alice');
    const before = await attach(first, 'alice', token);
    const after = await attach(second, 'alice', token);
    expect(before.losses).toMatchObject([{ reason: 'MOVED', holder: 'alice', fencingToken: token }]);
    expect(first.coordinator.beat(before.attachment, clock.monotonicMs())).toBe('lost');
    expect(second.coordinator.beat(after.attachment, clock.monotonicMs())).toBe('renewed');
    expect(after.losses).toEqual([]);
  });

  it('that has moved is kept no more by the server before, though the next one has gone before that hears of it', async () => {
    const token = await grant(first, 'alice');
    const before = await attach(first, 'alice', token);
    first.store.hold();
    await attach(second, 'alice', token);
    // While this is under way, what the others commit is put off, and the ends of their sessions are not.
    const other = first.coordinator.submit({ ...acquire('bob'), name: 'other' });
    shared.end('session-2');
    await first.store.release();
    await other;
    expect(before.losses).toMatchObject([{ reason: 'MOVED', fencingToken: token }]);
    expect(first.coordinator.beat(before.attachment, clock.monotonicMs())).toBe('lost');
  });

  it('that was kept by one who has gone before it is known that it did counts in full', async () => {
    const third = await shared.start('session-3');
    const token = await grant(first, 'alice');
    await attach(first, 'alice', token);
    shared.end('session-1');
    await clock.advance(durationMs - 100);
    third.store.hold();
    const kept = await attach(second, 'alice', token);
    expect(second.coordinator.beat(kept.attachment, clock.monotonicMs())).toBe('renewed');
    const acknowledgedUntilMs = clock.monotonicMs() + durationMs;
    shared.end('session-2');
    await third.store.release();
    await clock.advance(acknowledgedUntilMs - clock.monotonicMs() - 1);
    expect(third.coordinator.get(lease.namespace, lease.name).record.state).toBe('HELD');
  });

  it('that has moved lasts as long as the server before may have acknowledged, even if the next one goes at once', async () => {
    const third = await shared.start('session-3');
    const token = await grant(first, 'alice');
    const before = await attach(first, 'alice', token);
    first.store.hold();
    await attach(second, 'alice', token);
    shared.end('session-2');
    await settle();
    // The first does not know it yet.
    await clock.advance(ttlMs - 1);
    expect(first.coordinator.beat(before.attachment, clock.monotonicMs())).toBe('renewed');
    await clock.advance(durationMs - 1);
    expect(third.coordinator.get(lease.namespace, lease.name).record.state).toBe('HELD');
    // Whichever of the servers comes later leaves a moment to each of those before.
    await clock.advance(2 + 2_000);
    expect(third.coordinator.get(lease.namespace, lease.name).record.state).toBe('EXPIRED');
  });

  it('that is kept by nobody who is known counts in full, and longer by what they may not have known', async () => {
    const token = await grant(first, 'alice');
    await attach(first, 'alice', token);
    await first.coordinator.drain();
    await second.coordinator.drain();
    const third = await shared.start('session-3');
    await clock.advance(ttlMs + durationMs - 1);
    expect(third.coordinator.get(lease.namespace, lease.name).record.state).toBe('HELD');
    await clock.advance(2);
    expect(third.coordinator.get(lease.namespace, lease.name).record.state).toBe('EXPIRED');
  });

  it('keeps its name, when it is deleted, for as long as the server that keeps it may acknowledge', async () => {
    const token = await grant(first, 'alice');
    const kept = await attach(first, 'alice', token);
    first.store.hold();
    await submit(second, remove({ fencingToken: token }));
    await clock.advance(ttlMs - 1);
    expect(first.coordinator.beat(kept.attachment, clock.monotonicMs())).toBe('renewed');
    await clock.advance(durationMs - 1);
    expect(await submit(second, acquire('bob'))).toMatchObject({ kind: 'busy' });
    await first.store.release();
    expect(kept.losses).toMatchObject([{ reason: 'DELETED' }]);
  });

  it('is ended by its keeper when it is revoked elsewhere', async () => {
    const token = await grant(first, 'alice');
    const kept = await attach(first, 'alice', token);
    await submit(second, revoke(token, { graceMs: 5_000 }));
    expect(kept.losses).toMatchObject([{ reason: 'REVOKED', graceMs: 5_000 }]);
    await clock.advance(4_000);
    expect(first.coordinator.beat(kept.attachment, clock.monotonicMs())).toBe('renewed');
    await clock.advance(1_001);
    expect(kept.losses.at(-1)).toMatchObject({ reason: 'REVOKED', graceMs: undefined });
    await clock.advance(durationMs);
    expect(second.coordinator.get(lease.namespace, lease.name).record.state).toBe('AVAILABLE');
  });

  it('is answered about only by a server that has caught up', async () => {
    second.store.hold();
    const token = await grant(first, 'alice');
    const answers: unknown[] = [];
    void second.coordinator.submit(revoke(token - 1n)).catch((error: unknown) => answers.push((error as LeaseError).reason));
    void second.coordinator.catchUp().then(() => answers.push(second.coordinator.get(lease.namespace, lease.name).record.holder));
    await settle();
    expect(answers).toEqual([]);
    await second.store.release();
    expect(answers.sort()).toEqual(['LEASE_LOST', 'alice']);
  });

  it('is decided anew when the other server was faster', async () => {
    second.store.hold();
    await grant(first, 'alice');
    const late = second.coordinator.submit(acquire('bob'));
    await settle();
    await second.store.release();
    expect(await late).toMatchObject({ kind: 'busy', busy: { holder: 'alice' } });
  });

  it('goes to who came first, on whichever server, and the highest priority before', async () => {
    const token = await grant(first, 'alice');
    const granted: string[] = [];
    const wait = async (server: Server, holder: string, priority = 0): Promise<void> => {
      void server.coordinator.submit(acquire(holder, {}, { waitMs: 600_000, priority })).then((answer) => {
        if (answer.kind === 'granted') granted.push(holder);
      });
      await settle();
    };
    await wait(second, 'bob');
    await wait(first, 'carol');
    await wait(second, 'urgent', 5);
    await submit(first, release(token));
    await clock.advance(0);
    expect(granted).toEqual(['urgent']);
    await submit(first, release(tokenOf(second)));
    await clock.advance(0);
    expect(granted).toEqual(['urgent', 'bob']);
    await submit(second, release(tokenOf(second)));
    await clock.advance(0);
    expect(granted).toEqual(['urgent', 'bob', 'carol']);
  });

  it('is not granted past those who wait on the other server', async () => {
    const token = await grant(first, 'alice');
    void second.coordinator.submit(acquire('bob', {}, { waitMs: 600_000 }));
    await settle();
    second.store.hold();
    await submit(first, release(token));
    // It is the turn of the second, which does not know it yet.
    expect(await submit(first, acquire('carol'))).toMatchObject({ kind: 'busy' });
    await second.store.release();
    await clock.advance(0);
    expect(first.coordinator.get(lease.namespace, lease.name).record.holder).toBe('bob');
  });

  it('does not wait for those whose server is gone', async () => {
    const token = await grant(first, 'alice');
    void second.coordinator.submit(acquire('bob', {}, { waitMs: 600_000 })).catch(() => undefined);
    await settle();
    const waiting = first.coordinator.submit(acquire('carol', {}, { waitMs: 600_000 }));
    await settle();
    second.store.hold();
    await submit(first, release(token));
    shared.end('session-2');
    await settle();
    expect(await waiting).toMatchObject({ kind: 'granted', record: { holder: 'carol' } });
  });

  it('is granted to who asks, although somebody waited on a server that is gone, and nobody has come since', async () => {
    const token = await grant(first, 'alice');
    void second.coordinator.submit(acquire('bob', {}, { waitMs: 600_000 })).catch(() => undefined);
    await settle();
    second.store.hold();
    await submit(first, release(token));
    shared.end('session-1');
    shared.end('session-2');
    const third = await shared.start('session-3');
    expect(tokenOf(third)).toBe(token);
    expect(await submit(third, acquire('carol'))).toMatchObject({ kind: 'granted' });
  });

  it('tells the others when nobody waits any more', async () => {
    const token = await grant(first, 'alice');
    void second.coordinator.submit(acquire('bob', {}, { waitMs: 5_000 }));
    await settle();
    expect(first.coordinator.get(lease.namespace, lease.name).record.waiting).toEqual([{ session: 'session-2', priority: 0 }]);
    await submit(first, { kind: 'renew', ...lease, holder: 'alice', fencingToken: token, readAtMs: clock.monotonicMs() });
    await clock.advance(5_001);
    expect(first.coordinator.get(lease.namespace, lease.name).record.waiting).toEqual([]);
  });
});

/** A holder of Kubernetes that writes when it has renewed. */
function write(renewTime: string, readAtMs: number): WriteCommand {
  return {
    kind: 'write',
    ...lease,
    resourceVersion: 0n,
    spec: { holderIdentity: 'alice', leaseDurationSeconds: durationMs / 1000, renewTime },
    labels: {},
    annotations: {},
    part: { generateName: '', ownerReferences: [], finalizers: [], managedFields: [] },
    readAtMs,
    strict: false,
    dryRun: false,
  };
}

async function submit({ coordinator }: Server, command: Command): Promise<Answer> {
  const answer = coordinator.submit(command);
  answer.catch(() => undefined);
  await settle();
  return answer;
}

async function grant(server: Server, holder: string, claim: Partial<Claim> = {}): Promise<bigint> {
  await submit(server, acquire(holder, { durationMs, ...claim }));
  return tokenOf(server);
}

function tokenOf({ coordinator }: { readonly coordinator: LeaseCoordinator }): bigint {
  return coordinator.get(lease.namespace, lease.name).record.fencingToken;
}

/** A stream that keeps the lease, and what it has heard. */
async function attach(
  { coordinator, store }: Server,
  holder: string,
  fencingToken: bigint,
): Promise<{ attachment: Attachment; losses: Loss[] }> {
  const losses: Loss[] = [];
  const request: AttachRequest = { ...lease, holder, fencingToken, readAtMs: coordinator.monotonicMs() };
  const attaching = coordinator.attach(request, {
    onLoss: (_, loss) => losses.push(loss),
    onDuration: () => undefined,
  });
  await settle();
  const attachment = await attaching;
  expect(coordinator.get(lease.namespace, lease.name).record.attendant).toBe(store.session);
  return { attachment, losses };
}
