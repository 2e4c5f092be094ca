import { InvalidError, RefusedError, UnavailableError } from '@leasehold/sdk';
import { TestLink } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Diary, named, namespace, NodeWorld, refused } from './world.js';

let world: NodeWorld;

beforeEach(async () => {
  world = await NodeWorld.start();
});

describe('an agent', () => {
  it("keeps a node's lease as the kubelet does: 40 s, renewed each 10 s, its name and holder the node's", async () => {
    const agent = await world.keep();
    const lease = await world.seen();
    expect(lease).toMatchObject({ namespace, name: 'node-1', holder: 'node-1', state: 'HELD', durationMs: 40_000 });
    world.tap.beats.length = 0;
    await world.clock.advance(600_000);
    expect(world.tap.beats).toHaveLength(60);
    expect(await world.seen()).toMatchObject({ state: 'HELD', fencingToken: lease.fencingToken, transitions: 0 });
    expect(agent.lease('node-1')?.status).toBe('held');
    expect(world.tap.count('acquire')).toBe(1);
  });

  it('renews all its nodes in one message on one stream, and acquires them 64 at once', async () => {
    const nodes = named(2_000);
    const diary = new Diary();
    const agent = await world.keep({ nodes, ...diary.hooks });
    expect(agent.held).toBe(2_000);
    expect(world.tap.count('acquire')).toBe(2_000);
    expect(world.tap.atOnceMax).toBe(64);
    expect([...diary.held].sort()).toEqual([...nodes].sort());
    await world.clock.advance(20_000);
    world.tap.beats.length = 0;
    await world.clock.advance(30_000);
    expect(world.tap.beats).toEqual([1, 2, 3].map(() => ({ stream: 1, handles: 2_000, attach: 0 })));
  });

  it('writes nothing but the lease: no label or annotation that nobody asked for', async () => {
    await world.keep();
    expect(await world.seen()).toMatchObject({ labels: {}, annotations: {} });
    expect(world.tap.count('update')).toBe(0);
  });

  it('gives its leases labels from the moment they are acquired', async () => {
    const events = await world.watch();
    await world.keep({ nodes: ['a1', 'b1'], labels: (node) => ({ 'topology.kubernetes.io/zone': node.slice(0, 1) }) });
    const acquired = events.filter(({ type }) => type === 'ACQUIRED').map(({ lease }) => [lease.name, lease.labels]);
    expect(acquired).toEqual([
      ['a1', { 'topology.kubernetes.io/zone': 'a' }],
      ['b1', { 'topology.kubernetes.io/zone': 'b' }],
    ]);
    expect(world.tap.count('update')).toBe(0);
  });

  it('refuses at once what no lease can have', () => {
    expect(() => world.client.heartbeatNodes({ nodes: ['node-1', 'Node_2'] })).toThrow(/^Invalid nodes: .* got "Node_2"$/);
    expect(() => world.client.heartbeatNodes({ durationMs: 10_000, beatIntervalMs: 5_001 })).toThrow(InvalidError);
    expect(() => world.client.heartbeatNodes({ durationMs: 0 })).toThrow(InvalidError);
    expect(() => world.client.heartbeatNodes().add('')).toThrow(InvalidError);
    expect(world.tap.calls).toEqual([]);
  });
});

describe('an agent that starts anew', () => {
  it('has the same leases at once after it was killed, and nobody notices', async () => {
    const process = world.clock.process();
    const before = world.server.client({ clock: process }).heartbeatNodes({ nodes: named(3) });
    await world.clock.advance(1_000);
    const tokens = named(3).map((node) => before.lease(node)?.fencingToken);
    process.kill();
    await world.clock.advance(30_000);
    const events = await world.watch();
    const agent = world.client.heartbeatNodes({ nodes: named(3) });
    await world.clock.advance(0);
    expect(named(3).map((node) => agent.lease(node)?.fencingToken)).toEqual(tokens);
    await world.clock.advance(60_000);
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['RENEWED']));
  });

  it('has them again when the one before it was told to leave them', async () => {
    const first = await world.keep();
    const token = first.lease('node-1')?.fencingToken;
    await world.end(first.stop({ leases: 'leave' }), 0);
    expect(first.lease('node-1')).toBeUndefined();
    const second = world.server.client().heartbeatNodes({ nodes: ['node-1'] });
    await world.end(second.ready());
    expect(second.lease('node-1')?.fencingToken).toBe(token);
  });

  it('acquires them as new ones when they have run out', async () => {
    const first = await world.keep();
    const { fencingToken } = await world.seen();
    await world.end(first.stop({ leases: 'leave' }), 0);
    await world.clock.advance(39_900);
    expect(await world.seen()).toMatchObject({ state: 'HELD' });
    await world.clock.advance(200);
    expect(await world.seen()).toMatchObject({ state: 'EXPIRED', holder: 'node-1' });
    await world.keep();
    expect((await world.seen()).fencingToken).toBeGreaterThan(fencingToken);
  });
});

describe('a lease that is lost', () => {
  it('is acquired again at once', async () => {
    const diary = new Diary();
    const agent = await world.keep({ nodes: named(2), ...diary.hooks });
    await world.clock.advance(15_000);
    const { fencingToken } = await world.seen();
    await world.end(world.server.client().revoke('node-1', { namespace, fencingToken, force: true }));
    await world.clock.advance(0);
    expect(diary.lost).toEqual([{ node: 'node-1', reason: 'LEASE_REVOKED' }]);
    expect(diary.held).toEqual(['node-1', 'node-2', 'node-1']);
    expect(agent.held).toBe(2);
    expect((await world.seen()).fencingToken).toBe(agent.lease('node-1')?.fencingToken);
    expect(agent.lease('node-1')?.fencingToken).toBeGreaterThan(fencingToken);
  });

  it('is given back at once when it is to be revoked, for a node has no work to finish', async () => {
    const diary = new Diary();
    const agent = await world.keep(diary.hooks);
    await world.clock.advance(15_000);
    const { fencingToken } = await world.seen();
    await world.end(world.server.client().revoke('node-1', { namespace, fencingToken, graceMs: 30_000 }));
    await world.clock.advance(1_000);
    expect(diary.lost).toHaveLength(1);
    expect(agent.lease('node-1')?.status).toBe('held');
    expect(agent.lease('node-1')?.fencingToken).toBeGreaterThan(fencingToken);
  });

  it('is acquired again as soon as its name is free, when it was deleted', async () => {
    const diary = new Diary();
    const agent = await world.keep(diary.hooks);
    await world.clock.advance(15_000);
    const { uid } = await world.seen();
    await world.end(world.server.client().delete('node-1', { namespace, uid }));
    await world.clock.advance(30_000);
    expect(diary.lost).toHaveLength(1);
    expect(agent.held).toBe(0);
    expect(diary.errors.every(({ error }) => error instanceof RefusedError && error.reason === 'LEASE_BUSY')).toBe(true);
    await world.clock.advance(20_000);
    expect(agent.held).toBe(1);
    expect((await world.seen()).uid).not.toBe(uid);
  });

  it('is acquired again after a partition longer than the lease', async () => {
    const link = new TestLink();
    const diary = new Diary();
    const agent = world.server.client({ link }).heartbeatNodes({ nodes: named(100), ...diary.hooks });
    await world.clock.advance(15_000);
    const events = await world.watch();
    link.silence();
    await world.clock.advance(120_000);
    expect(agent.held).toBe(0);
    expect(events.filter(({ type }) => type === 'EXPIRED')).toHaveLength(100);
    link.restore();
    await world.clock.advance(10_000);
    expect(agent.held).toBe(100);
    expect(diary.lost).toHaveLength(100);
  });

  it('does not make the agent spin when it is lost again and again, as soon as it is held', async () => {
    const operator = world.server.client();
    const revoking = { on: true };
    void (async () => {
      for await (const { type, lease } of operator.watch({ namespace })) {
        const { fencingToken } = lease;
        if (revoking.on && type === 'ACQUIRED') await operator.revoke('node-1', { namespace, fencingToken, force: true });
      }
    })().catch(() => undefined);
    await world.clock.advance(0);
    const diary = new Diary();
    const agent = world.client.heartbeatNodes({ nodes: ['node-1'], ...diary.hooks });
    await world.clock.advance(60_000);
    // After 0.1, 0.2 … 3.5 s.
    expect(world.tap.count('acquire')).toBeGreaterThan(15);
    expect(world.tap.count('acquire')).toBeLessThan(25);
    expect(diary.lost.length + diary.errors.length).toBeGreaterThan(15);
    revoking.on = false;
    await world.clock.advance(4_000);
    expect(agent.held).toBe(1);
    expect((await world.seen()).fencingToken).toBe(agent.lease('node-1')?.fencingToken);
  });
});

describe('an attempt that fails', () => {
  /** When the lease was asked for, in milliseconds from the first time. */
  function attempts(): number[] {
    const times = world.tap.calls.filter(({ call }) => call === 'acquire').map(({ atMs }) => atMs);
    return times.map((atMs) => Math.round(atMs - times[0]!));
  }

  it('is repeated after pauses that double from 0.2 to 7 s, half of each by chance, and without end', async () => {
    const slow = world.tapped({ clock: world.clock.process({ random: () => 1 - Number.EPSILON }) });
    world.tap.trouble = (call) => (call === 'acquire' ? Promise.reject(refused()) : undefined);
    const diary = new Diary();
    const agent = slow.heartbeatNodes({ nodes: ['node-1'], ...diary.hooks });
    await world.clock.advance(600_000);
    expect(attempts().slice(0, 9)).toEqual([0, 200, 600, 1_400, 3_000, 6_200, 12_600, 19_600, 26_600]);
    expect(attempts().length).toBeGreaterThan(85);
    expect(diary.errors).toHaveLength(attempts().length);
    world.tap.trouble = () => undefined;
    await world.end(agent.ready(), 7_000);
    await world.clock.advance(20_000);
    expect(agent.held).toBe(1);
  });

  it('waits at least half of each pause', async () => {
    world.tap.trouble = (call) => (call === 'acquire' ? Promise.reject(refused()) : undefined);
    world.client.heartbeatNodes({ nodes: ['node-1'] });
    await world.clock.advance(20_000);
    expect(attempts().slice(0, 7)).toEqual([0, 100, 300, 700, 1_500, 3_100, 6_300]);
  });

  it('is repeated for as long as another holder has the lease, and tells of it', async () => {
    const { granted } = await world.end(
      world.server.client({ holder: 'intruder' }).acquire('node-1', { namespace, durationMs: 60_000 }),
    );
    const diary = new Diary();
    const agent = world.client.heartbeatNodes({ nodes: named(2), ...diary.hooks });
    await world.clock.advance(10_000);
    expect(agent.held).toBe(1);
    expect(agent.lease('node-1')).toBeUndefined();
    expect(diary.errors.length).toBeGreaterThan(3);
    expect(diary.errors[0]).toMatchObject({ node: 'node-1', error: { reason: 'LEASE_BUSY', data: { holder: 'intruder' } } });
    await world.end(granted!.release());
    await world.clock.advance(7_000);
    expect(agent.held).toBe(2);
  });

  it('is repeated soon again once the lease has been held for a while', async () => {
    world.tap.trouble = (call) => (call === 'acquire' && world.tap.count('acquire') <= 8 ? Promise.reject(refused()) : undefined);
    const agent = world.client.heartbeatNodes({ nodes: ['node-1'] });
    await world.clock.advance(60_000);
    expect(agent.held).toBe(1);
    world.tap.calls.length = 0;
    world.tap.trouble = (call) => (call === 'acquire' && world.tap.count('acquire') <= 2 ? Promise.reject(refused()) : undefined);
    const { fencingToken } = await world.seen();
    await world.end(world.server.client().revoke('node-1', { namespace, fencingToken, force: true }));
    await world.clock.advance(1_000);
    expect(attempts()).toEqual([0, 100, 300]);
  });

  it('delays no other node', async () => {
    world.tap.trouble = (call) =>
      call === 'acquire' && world.tap.count('acquire') % 2 === 1 ? Promise.reject(refused()) : undefined;
    const agent = world.client.heartbeatNodes({ nodes: named(500) });
    await world.clock.advance(0);
    expect(agent.held).toBe(250);
  });

  it('outlives a server that is not there', async () => {
    world.server.crash();
    const diary = new Diary();
    const agent = world.client.heartbeatNodes({ nodes: named(200), ...diary.hooks });
    await world.clock.advance(60_000);
    expect(agent.held).toBe(0);
    expect(diary.errors[0]?.error).toBeInstanceOf(UnavailableError);
    await world.server.restart();
    await world.clock.advance(10_000);
    expect(agent.held).toBe(200);
  });
});

describe('a restart of the server', () => {
  it.each(['stop', 'crash'] as const)('(%s) loses no node, and all are attached again', async (how) => {
    const diary = new Diary();
    const agent = await world.keep({ nodes: named(2_000), ...diary.hooks });
    const tokens = agent.nodes.map((node) => agent.lease(node)?.fencingToken);
    await world.clock.advance(15_000);
    if (how === 'stop') void world.server.stop();
    else world.server.crash();
    await world.clock.advance(20_000);
    await world.server.restart();
    world.tap.beats.length = 0;
    await world.clock.advance(60_000);
    expect(diary.lost).toEqual([]);
    expect(agent.nodes.map((node) => agent.lease(node)?.fencingToken)).toEqual(tokens);
    expect(world.tap.beats.filter(({ attach }) => attach > 0).map(({ attach }) => attach)).toEqual([1_000, 1_000]);
    expect(world.tap.beats.at(-1)?.handles).toBe(2_000);
  });
});
