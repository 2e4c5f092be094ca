import { describe, expect, it } from 'vitest';
import { OutcomeUnknownError, type Attachment, type AttachmentListener, type Command, type Loss } from '@leasehold/core';
import { settle } from '@leasehold/sdk/testing';
import { acquire, lease, reasonOf, release, remove, renew, revoke, update, World } from './world.js';

class Stream implements AttachmentListener {
  readonly losses: Loss[] = [];
  readonly durations: number[] = [];

  onLoss(_attachment: Attachment, loss: Loss): void {
    this.losses.push(loss);
  }

  onDuration(_attachment: Attachment, durationMs: number): void {
    this.durations.push(durationMs);
  }
}

async function attach(world: World, holder: string, fencingToken: bigint, stream: Stream = new Stream()): Promise<Attachment> {
  const attached = world.coordinator.attach({ ...lease, holder, fencingToken, readAtMs: world.clock.monotonicMs() }, stream);
  attached.catch(() => undefined);
  await settle();
  return attached;
}

function beat(world: World, attachment: Attachment): string {
  return world.coordinator.beat(attachment, world.clock.monotonicMs());
}

describe('a heartbeat', () => {
  it('keeps a lease for its duration from the last beat, without a commit', async () => {
    const world = await World.start({ checkpointIntervalMs: 0 });
    const token = await world.grant('a');
    const attachment = await attach(world, 'a', token);
    const commits = world.store.commits;
    for (let round = 0; round < 10; round++) {
      await world.clock.advance(9_000);
      expect(beat(world, attachment)).toBe('renewed');
    }
    expect(world.store.commits).toBe(commits);
    expect(world.lease.record.resourceVersion).toBe(token);
    await world.clock.advance(10_020);
    expect(world.lease.record.state).toBe('EXPIRED');
  });

  it('is refused without the living token and holder', async () => {
    const world = await World.start();
    expect(await reasonOf(attach(world, 'a', 5n))).toBe('LEASE_NOT_FOUND');
    const token = await world.grant('a');
    expect(await reasonOf(attach(world, 'a', token - 1n))).toBe('LEASE_LOST');
    expect(await reasonOf(attach(world, 'b', token))).toBe('LEASE_LOST');
    await world.clock.advance(10_020);
    expect(await reasonOf(attach(world, 'a', token))).toBe('LEASE_EXPIRED');
  });

  it('lets two streams on one token both count, and a closed one end nothing', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const first = await attach(world, 'a', token);
    const second = await attach(world, 'a', token);
    world.coordinator.detach(first);
    expect(beat(world, first)).toBe('lost');
    await world.clock.advance(9_000);
    expect(beat(world, second)).toBe('renewed');
    expect(world.lease.remainingMs).toBe(10_000);
  });

  it('is told a longer duration before it is granted it', async () => {
    const world = await World.start();
    const stream = new Stream();
    const attachment = await attach(world, 'a', await world.grant('a'), stream);
    await world.grant('a', { durationMs: 30_000 });
    expect(stream.durations).toEqual([30_000]);
    expect(attachment.durationMs).toBe(30_000);
  });

  it('cannot move a deadline back', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const attachment = await attach(world, 'a', token);
    const early = world.clock.monotonicMs();
    await world.clock.advance(2_000);
    beat(world, attachment);
    world.coordinator.beat(attachment, early);
    expect(world.lease.remainingMs).toBe(10_000);
  });
});

describe('a beat while a change is in the commit queue', () => {
  const endings: [string, (token: bigint) => Command, Loss['reason']][] = [
    ['a release', (token) => release(token), 'RELEASED'],
    ['a revoke', (token) => revoke(token), 'REVOKED'],
    ['a forced revoke', (token) => revoke(token, { force: true }), 'REVOKED'],
    ['a delete', (token) => remove({ fencingToken: token }), 'DELETED'],
    ['a transfer', (token) => release(token, 'b'), 'RELEASED'],
  ];

  it.each(endings)('is neither taken nor refused before the outcome of %s, and then lost', async (_name, command, reason) => {
    const world = await World.start();
    const stream = new Stream();
    const token = await world.grant('a');
    const attachment = await attach(world, 'a', token, stream);
    void world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })).catch(() => undefined);
    await settle();
    world.store.shut();
    const ending = world.coordinator.submit(command(token));
    await settle();
    expect(beat(world, attachment)).toBe('ending');
    expect(stream.losses).toEqual([]);
    await world.store.open();
    await ending;
    expect(stream.losses.map((loss) => loss.reason)).toEqual([reason]);
    expect(beat(world, attachment)).toBe('lost');
  });

  it('before an expiry is staged, renews; after, waits for the outcome', async () => {
    const world = await World.start({ checkpointIntervalMs: 0 });
    const stream = new Stream();
    const token = await world.grant('a');
    const attachment = await attach(world, 'a', token, stream);
    world.store.shut();
    void world.do({ ...acquire('x'), name: 'other' });
    await world.clock.advance(10_040);
    expect(beat(world, attachment)).toBe('renewed');
    await world.store.open();
    expect(world.lease.record.state).toBe('HELD');
    await world.clock.advance(9_000);
    world.store.shut();
    await world.clock.advance(1_040);
    expect(beat(world, attachment)).toBe('ending');
    await world.store.open();
    expect(stream.losses.map((loss) => loss.reason)).toEqual(['EXPIRED']);
  });

  it('counts during an update, a checkpoint and a repeat of the acquire', async () => {
    const world = await World.start();
    const token = await world.grant('a', { acquireId: 'id' });
    const attachment = await attach(world, 'a', token);
    for (const command of [update({ labels: { app: 'foo' } }), acquire('a', { acquireId: 'id' })]) {
      await world.clock.advance(5_000);
      world.store.shut();
      const submitted = world.coordinator.submit(command);
      await settle();
      expect(beat(world, attachment)).toBe('renewed');
      await world.store.open();
      await submitted;
      expect(world.lease.remainingMs).toBe(10_000);
    }
  });

  it('is not acknowledged any more after an unknown outcome', async () => {
    const world = await World.start();
    const attachment = await attach(world, 'a', await world.grant('a'));
    world.store.failNext = { error: new OutcomeUnknownError('disk'), lands: true };
    await reasonOf(world.do({ ...acquire('x'), name: 'other' }));
    expect(beat(world, attachment)).toBe('ending');
  });

  it('tells a revoke with grace at once, and the loss when the grace is over', async () => {
    const world = await World.start();
    const stream = new Stream();
    const token = await world.grant('a');
    const attachment = await attach(world, 'a', token, stream);
    await world.do(revoke(token, { graceMs: 3_000 }));
    expect(stream.losses).toMatchObject([{ reason: 'REVOKED', graceMs: 3_000 }]);
    await world.clock.advance(2_900);
    expect(beat(world, attachment)).toBe('renewed');
    await world.clock.advance(150);
    expect(stream.losses).toHaveLength(2);
    expect(stream.losses[1]).toMatchObject({ reason: 'REVOKED', graceMs: undefined });
    expect(beat(world, attachment)).toBe('lost');
  });

  it('lets an attach wait for the outcome', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    world.store.shut();
    const releasing = world.coordinator.submit(release(token));
    await settle();
    const attaching = reasonOf(attach(world, 'a', token));
    await world.store.open();
    await releasing;
    expect(await attaching).toBe('LEASE_LOST');
  });

  it('lets a late release of an old tenure change nothing', async () => {
    const world = await World.start();
    const old = await world.grant('a', { acquireId: '1' });
    await world.clock.advance(10_020);
    const stream = new Stream();
    const attachment = await attach(world, 'a', await world.grant('a', { acquireId: '2' }), stream);
    expect(await reasonOf(world.do(release(old)))).toBe('LEASE_LOST');
    expect(beat(world, attachment)).toBe('renewed');
    expect(stream.losses).toEqual([]);
  });
});

describe('checkpoints', () => {
  it('record a renewal at most once for each interval, at most one interval behind', async () => {
    const world = await World.start({ checkpointIntervalMs: 10_000 });
    const token = await world.grant('a');
    const attachment = await attach(world, 'a', token);
    for (let second = 0; second < 60; second++) {
      await world.clock.advance(1_000);
      beat(world, attachment);
    }
    const renewals = world.disk.history.flatMap(({ events }) => events).filter(({ type }) => type === 'RENEWED');
    expect(renewals.length).toBeGreaterThanOrEqual(5);
    expect(renewals.length).toBeLessThanOrEqual(6);
    expect(world.clock.wallMs() - world.lease.record.renewTimeMs).toBeLessThanOrEqual(10_000);
    expect(world.lease.record.fencingToken).toBe(token);
  });

  it("record every beat at a kubelet's pace", async () => {
    const world = await World.start({ checkpointIntervalMs: 10_000 });
    const token = await world.grant('a', { durationMs: 40_000 });
    const attachment = await attach(world, 'a', token);
    const beats: number[] = [];
    for (let round = 0; round < 12; round++) {
      await world.clock.advance(10_000 + (round % 2 === 0 ? -40 : 40));
      beat(world, attachment);
      beats.push(world.clock.wallMs());
    }
    await world.clock.advance(10_000);
    const recorded = world.disk.history.flatMap(({ events }) => events).filter(({ type }) => type === 'RENEWED');
    expect(recorded.map(({ lease: { renewTimeMs } }) => renewTimeMs)).toEqual(expect.arrayContaining(beats.slice(0, -1)));
  });

  it('lose nothing when the process is killed between a beat and its checkpoint', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const attachment = await attach(world, 'a', token);
    await world.clock.advance(9_000);
    beat(world, attachment);
    await world.startServer();
    await world.clock.advance(9_900);
    expect(world.lease.record).toMatchObject({ state: 'HELD', fencingToken: token });
    expect((await world.do(renew(world, 'a', token))).kind).toBe('renewed');
  });

  it('beat and are beaten while the disk is stalled: none expires, and none is renewed that was not beaten', async () => {
    const world = await World.start();
    const beaten = await attach(world, 'a', await world.grant('a'));
    await world.do({ ...acquire('idle'), name: 'idle' });
    world.store.shut();
    void world.do({ ...acquire('x'), name: 'other' });
    for (let second = 0; second < 12; second++) {
      await world.clock.advance(1_000);
      expect(beat(world, beaten)).toBe('renewed');
    }
    expect(world.lease.record.state).toBe('HELD');
    await world.store.open();
    await world.clock.advance(100);
    expect(world.lease.record.state).toBe('HELD');
    expect(world.coordinator.get('default', 'idle').record.state).toBe('EXPIRED');
  });
});
