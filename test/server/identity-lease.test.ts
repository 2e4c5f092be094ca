import { hostname } from 'node:os';
import {
  defaultLimits,
  LeaseError,
  MemoryStore,
  OutcomeUnknownError,
  startCoordinator,
  type LeaseCoordinator,
} from '@leasehold/core';
import { createClient, type Lease } from '@leasehold/sdk';
import { parseOptions, startServer, type RunningServer, type ServerParts } from '@leasehold/server';
import { settle } from '@leasehold/sdk/testing';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { IdentityLease, identityName, labelValue } from '../../server/dist/identity-lease.js';
import { World } from '../core/world.js';
import { ServerProcess, temporaryDirectory } from '../support/server-process.js';
import { eventually } from './support.js';

const hour = 3_600_000;
const namespace = 'kube-system';

describe('the lease of a server', () => {
  test('is published under the name, the labels and the times that Kubernetes gives its own', async () => {
    const { world, identity } = await publishing();
    const { record, remainingMs } = world.coordinator.get(namespace, identity.name);
    expect(identity.name).toMatch(/^leasehold-[a-z2-7]{26}$/);
    expect(record).toMatchObject({
      state: 'HELD',
      durationMs: hour,
      keepAfterExpiryMs: hour,
      labels: { 'apiserver.kubernetes.io/identity': 'leasehold', 'kubernetes.io/hostname': 'node-1' },
      annotations: { 'server.leasehold.dev/address': '127.0.0.1:7400', 'server.leasehold.dev/version': '1.2.3' },
    });
    expect(record.holder).toMatch(new RegExp(`^${identity.name}_[0-9a-f-]{36}$`));
    expect(remainingMs).toBe(hour);
  });

  test('is renewed each interval, by one write, under the same token', async () => {
    const { world, identity } = await publishing();
    const first = world.coordinator.get(namespace, identity.name).record;
    const revision = world.coordinator.revision;
    await world.clock.advance(30_000);
    const { record, remainingMs } = world.coordinator.get(namespace, identity.name);
    expect(record.renewTimeMs - first.renewTimeMs).toBe(30_000);
    expect(record.fencingToken).toBe(first.fencingToken);
    expect(world.coordinator.revision - revision).toBe(3n);
    expect(remainingMs).toBe(hour);
  });

  test('is taken over at once by the next run after a crash, with a higher token', async () => {
    const { world, identity } = await publishing();
    const before = world.coordinator.get(namespace, identity.name).record;
    await world.startServer();
    const next = start(world);
    await settle();
    const { record } = world.coordinator.get(namespace, next.name);
    expect(next.name).toBe(identity.name);
    expect(record).toMatchObject({ state: 'HELD', uid: before.uid, transitions: before.transitions + 1 });
    expect(record.holder).not.toBe(before.holder);
    expect(record.fencingToken).toBeGreaterThan(before.fencingToken);
  });

  test('is collected an hour after it has expired, and until then tells that the server is gone', async () => {
    const { world, identity } = await publishing();
    // The one that published it is gone; another one has the store open.
    await world.startServer();
    await world.clock.advance(hour - 100);
    expect(world.coordinator.get(namespace, identity.name).record.state).toBe('HELD');
    await world.clock.advance(200);
    expect(world.coordinator.get(namespace, identity.name).record.state).toBe('EXPIRED');
    await world.clock.advance(hour - 400);
    expect(world.coordinator.get(namespace, identity.name).record.state).toBe('EXPIRED');
    await world.clock.advance(500);
    expect(() => world.coordinator.get(namespace, identity.name)).toThrow(LeaseError);
  }, 60_000);

  test('is deleted when the server ends in order, so that the next run can have it at once', async () => {
    const { world, identity } = await publishing();
    await identity.withdraw();
    expect(() => world.coordinator.get(namespace, identity.name)).toThrow(LeaseError);
    await world.clock.advance(60_000);
    expect(() => world.coordinator.get(namespace, identity.name)).toThrow(LeaseError);
    const next = start(world);
    await settle();
    expect(world.coordinator.get(namespace, next.name).record.state).toBe('HELD');
  });

  test('is deleted also when the server ends in the middle of publishing it', async () => {
    const world = await World.start();
    world.store.shut();
    const identity = start(world);
    await settle();
    const withdrawn = identity.withdraw();
    await world.store.open();
    await withdrawn;
    await world.clock.advance(60_000);
    expect(() => world.coordinator.get(namespace, identity.name)).toThrow(LeaseError);
  });

  test('is published again on the store that was opened after a failure, as the same tenure', async () => {
    const { world, identity } = await publishing();
    const before = world.coordinator.get(namespace, identity.name).record;
    world.store.failNext = { error: new OutcomeUnknownError('disk'), lands: true };
    await world.clock.advance(10_000);
    expect(world.failures).toHaveLength(1);
    // It tries on with growing pauses while no coordinator answers.
    await world.clock.advance(1_000);
    const reopened = await reopen(world);
    await world.clock.advance(2_000);
    expect(reopened.get(namespace, identity.name).record).toMatchObject({
      fencingToken: before.fencingToken,
      holder: before.holder,
    });
    // And then in its rhythm again.
    const { renewals } = reopened.get(namespace, identity.name).record;
    expect(renewals).toBeGreaterThan(before.renewals + 1);
    await world.clock.advance(30_000);
    expect(reopened.get(namespace, identity.name).record.renewals - renewals).toBe(3);
  });

  test('is not taken from another server that lives under the same identity', async () => {
    const { world, identity, warnings } = await publishing();
    const second = start(world);
    await settle();
    const taken = world.coordinator.get(namespace, second.name).record;
    await world.clock.advance(60_000);
    expect(second.name).toBe(identity.name);
    const { record } = world.coordinator.get(namespace, second.name);
    expect(record).toMatchObject({ holder: taken.holder, fencingToken: taken.fencingToken });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${taken.holder} holds it`);
    await identity.withdraw();
    expect(world.coordinator.get(namespace, second.name).record.state).toBe('HELD');
  });

  test('is not taken from a holder that is no server', async () => {
    const world = await World.start();
    const name = identityName('node-1', '127.0.0.1:7400');
    const claim = { holder: 'somebody', acquireId: '', durationMs: 5_000 };
    await world.do({ kind: 'acquire', namespace, name, claim, waitMs: 0, priority: 0 });
    start(world);
    await settle();
    expect(world.coordinator.get(namespace, name).record.holder).toBe('somebody');
    // Once it is free, it is the server's.
    await world.clock.advance(20_000);
    expect(world.coordinator.get(namespace, name).record.holder).toContain(name);
  });

  test('is mended when somebody has deleted it', async () => {
    const { world, identity } = await publishing();
    const { fencingToken } = world.coordinator.get(namespace, identity.name).record;
    const guards = { uid: '', resourceVersion: 0n, fencingToken, force: true };
    await world.do({ kind: 'delete', namespace, name: identity.name, ...guards });
    await world.clock.advance(10_000);
    expect(world.coordinator.get(namespace, identity.name).record.fencingToken).toBeGreaterThan(fencingToken);
  });
});

describe('the name of the lease', () => {
  test('is that of host and instance, in half a SHA-256', () => {
    // printf '6:node-114:127.0.0.1:7400' | openssl dgst -sha256 -binary | head -c 16 | base32 | tr -d = | tr A-Z a-z
    expect(identityName('node-1', '127.0.0.1:7400')).toBe('leasehold-dq56335rz2rrol5bib47pf6nte');
    expect(identityName('node-1', '127.0.0.1:7401')).not.toBe(identityName('node-1', '127.0.0.1:7400'));
    expect(identityName('ab', 'c')).not.toBe(identityName('a', 'bc'));
  });

  test.each([
    ['node-1.example.com', 'node-1.example.com'],
    ['My_Host', 'My_Host'],
    ['büro mac', 'b-ro-mac'],
    ['-x-', 'x'],
    ['', ''],
    [`${'a'.repeat(62)}.example`, 'a'.repeat(62)],
    ['日本', ''],
  ])('host %j is labelled %j', (host, label) => {
    expect(labelValue(host)).toBe(label);
  });
});

describe('a real server', () => {
  test('shows itself to whoever lists by the label, and is gone after a drain', async () => {
    const store = `sqlite:${await temporaryDirectory()}/leases.db`;
    const server = await serve('--store', store);
    const [lease] = await eventuallyListed(server.address);
    expect(lease).toMatchObject({ state: 'HELD', labels: { 'kubernetes.io/hostname': labelValue(hostname()) } });
    await server.drain();
    const next = await serve('--store', store, '--identity-lease', 'off');
    expect(await identities(next.address)).toEqual([]);
  });

  test('publishes nothing when it is told not to', async () => {
    const server = await serve('--store', 'memory:', '--identity-lease', 'off');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await identities(server.address)).toEqual([]);
  });

  test('takes its own lease over after kill -9', async () => {
    const store = `sqlite:${await temporaryDirectory()}/leases.db`;
    const env = { LEASEHOLD_IDENTITY_LEASE: 'on' };
    const first = await ServerProcess.start({ store, env });
    const [before] = await eventuallyListed(first.address);
    await first.kill();
    const second = await ServerProcess.start({ store, env });
    await eventually(async () => (await identities(second.address))[0]?.holder !== before?.holder);
    const [after, ...others] = await identities(second.address);
    expect(others).toEqual([]);
    expect(after).toMatchObject({ name: before?.name, state: 'HELD' });
    expect(after?.fencingToken).toBeGreaterThan(before?.fencingToken ?? 0n);
  });

  test('serves though its lease breaks a limit, which it logs', async () => {
    const warnings: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
    const server = await serveWith({ log }, '--store', 'memory:', '--max-holder-bytes', '16');
    await eventually(() => warnings.some((line) => line.includes('holder: must have at most 16 bytes')));
    expect(await identities(server.address)).toEqual([]);
    const other = await serve('--store', 'memory:', '--max-duration', '20s', '--max-keep-after-expiry', '1m');
    expect(await eventuallyListed(other.address)).toMatchObject([{ durationMs: 20_000, keepAfterExpiryMs: 60_000 }]);
  });
});

/** A server's lease on a coordinator with a clock that stands still. */
async function publishing(): Promise<{ world: World; identity: IdentityLease; warnings: string[] }> {
  const world = await World.start();
  const warnings: string[] = [];
  const identity = start(world, warnings);
  await settle();
  return { world, identity, warnings };
}

function start(world: World, warnings: string[] = []): IdentityLease {
  const identity = new IdentityLease({
    engine: {
      current: () => world.coordinator,
    },
    clock: world.clock,
    log: pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) }),
    hostName: 'node-1',
    instance: '127.0.0.1:7400',
    address: '127.0.0.1:7400',
    version: '1.2.3',
    durationMs: hour,
    renewalMs: 10_000,
    keepMs: hour,
  });
  identity.start();
  return identity;
}

/** Opens the disk of a store that has failed, as the engine does. */
async function reopen(world: World): Promise<LeaseCoordinator> {
  world.coordinator = await startCoordinator({
    store: new MemoryStore({ wallMs: () => world.clock.wallMs(), disk: world.disk }),
    clock: world.clock,
    limits: defaultLimits,
    newUid: () => 'uid',
    onFailure: (error) => world.failures.push(error),
  });
  return world.coordinator;
}

/** A server as `leasehold serve` runs it, on a free port. */
function serve(...flags: string[]): Promise<RunningServer> {
  return serveWith({}, ...flags);
}

async function serveWith(parts: ServerParts, ...flags: string[]): Promise<RunningServer> {
  const request = parseOptions(['--listen', '127.0.0.1:0', ...flags], { LEASEHOLD_HTTP_LISTEN: 'off' });
  if (request.kind !== 'serve') {
    throw new Error('asked for help');
  }
  const server = await startServer(request.options, parts);
  onTestFinished(() => server.drain());
  return server;
}

async function identities(address: string): Promise<Lease[]> {
  const client = createClient({ endpoints: [address] });
  try {
    const all: Lease[] = [];
    for await (const lease of client.list({ namespace, labelSelector: 'apiserver.kubernetes.io/identity=leasehold' })) {
      all.push(lease);
    }
    return all;
  } finally {
    await client.close();
  }
}

async function eventuallyListed(address: string): Promise<Lease[]> {
  await eventually(async () => (await identities(address)).length > 0);
  return identities(address);
}
