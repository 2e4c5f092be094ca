import { type Client, type HeldLease, LeaderElector } from '@leasehold/sdk';
import { type FakeClock, TestLink, TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

/**
 * Every promise of the API settles: within its documented bound when all servers are lost, and at once when it is aborted or the
 * client is closed.
 */

let server: TestServer;
let link: TestLink;
let client: Client;
/** The client's own clock. */
let process: FakeClock;
/** A lease that `client` holds. */
let held: HeldLease;

beforeEach(async () => {
  server = await TestServer.start();
  onTestFinished(() => server.close());
  link = new TestLink();
  process = server.clock.process();
  client = server.client({ holder: 'me', link, clock: process });
  held = (await client.acquire('held')).granted!;
  await server.client({ holder: 'you' }).acquire('taken', { durationMs: 3_600_000 });
});

const token = { fencingToken: 1n };

/** Calls that are answered within `timeoutMs`, 5 s here, whatever happens. */
const calls: Record<string, (signal?: AbortSignal) => Promise<unknown>> = {
  ready: (signal) => client.ready({ signal }),
  acquire: (signal) => client.acquire('x', { signal }),
  reattach: (signal) => client.reattach('x', { ...token, signal }),
  renew: (signal) => client.renew('x', { ...token, signal }),
  renewBatch: (signal) => client.renewBatch([{ name: 'x', ...token }], { signal }),
  release: (signal) => client.release('x', { ...token, signal }),
  revoke: (signal) => client.revoke('x', { ...token, signal }),
  validate: (signal) => client.validate('x', { ...token, signal }),
  get: (signal) => client.get('x', { signal }),
  list: (signal) => client.list({ signal }).next(),
  listPages: (signal) => client.listPages({ signal }).next(),
  create: (signal) => client.create('x', { signal }),
  update: (signal) => client.update('x', { signal }),
  delete: (signal) => client.delete('x', { signal }),
  withLease: (signal) => client.withLease('x', { signal }, () => Promise.resolve()),
  'Informer.waitForSync': (signal) => client.informer().waitForSync({ signal, timeoutMs: 5_000 }),
  'NodeMonitor.waitForSync': (signal) => client.monitorNodes().waitForSync({ signal, timeoutMs: 5_000 }),
  'NodeAgent.ready': (signal) => client.heartbeatNodes({ nodes: ['n'] }).ready({ signal, timeoutMs: 5_000 }),
  'LeaseWatch.ready': (signal) => client.watch().ready({ signal }),
  'HeldLease.release': (signal) => held.release({ signal }),
  'HeldLease.transfer': (signal) => held.transfer('you', { signal }),
  'HeldLease.setAnnotations': (signal) => held.setAnnotations({}, { signal }),
};

/** What goes on until it is aborted or the client is closed. */
const undertakings: Record<string, (signal?: AbortSignal) => Promise<unknown>> = {
  'acquire with a wait': (signal) => client.acquire('taken', { waitMs: 3_600_000, signal }),
  'withLease with a wait': (signal) => client.withLease('taken', { waitMs: 3_600_000, signal }, () => Promise.resolve()),
  'elect, as a standby': (signal) => client.elect('taken', {}, () => Promise.resolve(), { signal }),
  'elect, as the leader': (signal) => client.elect('x', {}, untilTold, { signal }),
  'LeaderElector.run': (signal) => new LeaderElector(client, { name: 'x' }).run(callbacks, { signal }),
  'LeaderElector.leadership': (signal) => new LeaderElector(client, { name: 'taken' }).leadership({ signal }).next(),
  watch: (signal) => client.watch({ name: 'taken', signal })[Symbol.asyncIterator]().next(),
  'Informer.changes': (signal) => after(client.informer({ signal }).changes(), 3),
  monitorNodes: (signal) => after(client.monitorNodes({ signal }), 1),
  observeLeader: (signal) => after(client.observeLeader('taken', { signal })),
};

const callbacks = {
  onStartedLeading: untilTold,
  onStoppedLeading: (): void => undefined,
};

describe('within its timeout when nothing arrives any more', () => {
  it.each(Object.keys(calls))('%s', async (name) => {
    link.silence();
    const settled = outcome(calls[name]!());
    await server.clock.advance(5_001);
    expect(settled.value).toMatchObject({ name: 'UnavailableError' });
  });
});

describe('within its timeout when no connection comes about', () => {
  it.each(Object.keys(calls))('%s', async (name) => {
    link.cut();
    const settled = outcome(calls[name]!());
    await server.clock.advance(5_001);
    expect(settled.value).toMatchObject({ name: 'UnavailableError' });
  });
});

describe('at once when it is aborted, without any server', () => {
  it.each([...Object.keys(calls), ...Object.keys(undertakings)])('%s', async (name) => {
    link.silence();
    const aborting = new AbortController();
    const settled = outcome({ ...calls, ...undertakings }[name]!(aborting.signal));
    await server.clock.advance(100);
    expect(settled.value).toBeUndefined();
    aborting.abort();
    await server.clock.advance(1);
    expect(settled.value).toBeDefined();
  });
});

describe('when the client is closed, without any server', () => {
  // A lease that is held is tried to be given back for as long as a call may take.
  it.each([...Object.keys(calls), ...Object.keys(undertakings)])('%s, and so is the closing', async (name) => {
    link.silence();
    const settled = outcome({ ...calls, ...undertakings }[name]!());
    await server.clock.advance(100);
    expect(settled.value).toBeUndefined();
    const closed = outcome(client.close());
    await server.clock.advance(5_001);
    expect(settled.value).toBeDefined();
    expect(closed.value).toBe('settled');
    expect(process.timers).toBe(0);
  });
});

describe('when the client is closed and all is well', () => {
  it.each(Object.keys(undertakings))('%s, at once', async (name) => {
    const settled = outcome(undertakings[name]!());
    await server.clock.advance(100);
    const closed = outcome(client.close());
    await server.clock.advance(1);
    expect(settled.value).toBeDefined();
    expect(closed.value).toBe('settled');
  });
});

it('goes on by itself once servers are back', async () => {
  link.cut();
  const waiting = ['watch', 'elect, as the leader', 'acquire with a wait'].map((name) => outcome(undertakings[name]!()));
  await server.clock.advance(120_000);
  expect(waiting.map(({ value }) => value)).toEqual([undefined, undefined, undefined]);
  link.restore();
  await server.clock.advance(2_000);
  expect((await client.get('x')).state).toBe('HELD');
});

/** How a promise has ended, if it has. */
function outcome(promise: Promise<unknown>): { value: unknown } {
  const settled: { value: unknown } = { value: undefined };
  promise.then(
    () => (settled.value = 'settled'),
    (error: unknown) => (settled.value = error),
  );
  return settled;
}

function untilTold({ signal }: { readonly signal: AbortSignal }): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
  });
}

/** The value after `known` others. */
async function after(values: AsyncIterable<unknown>, known = 1): Promise<unknown> {
  const iterator = values[Symbol.asyncIterator]();
  for (let seen = 0; seen < known; seen += 1) await iterator.next();
  return iterator.next();
}
