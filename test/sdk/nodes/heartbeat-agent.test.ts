import { ClientClosedError, LeaseholdError, LeaseNotFoundError, UnavailableError } from '@leasehold/sdk';
import { TestLink } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Diary, gate, named, namespace, NodeWorld, refused } from './world.js';

let world: NodeWorld;

beforeEach(async () => {
  world = await NodeWorld.start();
});

describe('the status of a node', () => {
  it('is written once, and again only when it changes', async () => {
    const agent = await world.keep();
    agent.setStatus('node-1', { annotations: { load: 'low' }, labels: { pool: 'a' } });
    await world.clock.advance(60_000);
    agent.setStatus('node-1', { annotations: { load: 'low' } });
    agent.setStatus('node-1', { labels: { pool: 'a' } });
    await world.clock.advance(60_000);
    expect(world.tap.count('update')).toBe(1);
    agent.setStatus('node-1', { annotations: { load: 'high' } });
    await world.clock.advance(0);
    expect(world.tap.count('update')).toBe(2);
    expect(await world.seen()).toMatchObject({ annotations: { load: 'high' }, labels: { pool: 'a' } });
    agent.setStatus('node-1', { annotations: { load: undefined, gone: undefined } });
    await world.clock.advance(0);
    expect(world.tap.count('update')).toBe(3);
    expect(await world.seen()).toMatchObject({ annotations: {}, labels: { pool: 'a' } });
  });

  it('leaves alone what others wrote', async () => {
    const agent = await world.keep();
    await world.end(world.server.client().update('node-1', { namespace, annotations: { theirs: '1' } }));
    agent.setStatus('node-1', { annotations: { ours: '1' } });
    await world.clock.advance(0);
    expect((await world.seen()).annotations).toEqual({ theirs: '1', ours: '1' });
  });

  it('is written together where it changes faster than it can be written, and the last word counts', async () => {
    const agent = await world.keep();
    for (let count = 1; count <= 100; count += 1) agent.setStatus('node-1', { annotations: { count: `${count}` } });
    await world.clock.advance(0);
    expect(world.tap.count('update')).toBe(2);
    expect((await world.seen()).annotations).toEqual({ count: '100' });
  });

  it('is tried until it is written', async () => {
    const diary = new Diary();
    const agent = await world.keep(diary.hooks);
    world.tap.trouble = (call) => (call === 'update' && world.tap.count('update') <= 5 ? Promise.reject(refused()) : undefined);
    agent.setStatus('node-1', { annotations: { load: 'low' } });
    await world.clock.advance(1_000);
    agent.setStatus('node-1', { annotations: { load: 'high' } });
    await world.clock.advance(10_000);
    expect(world.tap.count('update')).toBe(6);
    expect(diary.errors).toHaveLength(5);
    expect((await world.seen()).annotations).toEqual({ load: 'high' });
    expect(agent.held).toBe(1);
  });

  it('is written at whatever moment it changes, also while the last write comes to its end', async () => {
    const agent = await world.keep();
    for (let moment = 0; moment < 20; moment += 1) {
      const written = gate();
      world.tap.trouble = (call) => (call === 'update' ? written.opened : undefined);
      agent.setStatus('node-1', { annotations: { first: `${moment}` } });
      await world.clock.advance(0);
      written.open();
      for (let turn = 0; turn < moment; turn += 1) await Promise.resolve();
      agent.setStatus('node-1', { annotations: { second: `${moment}` } });
      await world.clock.advance(0);
      expect((await world.seen()).annotations).toEqual({ first: `${moment}`, second: `${moment}` });
    }
  });

  it('may be said before the lease is held, and its labels are there from the first moment', async () => {
    const events = await world.watch();
    const agent = world.client.heartbeatNodes({ labels: { zone: 'a', pool: 'a' } });
    agent.add('node-1', { labels: { pool: 'b' }, annotations: { load: 'low' } });
    await world.clock.advance(0);
    expect(events[0]).toMatchObject({ type: 'ACQUIRED', lease: { labels: { zone: 'a', pool: 'b' } } });
    expect(await world.seen()).toMatchObject({ labels: { zone: 'a', pool: 'b' }, annotations: { load: 'low' } });
    expect(world.tap.count('update')).toBe(1);
  });

  it('may take away a label that all nodes of the agent have', async () => {
    const agent = world.client.heartbeatNodes({ labels: { zone: 'a', pool: 'a' } });
    agent.add('node-1', { labels: { zone: undefined } });
    await world.clock.advance(0);
    expect(Object.entries((await world.seen()).labels)).toEqual([['pool', 'a']]);
    expect(world.tap.count('update')).toBe(0);
  });

  it('is there again after the record was deleted', async () => {
    const agent = await world.keep();
    agent.setStatus('node-1', { annotations: { load: 'low' } });
    await world.clock.advance(15_000);
    const { uid } = await world.seen();
    await world.end(world.server.client().delete('node-1', { namespace, uid }));
    await world.clock.advance(60_000);
    expect(await world.seen()).toMatchObject({ state: 'HELD', annotations: { load: 'low' } });
    expect((await world.seen()).uid).not.toBe(uid);
  });

  it('is written 64 at once', async () => {
    const agent = await world.keep({ nodes: named(500) });
    world.tap.atOnceMax = 0;
    for (const node of agent.nodes) agent.setStatus(node, { annotations: { load: 'low' } });
    await world.clock.advance(0);
    expect(world.tap.atOnceMax).toBe(64);
    expect(world.tap.count('update')).toBe(500);
  });

  it('is said of nodes of the agent only', async () => {
    const agent = await world.keep();
    expect(() => agent.setStatus('node-2', {})).toThrow(/^Invalid node: must be one of this agent's, got "node-2"$/);
  });
});

describe('a node that comes or goes', () => {
  it('is held once it is added, and given back once it is removed', async () => {
    const events = await world.watch();
    const agent = await world.keep();
    agent.add('node-2');
    agent.add('node-2');
    expect(agent.nodes).toEqual(['node-1', 'node-2']);
    await world.end(agent.ready());
    expect(agent.held).toBe(2);
    await world.end(agent.remove('node-1'));
    expect(agent.nodes).toEqual(['node-2']);
    expect(agent.held).toBe(1);
    expect(events.map(({ type, lease }) => `${type} ${lease.name}`)).toEqual([
      'ACQUIRED node-1',
      'ACQUIRED node-2',
      'RELEASED node-1',
    ]);
    await world.clock.advance(60_000);
    expect(await world.seen('node-2')).toMatchObject({ state: 'HELD' });
    expect(await world.seen('node-1')).toMatchObject({ state: 'AVAILABLE' });
    await world.end(agent.remove('node-1'));
    expect(world.tap.count('release')).toBe(1);
  });

  it('leaves no record where it is deleted', async () => {
    const agent = await world.keep({ nodes: named(2) });
    await world.end(agent.remove('node-1', { leases: 'delete' }), 0);
    await expect(world.seen('node-1')).rejects.toThrow(LeaseNotFoundError);
    // The name is free at once, not reserved for as long as a holder could believe in it.
    agent.add('node-1');
    await world.clock.advance(0);
    expect(agent.held).toBe(2);
  });

  it('is given back although it was removed before it was held', async () => {
    const held = gate();
    world.tap.trouble = (call) => (call === 'acquire' ? held.opened : undefined);
    const diary = new Diary();
    const agent = world.client.heartbeatNodes({ nodes: ['node-1'], ...diary.hooks });
    await world.clock.advance(0);
    const removed = agent.remove('node-1');
    await world.clock.advance(1_000);
    held.open();
    await world.end(removed, 0);
    expect(await world.seen()).toMatchObject({ state: 'AVAILABLE' });
    expect(diary.held).toEqual([]);
    expect(agent.held).toBe(0);
  });

  it('can be removed and added again in one breath', async () => {
    const agent = await world.keep();
    void agent.remove('node-1');
    agent.add('node-1');
    await world.clock.advance(2_000);
    expect(agent.held).toBe(1);
    expect(await world.seen()).toMatchObject({ state: 'HELD', fencingToken: agent.lease('node-1')!.fencingToken });
  });
});

describe('an agent that stops', () => {
  it('gives its leases back, which whoever watches learns at once', async () => {
    const agent = await world.keep({ nodes: named(200) });
    const events = await world.watch();
    await world.end(agent.stop(), 0);
    expect(events.map(({ type }) => type)).toEqual(named(200).map(() => 'RELEASED'));
    expect(agent.nodes).toEqual([]);
    expect(agent.held).toBe(0);
    expect(() => agent.add('node-1')).toThrow(LeaseholdError);
  });

  it('does so at the end of its scope', async () => {
    {
      await using agent = world.client.heartbeatNodes({ nodes: ['node-1'] });
      await world.clock.advance(0);
      expect(agent.held).toBe(1);
    }
    expect(await world.seen()).toMatchObject({ state: 'AVAILABLE' });
  });

  it('leaves them where it is told to, without a word', async () => {
    const agent = await world.keep({ nodes: named(2) });
    const calls = world.tap.calls.length;
    await agent.stop({ leases: 'leave' });
    await world.clock.advance(39_000);
    expect(world.tap.calls).toHaveLength(calls);
    expect(await world.seen()).toMatchObject({ state: 'HELD' });
    await world.clock.advance(1_100);
    expect(await world.seen()).toMatchObject({ state: 'EXPIRED' });
  });

  it('deletes their records where it is told to', async () => {
    const agent = await world.keep({ nodes: named(100) });
    await world.end(agent.stop({ leases: 'delete' }), 0);
    await expect(world.seen()).rejects.toThrow(LeaseNotFoundError);
    expect(world.tap.count('delete')).toBe(100);
  });

  it('deletes nothing that somebody else has by now', async () => {
    const diary = new Diary();
    const agent = await world.keep(diary.hooks);
    const heir = world.server.client({ holder: 'heir' }).acquire('node-1', { namespace, waitMs: 60_000 });
    await world.clock.advance(0);
    await world.end(agent.stop({ leases: 'delete' }), 0);
    expect(diary.errors).toEqual([]);
    expect((await world.end(heir)).granted?.holder).toBe('heir');
    expect(await world.seen()).toMatchObject({ state: 'HELD', holder: 'heir' });
  });

  it('does not block where no lease could be acquired', async () => {
    world.tap.trouble = (call) => (call === 'acquire' ? Promise.reject(refused()) : undefined);
    const agent = world.client.heartbeatNodes({ nodes: named(200) });
    await world.clock.advance(3_000);
    await world.end(agent.stop(), 0);
    const calls = world.tap.calls.length;
    await world.clock.advance(60_000);
    expect(world.tap.calls).toHaveLength(calls);
  });

  it.each(['silence', 'cut'] as const)('does not block for longer than it may where no server answers (%s)', async (how) => {
    const link = new TestLink();
    const diary = new Diary();
    const agent = world.server.client({ link }).heartbeatNodes({ nodes: named(500), ...diary.hooks });
    await world.clock.advance(15_000);
    expect(agent.held).toBe(500);
    const leases = agent.nodes.map((node) => agent.lease(node)!);
    link[how]();
    await world.end(agent.stop({ timeoutMs: 2_000 }), 2_100);
    expect(leases.every(({ status }) => status === 'lost')).toBe(true);
    link.restore();
    await world.clock.advance(60_000);
    // What could not be given back has run out.
    expect((await world.seen('node-500')).state).toBe('EXPIRED');
    expect(diary.lost).toEqual([]);
  });

  it('leaves a grant that comes too late to run out', async () => {
    const held = gate();
    world.tap.trouble = (call) => (call === 'acquire' ? held.opened : undefined);
    const agent = world.client.heartbeatNodes({ nodes: ['node-1'] });
    await world.clock.advance(0);
    await world.end(agent.stop({ timeoutMs: 1_000 }), 1_100);
    held.open();
    await world.clock.advance(39_000);
    expect(world.tap.count('release')).toBe(0);
    await world.clock.advance(2_000);
    expect(await world.seen()).toMatchObject({ state: 'EXPIRED' });
  });

  it('stops once', async () => {
    const agent = await world.keep();
    const stopped = agent.stop();
    expect(agent.stop({ leases: 'delete' })).toBe(stopped);
    await world.end(stopped);
    expect(world.tap.count('release')).toBe(1);
    expect(world.tap.count('delete')).toBe(0);
  });
});

describe('a client that closes', () => {
  it('gives the leases of its nodes back', async () => {
    const diary = new Diary();
    const agent = await world.keep({ nodes: named(50), ...diary.hooks });
    await world.end(world.client.close(), 0);
    expect(await world.seen('node-50')).toMatchObject({ state: 'AVAILABLE' });
    expect(agent.held).toBe(0);
    expect(diary.lost).toEqual([]);
    await agent.stop();
    expect(() => world.client.heartbeatNodes()).toThrow(ClientClosedError);
  });

  it('leaves them where it is told to', async () => {
    const diary = new Diary();
    await world.keep({ nodes: named(50), ...diary.hooks });
    const acquires = world.tap.count('acquire');
    await world.end(world.client.close({ release: false }), 0);
    await world.clock.advance(30_000);
    expect(await world.seen('node-50')).toMatchObject({ state: 'HELD' });
    expect(world.tap.count('acquire')).toBe(acquires);
    expect(world.tap.count('release')).toBe(0);
    expect(diary.lost).toEqual([]);
  });

  it('leaves no timer behind', async () => {
    world.tap.trouble = (call) =>
      world.tap.count('acquire') % 2 === 1 && call === 'acquire' ? Promise.reject(refused()) : undefined;
    const process = world.clock.process();
    const other = world.tapped({ clock: process });
    other.heartbeatNodes({ nodes: named(10) });
    await world.clock.advance(1_000);
    expect(process.timers).toBeGreaterThan(0);
    await world.end(other.close());
    expect(process.timers).toBe(0);
  });
});

describe('ready', () => {
  it('resolves at once where there is nothing to wait for', async () => {
    await world.client.heartbeatNodes().ready();
  });

  it('rejects at once when a server refuses an option, which no waiting will mend', async () => {
    const agent = world.client.heartbeatNodes({ nodes: named(3), labels: { 'a b': 'c' } });
    const ready = agent.ready({ timeoutMs: 60_000 });
    await expect(world.end(ready, 1_000)).rejects.toMatchObject({ name: 'InvalidError', data: { field: 'labels' } });
  });

  it('rejects when it takes too long, and says how many nodes are missing and why', async () => {
    await world.end(world.server.client({ holder: 'intruder' }).acquire('node-1', { namespace, durationMs: 600_000 }));
    const agent = world.client.heartbeatNodes({ nodes: named(3) });
    const ready = agent.ready({ timeoutMs: 5_000 });
    await expect(world.end(ready, 5_100)).rejects.toThrow(
      'Acquire the leases of nodes: 1 of 3 missing: no answer within 5000 ms',
    );
    await expect(ready).rejects.toMatchObject({ reason: 'TIMED_OUT', cause: { reason: 'LEASE_BUSY' } });
    await expect(world.end(agent.ready(), 40_100)).rejects.toThrow(UnavailableError);
    // The one that is missing may as well go.
    const gone = agent.ready();
    await world.end(agent.remove('node-1'), 0);
    await world.end(gone, 0);
  });

  it('rejects when it is told to, when the agent stops, and when the client closes', async () => {
    world.tap.trouble = (call) => (call === 'acquire' ? Promise.reject(refused()) : undefined);
    const told = new AbortController();
    const agents = named(3).map((node) => world.client.heartbeatNodes({ nodes: [node] }));
    const [byUser, byStop, byClose] = [agents[0]!.ready({ signal: told.signal }), agents[1]!.ready(), agents[2]!.ready()];
    told.abort(new Error('enough'));
    await expect(byUser).rejects.toThrow('enough');
    void agents[1]!.stop();
    await expect(byStop).rejects.toMatchObject({ reason: 'AGENT_STOPPED' });
    await expect(agents[1]!.ready()).rejects.toMatchObject({ reason: 'AGENT_STOPPED' });
    void world.client.close();
    await expect(byClose).rejects.toThrow(ClientClosedError);
  });
});
