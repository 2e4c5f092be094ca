import {
  createClient,
  InvalidError,
  type Client,
  type HeldLease,
  type MonitorNodesOptions,
  type NodeMonitor,
  type NodeState,
} from '@leasehold/sdk';
import { TestLink, TestServer, type FakeClock } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';

const namespace = 'kube-node-lease';
const zoneLabel = 'topology.kubernetes.io/zone';

let server: TestServer;
let clock: FakeClock;
let client: Client;

beforeEach(async () => {
  server = await TestServer.start();
  onTestFinished(() => server.close());
  clock = server.clock;
  client = server.client();
});

/** A monitor, and what a reader that keeps up is told: `name condition reason`. */
async function monitorOf(
  options: MonitorNodesOptions = {},
  of: Client = client,
): Promise<{ monitor: NodeMonitor; told: string[] }> {
  const monitor = of.monitorNodes(options);
  const told = toldBy(monitor);
  await monitor.waitForSync();
  await clock.advance(0);
  return { monitor, told };
}

function toldBy(monitor: NodeMonitor): string[] {
  const told: string[] = [];
  void (async () => {
    for await (const { name, condition, reason } of monitor) told.push(`${name} ${condition} ${reason}`);
  })().catch((error: unknown) => told.push(String(error)));
  return told;
}

/** Nodes that share a network, with leases of 40 s that are renewed each 10 s. */
class Nodes {
  readonly link = new TestLink();
  readonly leases = new Map<string, HeldLease>();
  readonly #client: Client;
  readonly #labels: Record<string, string> | undefined;

  constructor(zone?: string) {
    this.#client = server.client({ link: this.link });
    this.#labels = zone === undefined ? undefined : { [zoneLabel]: zone };
  }

  async start(...names: string[]): Promise<this> {
    for (const name of names) {
      const options = { namespace, holder: name, durationMs: 40_000, beatIntervalMs: 10_000, labels: this.#labels };
      this.leases.set(name, (await this.#client.acquire(name, options)).granted!);
    }
    return this;
  }
}

function named(count: number, prefix = 'n'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

describe('a node monitor', () => {
  it('tells which nodes are ready, and that one is unknown 50 s after its last heartbeat', async () => {
    await new Nodes().start('a');
    const b = await new Nodes().start('b');
    const { monitor, told } = await monitorOf();
    expect(told).toEqual(['a Ready Held', 'b Ready Held']);
    b.link.cut();
    await clock.advance(49_900);
    expect(told).toHaveLength(2);
    await clock.advance(200);
    expect(told.slice(2)).toEqual(['b Unknown Expired']);
    expect(monitor.nodes.map(({ name, condition }) => `${name} ${condition}`)).toEqual(['a Ready', 'b Unknown']);
    expect(monitor.nodes[1]?.lease).toMatchObject({ state: 'EXPIRED', holder: 'b' });
  });

  it('says nothing of a node that is back within the grace, and that it is ready when it is back later', async () => {
    const a = await new Nodes().start('a');
    const { told } = await monitorOf();
    a.link.cut();
    await clock.advance(45_000);
    a.link.restore();
    await a.start('a');
    await clock.advance(60_000);
    expect(told).toEqual(['a Ready Held']);

    a.link.cut();
    await clock.advance(60_000);
    a.link.restore();
    await a.start('a');
    await clock.advance(0);
    expect(told).toEqual(['a Ready Held', 'a Unknown Expired', 'a Ready Held']);
  });

  it('gives the grace also to a node whose agent has released its lease, for it may be starting again', async () => {
    const a = await new Nodes().start('a');
    const { told } = await monitorOf();
    await a.leases.get('a')!.release();
    await clock.advance(9_900);
    await a.start('a');
    await clock.advance(60_000);
    expect(told).toEqual(['a Ready Held']);
    await a.leases.get('a')!.release();
    await clock.advance(9_900);
    expect(told).toHaveLength(1);
    await clock.advance(200);
    expect(told[1]).toBe('a Unknown Released');
  });

  it('tells of a node that was never alive, or not any more when the monitor came, once its grace is over', async () => {
    const process = server.clock.process();
    await server.client({ clock: process }).acquire('old', { namespace, holder: 'old', durationMs: 40_000 });
    process.kill();
    await client.create('new', { namespace });
    await clock.advance(3_600_000);
    const { monitor, told } = await monitorOf();
    await clock.advance(9_900);
    expect([told, monitor.nodes]).toEqual([[], []]);
    await clock.advance(200);
    expect(told.sort()).toEqual(['new Unknown NeverHeld', 'old Unknown Expired']);
  });

  it('tells that a node has gone whose lease was deleted', async () => {
    const a = await new Nodes().start('a', 'b');
    const { monitor, told } = await monitorOf();
    await a.leases.get('a')!.release();
    await client.delete('a', { namespace });
    await clock.advance(60_000);
    expect(told.slice(2)).toEqual(['a Gone Deleted']);
    expect(monitor.nodes.map(({ name }) => name)).toEqual(['b']);
  });

  it('takes other times, namespaces and selectors', async () => {
    const options = { namespace: 'nodes', holder: 'a', durationMs: 5_000, labels: { pool: 'x' } };
    const process = server.clock.process();
    await server.client({ clock: process }).acquire('a', options);
    await client.acquire('b', { ...options, holder: 'b', labels: { pool: 'y' } });
    const { told } = await monitorOf({ namespace: 'nodes', labelSelector: 'pool=x', graceMs: 1_000 });
    process.kill();
    await clock.advance(5_900);
    expect(told).toEqual(['a Ready Held']);
    await clock.advance(200);
    expect(told).toEqual(['a Ready Held', 'a Unknown Expired']);
  });

  it('follows the agents that keep nodes alive', async () => {
    const link = new TestLink();
    const agents = server.client({ link });
    agents.heartbeatNodes({ nodes: ['a', 'b'], labels: (node) => ({ [zoneLabel]: `zone-of-${node}` }) });
    const { monitor, told } = await monitorOf();
    await clock.advance(120_000);
    expect(told.sort()).toEqual(['a Ready Held', 'b Ready Held']);
    expect(monitor.nodes.map(({ zone }) => zone).sort()).toEqual(['zone-of-a', 'zone-of-b']);
    link.cut();
    await clock.advance(60_000);
    expect(told.slice(2).sort()).toEqual(['a Unknown Expired', 'b Unknown Expired']);
    link.restore();
    await clock.advance(20_000);
    expect(told.slice(4).sort()).toEqual(['a Ready Held', 'b Ready Held']);
  });

  it('refuses options that break a rule, and then watches nothing', async () => {
    expect(() => client.monitorNodes({ graceMs: -1 })).toThrow(InvalidError);
    for (const massFailureRatio of [0, NaN]) expect(() => client.monitorNodes({ massFailureRatio })).toThrow(InvalidError);
    const timers = clock.timers;
    await clock.advance(0);
    expect(clock.timers).toBe(timers);
  });
});

describe('a mass failure', () => {
  it('makes nodes suspect, not unknown, and ready again once they are back', async () => {
    const some = await new Nodes().start(...named(11, 's'));
    await new Nodes().start(...named(9, 'o'));
    const { monitor, told } = await monitorOf();
    told.length = 0;
    expect(monitor.networkSuspected).toBe(false);
    some.link.cut();
    await clock.advance(600_000);
    expect(told.sort()).toEqual(
      named(11, 's')
        .sort()
        .map((name) => `${name} Suspect Expired`),
    );
    expect(monitor.networkSuspected).toBe(true);
    told.length = 0;
    some.link.restore();
    await some.start(...named(11, 's'));
    await clock.advance(60_000);
    expect(told.sort()).toEqual(
      named(11, 's')
        .sort()
        .map((name) => `${name} Ready Held`),
    );
    expect(monitor.networkSuspected).toBe(false);
  });

  it('is seen although the leases expire one after the other, as their heartbeats came', async () => {
    const nodes: Nodes[] = [];
    for (const name of named(10)) {
      nodes.push(await new Nodes().start(name));
      await clock.advance(900);
    }
    const { told } = await monitorOf();
    for (const { link } of nodes) link.cut();
    await clock.advance(120_000);
    expect(told.filter((line) => line.includes('Unknown'))).toEqual([]);
    expect(told.filter((line) => line.includes('Suspect'))).toHaveLength(10);
  });

  it('has no node read one by one', async () => {
    const nodes = await new Nodes().start(...named(20));
    const transport = server.transport();
    const get = vi.spyOn(transport, 'get');
    const { told } = await monitorOf({}, createClient({ transport, clock }));
    nodes.link.cut();
    await clock.advance(120_000);
    expect(told.filter((line) => line.includes('Suspect'))).toHaveLength(20);
    expect(get).not.toHaveBeenCalled();
  });

  it('is none below 55 %, nor below 3 nodes', async () => {
    const some = await new Nodes().start(...named(10, 's'));
    await new Nodes().start(...named(9, 'o'));
    const pair = await new Nodes('pair').start('p0', 'p1');
    const { monitor, told } = await monitorOf();
    told.length = 0;
    some.link.cut();
    pair.link.cut();
    await clock.advance(60_000);
    expect(told.sort()).toEqual([...['p0', 'p1'], ...named(10, 's')].map((name) => `${name} Unknown Expired`));
    expect(monitor.networkSuspected).toBe(false);
  });

  it('is one of a zone: nodes of another zone are unknown as ever', async () => {
    const a = await new Nodes('a').start(...named(3, 'a'));
    await new Nodes('b').start(...named(20, 'b'));
    const b = await new Nodes('b').start('b20');
    const { monitor, told } = await monitorOf();
    told.length = 0;
    a.link.cut();
    b.link.cut();
    await clock.advance(60_000);
    expect(told.sort()).toEqual([...named(3, 'a').map((name) => `${name} Suspect Expired`), 'b20 Unknown Expired']);
    expect(monitor.nodes.find(({ name }) => name === 'a0')?.zone).toBe('a');
  });

  it('gives those that stay away the grace again when the others are back, and only then they are unknown', async () => {
    const dead = await new Nodes().start(...named(4, 'd'));
    const cut = await new Nodes().start(...named(4, 'c'));
    await new Nodes().start(...named(2, 'o'));
    const { monitor, told } = await monitorOf();
    dead.link.cut();
    cut.link.cut();
    await clock.advance(120_000);
    told.length = 0;
    cut.link.restore();
    await cut.start(...named(4, 'c'));
    await clock.advance(9_900);
    expect(told).toEqual(named(4, 'c').map((name) => `${name} Ready Held`));
    expect(monitor.networkSuspected).toBe(false);
    await clock.advance(200);
    expect(told.slice(4).sort()).toEqual(named(4, 'd').map((name) => `${name} Unknown Expired`));
  });

  it('is none when a zone loses its nodes one by one', async () => {
    const nodes: Nodes[] = [];
    for (const name of named(8)) nodes.push(await new Nodes().start(name));
    const { monitor, told } = await monitorOf();
    told.length = 0;
    for (const { link } of nodes) {
      link.cut();
      await clock.advance(60_000);
    }
    expect(told).toEqual(named(8).map((name) => `${name} Unknown Expired`));
    for (const name of named(8)) await client.update(name, { namespace, annotations: { note: 'out of order' } });
    await clock.advance(60_000);
    expect(told).toHaveLength(8);
    expect(monitor.networkSuspected).toBe(false);
  });

  it('is seen by a ratio of choice, or never', async () => {
    const some = await new Nodes().start(...named(5, 's'));
    await new Nodes().start(...named(5, 'o'));
    const early = await monitorOf({ massFailureRatio: 0.5 });
    const never = await monitorOf({ massFailureRatio: 2 });
    some.link.cut();
    await clock.advance(60_000);
    expect(early.told.slice(10).sort()).toEqual(named(5, 's').map((name) => `${name} Suspect Expired`));
    expect(never.told.slice(10).sort()).toEqual(named(5, 's').map((name) => `${name} Unknown Expired`));
  });

  it('has a node that moves to a zone without one decided there', async () => {
    const a = await new Nodes('a').start(...named(3, 'a'));
    await new Nodes('b').start(...named(9, 'b'));
    const { told } = await monitorOf();
    a.link.cut();
    await clock.advance(60_000);
    told.length = 0;
    await client.update('a0', { namespace, labels: { [zoneLabel]: 'b' } });
    await clock.advance(20_000);
    expect(told.sort()).toEqual(named(3, 'a').map((name) => `${name} Unknown Expired`));
  });
});

describe('a node monitor without its server', () => {
  /** A monitor on a network of its own. */
  async function apart(): Promise<{ link: TestLink; told: string[]; errors: Error[] }> {
    const link = new TestLink();
    const errors: Error[] = [];
    const { told } = await monitorOf({ onError: (error) => errors.push(error) }, server.client({ link }));
    told.length = 0;
    return { link, told, errors };
  }

  it('declares nothing by that, nor afterwards of nodes that are alive', async () => {
    const nodes = await new Nodes().start('a', 'b');
    const { link, told } = await apart();
    link.cut();
    await clock.advance(10_000);
    nodes.link.cut();
    await clock.advance(100_000);
    nodes.link.restore();
    await nodes.start('a', 'b');
    await clock.advance(300_000);
    link.restore();
    await clock.advance(60_000);
    expect(told).toEqual([]);
  });

  it('does not decide by what it knew when the grace is over: it reads, for as long as that takes', async () => {
    const back = await new Nodes().start('back');
    const dead = await new Nodes().start('dead');
    const { link, told, errors } = await apart();
    back.link.cut();
    dead.link.cut();
    await clock.advance(45_000);
    link.cut();
    back.link.restore();
    await back.start('back');
    await clock.advance(300_000);
    expect(told).toEqual([]);
    expect(errors.some(({ name }) => name === 'UnavailableError')).toBe(true);
    link.restore();
    await clock.advance(30_000);
    expect(told).toEqual(['dead Unknown Expired']);
  });

  it('counts the grace from when it hears of the end', async () => {
    const nodes = await new Nodes().start('a');
    const { link, told } = await apart();
    link.cut();
    nodes.link.cut();
    await clock.advance(600_000);
    link.restore();
    await clock.advance(9_900);
    expect(told).toEqual([]);
    await clock.advance(3_000);
    expect(told).toEqual(['a Unknown Expired']);
  });

  it('declares nothing by a restart of the server, which counts every lease in full', async () => {
    const link = new TestLink();
    server.client({ link }).heartbeatNodes({ nodes: ['a'] });
    await clock.advance(0);
    const { told } = await apart();
    await clock.advance(30_000);
    server.crash();
    await clock.advance(60_000);
    await server.restart();
    await clock.advance(120_000);
    expect(told).toEqual([]);
    link.cut();
    await clock.advance(60_000);
    expect(told).toEqual(['a Unknown Expired']);
  });

  it('believes a read over a watch that lags behind', async () => {
    const nodes = await new Nodes().start('a');
    const transport = server.transport();
    const watch = transport.watch.bind(transport);
    let lags = false;
    transport.watch = async function* (request, signal) {
      for await (const message of watch(request, signal)) {
        while (lags) await new Promise<void>((resolve) => clock.after(100, resolve));
        yield message;
      }
    };
    const { told } = await monitorOf({}, createClient({ transport, clock }));
    nodes.link.cut();
    await clock.advance(45_000);
    lags = true;
    nodes.link.restore();
    await nodes.start('a');
    await clock.advance(120_000);
    lags = false;
    await clock.advance(60_000);
    expect(told).toEqual(['a Ready Held']);
  });
});

describe('the loop over a node monitor', () => {
  it('evicts who is unknown, and nobody in a mass failure', async () => {
    const nodes = await new Nodes().start(...named(5));
    const one = await new Nodes().start('x');
    const monitor = client.monitorNodes();
    const evicted: string[] = [];
    void (async () => {
      for await (const node of monitor) if (node.condition === 'Unknown') evicted.push(node.name);
    })();
    await clock.advance(0);
    one.link.cut();
    await clock.advance(60_000);
    nodes.link.cut();
    await clock.advance(600_000);
    expect(evicted).toEqual(['x']);
    monitor.close();
  });

  it('begins with every node, and gives a slow reader only the newest of each', async () => {
    const a = await new Nodes().start('a');
    await new Nodes().start('b');
    const { monitor } = await monitorOf();
    const states = monitor[Symbol.asyncIterator]();
    expect(shownState(await states.next())).toBe('a Ready');
    a.link.cut();
    await clock.advance(60_000);
    a.link.restore();
    await a.start('a', 'c');
    await a.leases.get('a')!.release();
    await clock.advance(20_000);
    const rest = [shownState(await states.next()), shownState(await states.next()), shownState(await states.next())];
    expect(rest).toEqual(['b Ready', 'a Unknown', 'c Ready']);
  });

  it('finishes when the monitor is closed, and throws the reason of its signal, or that the client is closed', async () => {
    const closed = await monitorOf();
    const abort = new AbortController();
    const aborted = await monitorOf({ signal: abort.signal });
    const other = server.client();
    const without = await monitorOf({}, other);
    const waiting = closed.monitor[Symbol.asyncIterator]().next();
    await closed.monitor[Symbol.asyncDispose]();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await closed.monitor[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
    abort.abort(new Error('enough'));
    await other.close();
    await clock.advance(0);
    expect([closed.told, aborted.told, without.told]).toEqual([
      [],
      ['Error: enough'],
      ['ClientClosedError: The client is closed'],
    ]);
  });

  it('leaves no timer and no read behind', async () => {
    const a = await new Nodes().start('a');
    a.link.cut();
    await clock.advance(41_000);
    const process = server.clock.process();
    const { monitor, told } = await monitorOf({}, server.client({ clock: process }));
    monitor.close();
    await clock.advance(1_000);
    expect(process.timers).toBe(0);
    expect(told).toEqual([]);
  });
});

function shownState({ value }: IteratorResult<NodeState, unknown>): string {
  const { name, condition } = value as NodeState;
  return `${name} ${condition}`;
}
