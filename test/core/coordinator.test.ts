import { settle } from '@leasehold/sdk/testing';
import { describe, expect, it, vi } from 'vitest';
import { acquire, Client, create, reasonOf, release, remove, renew, revoke, update, validate, World } from './world.js';

describe('acquire', () => {
  it('grants a free lease with the revision of the commit as token', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    expect(world.lease.record).toMatchObject({
      state: 'HELD',
      holder: 'a',
      fencingToken: token,
      resourceVersion: token,
      transitions: 0,
    });
    expect(world.coordinator.revision).toBe(token);
    expect(world.lease.remainingMs).toBe(10_000);
  });

  it('answers busy to others, also to the same holder under another id', async () => {
    const world = await World.start();
    const token = await world.grant('a', { acquireId: 'one' });
    await world.clock.advance(1_000);
    for (const other of [acquire('b'), acquire('a', { acquireId: 'two' }), acquire('a')]) {
      const answer = await world.do(other);
      expect(answer).toMatchObject({
        kind: 'busy',
        busy: { holder: 'a', fencingToken: token, remainingMs: 9_000, timedOut: false },
      });
    }
  });

  it('grants a repeat again: same token, fresh deadline, one tenure', async () => {
    const world = await World.start();
    const token = await world.grant('a', { acquireId: 'one' });
    await world.clock.advance(9_000);
    expect(await world.grant('a', { acquireId: 'one' })).toBe(token);
    await world.clock.advance(9_000);
    expect(world.lease.record.state).toBe('HELD');
    expect(world.lease.record.transitions).toBe(0);
  });

  it('refuses a late repeat of a tenure that has ended', async () => {
    const world = await World.start();
    const token = await world.grant('a', { acquireId: 'one' });
    await world.do(release(token));
    expect(await reasonOf(world.do(acquire('a', { acquireId: 'one' })))).toBe('LEASE_LOST');
    expect(await world.grant('a', { acquireId: 'two' })).toBeGreaterThan(token);
  });

  it('lets the duration of a tenure only grow', async () => {
    const world = await World.start();
    await world.grant('a', { durationMs: 10_000 });
    await world.grant('a', { durationMs: 5_000 });
    expect(world.lease.record.durationMs).toBe(10_000);
    await world.grant('a', { durationMs: 20_000 });
    expect(world.lease.remainingMs).toBe(20_000);
  });

  it('counts transitions only when the holder differs from the last one', async () => {
    const world = await World.start();
    await world.do(release(await world.grant('a')));
    await world.do(release(await world.grant('a')));
    expect(world.lease.record.transitions).toBe(0);
    await world.grant('b');
    expect(world.lease.record.transitions).toBe(1);
  });

  it('takes a new grant back when its caller is gone, unless the holder shows itself', async () => {
    const world = await World.start();
    const client = new Client();
    client.dieSilently();
    await world.do(acquire('a'), client);
    expect(world.lease.record.state).toBe('AVAILABLE');

    world.store.shut();
    const lost = new Client();
    const first = world.coordinator.submit(acquire('b', { acquireId: 'x' }), lost);
    await settle();
    lost.dieSilently();
    const repeat = world.coordinator.submit(acquire('b', { acquireId: 'x' }));
    await world.store.open();
    await first;
    expect((await repeat).kind).toBe('granted');
    expect(world.lease.record).toMatchObject({ state: 'HELD', holder: 'b' });
  });
});

describe('expiry', () => {
  it('expires a lease at its deadline, keeps the last holder, and never revives it', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    await world.clock.advance(9_999);
    expect(world.lease.record.state).toBe('HELD');
    await world.clock.advance(20);
    expect(world.lease.record).toMatchObject({ state: 'EXPIRED', holder: 'a', fencingToken: token });
    expect(await reasonOf(world.do(renew(world, 'a', token)))).toBe('LEASE_EXPIRED');
    expect(await reasonOf(world.do(release(token)))).toBe('LEASE_EXPIRED');
    expect(await world.grant('a')).toBeGreaterThan(token);
  });

  it('counts a renewal from when its bytes were read', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const late = renew(world, 'a', token);
    await world.clock.advance(4_000);
    await world.do(late);
    expect(world.lease.remainingMs).toBe(6_000);
    await world.do(renew(world, 'a', token));
    expect(world.lease.remainingMs).toBe(10_000);
  });

  it('lets an acquire that finds an overdue lease wait for the expiry', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    world.store.shut();
    await world.clock.advance(10_020);
    const other = world.coordinator.submit(acquire('b'));
    await settle();
    await world.store.open();
    const answer = await other;
    expect(answer).toMatchObject({ kind: 'granted' });
    expect(world.lease.record.fencingToken).toBeGreaterThan(token);
  });

  it('does not listen to the wall clock', async () => {
    for (const jump of [3_600_000, -3_600_000]) {
      const world = await World.start();
      await world.grant('a');
      world.clock.jumpWall(jump);
      await world.clock.advance(9_990);
      expect(world.lease.record.state).toBe('HELD');
      await world.clock.advance(30);
      expect(world.lease.record.state).toBe('EXPIRED');
    }
  });

  it('moves deadlines that fell due in a stall, once', async () => {
    const world = await World.start();
    const token = await world.grant('a', { durationMs: 3_000 });
    await world.clock.stall(5_000);
    expect(world.lease.record.state).toBe('HELD');
    expect(world.lease.remainingMs).toBe(3_000);
    const renewal = world.do(renew(world, 'a', token));
    expect((await renewal).kind).toBe('renewed');
    await world.clock.stall(200 + 3_000);
    expect(world.lease.record.state).toBe('HELD');
    await world.clock.stall(5_000);
    expect(world.lease.record.state).toBe('EXPIRED');
  });

  it('honours a lock delay after an expiry and a revoke, not after a release', async () => {
    const world = await World.start();
    await world.do(release(await world.grant('a', { lockDelayMs: 2_000 })));
    await world.grant('b');
    await world.clock.advance(10_020);
    const busy = await world.do(acquire('c'));
    expect(busy).toMatchObject({ kind: 'busy', busy: { holder: '' } });
    await world.clock.advance(2_000);
    const token = await world.grant('c');
    await world.do(revoke(token, { force: true }));
    expect((await world.do(acquire('d'))).kind).toBe('busy');
    await world.clock.advance(2_000);
    await world.grant('d');
  });

  it('collects an expired record when its time of keeping is over', async () => {
    const world = await World.start();
    await world.grant('a', { keepAfterExpiryMs: 60_000 });
    await world.clock.advance(69_000);
    expect(world.lease.record.state).toBe('EXPIRED');
    await world.clock.advance(1_100);
    expect(() => world.lease).toThrow(/not found/);
  });
});

describe('release', () => {
  it('grants the next waiter in the same revision', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const waiting = world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    await settle();
    const answer = await world.do(release(token));
    expect(answer).toMatchObject({ kind: 'released', already: false, record: { holder: 'b' } });
    const granted = await waiting;
    expect(granted).toMatchObject({ kind: 'granted', record: { holder: 'b', fencingToken: world.coordinator.revision } });
    expect(world.disk.history.at(-1)?.events.map(({ type }) => type)).toEqual(['RELEASED', 'ACQUIRED']);
  });

  it('answers released again to the last token, and changes nothing for any other', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    await world.do(release(token));
    const revision = world.coordinator.revision;
    expect(await world.do(release(token))).toMatchObject({ kind: 'released', already: true });
    const next = await world.grant('b');
    expect(await reasonOf(world.do(release(token)))).toBe('LEASE_LOST');
    expect(world.lease.record.fencingToken).toBe(next);
    expect(next).toBe(revision + 1n);
  });

  it('transfers to a named waiter, and refuses with nothing released when it does not wait', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const first = world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    const second = world.coordinator.submit(acquire('c', {}, { waitMs: 60_000 }));
    await settle();
    expect(await reasonOf(world.do(release(token, 'nobody')))).toBe('NOT_WAITING');
    expect(world.lease.record.holder).toBe('a');
    await world.do(release(token, 'c'));
    const granted = await second;
    expect(granted.kind).toBe('granted');
    await world.do(release(world.lease.record.fencingToken));
    expect((await first).kind).toBe('granted');
  });
});

describe('waiting', () => {
  it('grants the highest priority first, in order of arrival within one', async () => {
    const world = await World.start();
    let token = await world.grant('a');
    const order: string[] = [];
    const claims: [string, number][] = [
      ['low-1', 0],
      ['high-1', 5],
      ['low-2', 0],
      ['high-2', 5],
      ['negative', -1],
    ];
    for (const [holder, priority] of claims) {
      void world.coordinator.submit(acquire(holder, {}, { waitMs: 60_000, priority })).then(() => order.push(holder));
    }
    await settle();
    while (order.length < claims.length) {
      await world.do(release(token));
      token = world.lease.record.fencingToken;
    }
    expect(order).toEqual(['high-1', 'high-2', 'low-1', 'low-2', 'negative']);
  });

  it('answers busy, timed out, when the wait runs out', async () => {
    const world = await World.start();
    await world.grant('a', { durationMs: 60_000 });
    const waiting = world.coordinator.submit(acquire('b', {}, { waitMs: 1_000 }));
    await world.clock.advance(1_000);
    expect(await waiting).toMatchObject({ kind: 'busy', busy: { holder: 'a', timedOut: true } });
    await world.do(release(world.lease.record.fencingToken));
    expect(world.lease.record.state).toBe('AVAILABLE');
  });

  it('lets the second request of a holder take over the place of its first', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const first = world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    const other = world.coordinator.submit(acquire('c', {}, { waitMs: 60_000 }));
    await settle();
    const second = world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    expect(await reasonOf(first)).toBe('REPLACED');
    await world.do(release(token));
    expect((await second).kind).toBe('granted');
    await world.do(release(world.lease.record.fencingToken));
    expect((await other).kind).toBe('granted');
  });

  it('never grants one whose caller is known to be gone', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const dead = new Client();
    const silent = new Client();
    void world.coordinator.submit(acquire('dead', {}, { waitMs: 60_000 }), dead).catch(() => undefined);
    void world.coordinator.submit(acquire('silent', {}, { waitMs: 60_000 }), silent).catch(() => undefined);
    const living = world.coordinator.submit(acquire('living', {}, { waitMs: 60_000 }), new Client());
    await settle();
    dead.leave();
    silent.dieSilently();
    await world.do(release(token));
    expect(await living).toMatchObject({ kind: 'granted', record: { holder: 'living' } });
  });

  it('lets a grant out of the queue stand for 15 s until its first renewal', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    void world.coordinator.submit(acquire('b', { durationMs: 600_000 }, { waitMs: 60_000 }));
    await settle();
    await world.do(release(token));
    await world.clock.advance(15_020);
    expect(world.lease.record).toMatchObject({ state: 'EXPIRED', holder: 'b' });
  });

  it('counts the full duration from the first renewal of such a grant', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    void world.coordinator.submit(acquire('b', { durationMs: 600_000 }, { waitMs: 60_000 }));
    await settle();
    await world.do(release(token));
    await world.do(renew(world, 'b', world.lease.record.fencingToken));
    expect(world.lease.remainingMs).toBe(600_000);
  });

  it('grants who waits when a lock delay or a reservation is over', async () => {
    const world = await World.start();
    const token = await world.grant('a', { lockDelayMs: 2_000 });
    const waiting = world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    await world.clock.advance(10_020);
    expect(world.lease.record.state).toBe('EXPIRED');
    await world.clock.advance(2_020);
    const granted = await waiting;
    expect(granted.kind === 'granted' && granted.record.fencingToken > token).toBe(true);
    const after = world.coordinator.submit(acquire('c', {}, { waitMs: 60_000 }));
    await settle();
    await world.do(remove({ fencingToken: world.lease.record.fencingToken }));
    expect(() => world.lease).toThrow(/not found/);
    await world.clock.advance(10_020);
    expect((await after).kind).toBe('granted');
  });
});

describe('forced endings', () => {
  it('stops renewals at a revoke and grants nobody before the last acknowledged deadline', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    await world.clock.advance(4_000);
    expect(await world.do(revoke(token))).toMatchObject({ kind: 'revoked', remainingMs: 6_000, record: { state: 'HELD' } });
    expect(await reasonOf(world.do(renew(world, 'a', token)))).toBe('LEASE_REVOKED');
    expect((await world.do(acquire('a'))).kind).toBe('busy');
    await world.clock.advance(5_990);
    expect((await world.do(acquire('b'))).kind).toBe('busy');
    await world.clock.advance(30);
    await world.grant('b');
    const types = world.disk.history.map(({ events }) => events.map(({ type, reason }) => `${type} ${reason}`).join(' '));
    expect(types.slice(1, 3)).toEqual(['UPDATED REVOKING', 'RELEASED REVOKED']);
  });

  it('lets a grace go by before renewals stop', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    await world.do(revoke(token, { graceMs: 5_000 }));
    await world.clock.advance(4_000);
    expect((await world.do(renew(world, 'a', token))).kind).toBe('renewed');
    await world.clock.advance(1_000);
    expect(await reasonOf(world.do(renew(world, 'a', token)))).toBe('LEASE_REVOKED');
    await world.clock.advance(8_980);
    expect(world.lease.record.state).toBe('HELD');
    await world.clock.advance(40);
    expect(world.lease.record.state).toBe('AVAILABLE');
  });

  it('ends at once when the holder releases', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    await world.do(revoke(token));
    await world.do(release(token));
    expect(world.lease.record.state).toBe('AVAILABLE');
    await world.grant('b');
  });

  it('cannot hit the next tenure by a repeat', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    await world.do(release(token));
    const next = await world.grant('b');
    expect(await reasonOf(world.do(revoke(token)))).toBe('LEASE_LOST');
    expect(await reasonOf(world.do(remove({ fencingToken: token })))).toBe('LEASE_LOST');
    expect(world.lease.record).toMatchObject({ state: 'HELD', fencingToken: next });
  });

  it('deletes a held lease at once but keeps its name reserved', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    await world.clock.advance(3_000);
    expect(await reasonOf(world.do(remove()))).toBe('LEASE_HELD');
    expect(await world.do(remove({ fencingToken: token }))).toMatchObject({ kind: 'deleted', reservedMs: 7_000 });
    expect(() => world.lease).toThrow(/not found/);
    expect(await world.do(acquire('b'))).toMatchObject({ kind: 'busy', busy: { holder: '', remainingMs: 7_000 } });
    expect(await reasonOf(world.do(create()))).toBe('NAME_RESERVED');
    expect(await reasonOf(world.do(renew(world, 'a', token)))).toBe('LEASE_NOT_FOUND');
    await world.clock.advance(7_020);
    expect(world.disk.records.size).toBe(0);
    expect(await world.grant('b')).toBeGreaterThan(token);
  });
});

it('leaves turns of the event loop to others while many commands need no commit', async () => {
  const world = await World.start();
  const token = await world.grant('a');
  const soon = vi.spyOn(world.clock, 'soon');
  const answers = await Promise.all(Array.from({ length: 10_000 }, () => world.coordinator.submit(validate(token))));
  expect(answers.filter(({ valid }) => valid)).toHaveLength(10_000);
  expect(soon.mock.calls.length).toBeGreaterThan(2);
});

describe('create, update, validate', () => {
  it('creates a record that nobody holds, once', async () => {
    const world = await World.start();
    await world.do(create({ labels: { app: 'foo' } }));
    expect(world.lease.record).toMatchObject({ state: 'AVAILABLE', labels: { app: 'foo' }, fencingToken: 0n });
    expect(await reasonOf(world.do(create()))).toBe('LEASE_EXISTS');
  });

  it('merges labels and annotations, guarded by version or by token', async () => {
    const world = await World.start();
    const token = await world.grant('a', { labels: { app: 'foo', tier: 'web' } });
    const { resourceVersion } = world.lease.record;
    await world.do(update({ annotations: { address: '1' } }, { fencingToken: token }));
    expect(await reasonOf(world.do(update({ labels: {} }, { resourceVersion })))).toBe('STALE_VERSION');
    await world.do(update({ labels: { app: 'bar' } }, { removeLabels: ['tier'] }));
    expect(world.lease.record).toMatchObject({ labels: { app: 'bar' }, annotations: { address: '1' } });
    const unchanged = world.coordinator.revision;
    await world.do(update({ labels: { app: 'bar' } }));
    expect(world.coordinator.revision).toBe(unchanged);
    await world.do(release(token));
    expect(await reasonOf(world.do(update({ labels: {} }, { fencingToken: token })))).toBe('LEASE_LOST');
  });

  it('does not renew', async () => {
    const world = await World.start();
    await world.grant('a');
    await world.clock.advance(9_000);
    await world.do(update({ annotations: { a: 'b' } }));
    expect(world.lease.remainingMs).toBe(1_000);
  });

  it('validates by the committed record, after what is in flight', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    expect(await world.do(validate(token))).toMatchObject({ valid: true });
    world.store.shut();
    const releasing = world.coordinator.submit(release(token));
    await settle();
    const validating = world.coordinator.submit(validate(token));
    const renewing = reasonOf(world.coordinator.submit(renew(world, 'a', token)));
    await world.store.open();
    await releasing;
    expect(await validating).toMatchObject({ valid: false });
    expect(await renewing).toBe('LEASE_LOST');
  });
});
