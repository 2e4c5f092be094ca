import { emptyMap, kubernetesSpec, type Command, type KubernetesSpec, type LeaseRecord } from '@leasehold/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { acquire, lease, release, remove, renew, World } from './world.js';

/** What the Kubernetes API writes, and the tenures that it means. */

type Write = Extract<Command, { kind: 'write' }>;

let world: World;

beforeEach(async () => {
  world = await World.start();
});

const part = { generateName: '', ownerReferences: [], finalizers: [], managedFields: [] };
const times = { acquireTime: '2026-01-02T03:04:05.000001Z', renewTime: '2026-01-02T03:04:05.000001Z' };

/** A write on top of what there is now. */
function write(spec: KubernetesSpec, parts: Partial<Write> = {}): Write {
  let resourceVersion = 0n;
  try {
    resourceVersion = world.lease.record.resourceVersion;
  } catch {
    // There is none yet.
  }
  const readAtMs = world.clock.monotonicMs();
  const nothing = { labels: emptyMap, annotations: emptyMap, part, strict: false, dryRun: false };
  return { kind: 'write', ...lease, resourceVersion, spec, readAtMs, ...nothing, ...parts };
}

/** The spec of a holder who renews for the `renewal`th time. */
function spec(holderIdentity: string, renewal = 0, leaseDurationSeconds = 10): KubernetesSpec {
  const renewTime = `2026-01-02T03:04:05.${String(renewal).padStart(6, '0')}Z`;
  return { ...times, holderIdentity, leaseDurationSeconds, renewTime, leaseTransitions: 7 };
}

async function written(command: Write): Promise<LeaseRecord> {
  const answer = await world.do(command);
  expect(answer.kind).toBe('written');
  return answer.record;
}

describe('a write', () => {
  it('without a holder makes a record that nobody holds', async () => {
    expect(await written(write({ leaseDurationSeconds: 5 }))).toMatchObject({ state: 'AVAILABLE', holder: '', fencingToken: 0n });
    expect(kubernetesSpec(world.lease.record)).toEqual({ leaseDurationSeconds: 5 });
  });

  it('with a holder begins a tenure of Kubernetes origin, and shows the spec as written', async () => {
    const record = await written(write(spec('a')));
    expect(record).toMatchObject({ state: 'HELD', holder: 'a', origin: 'kubernetes', durationMs: 10_000, transitions: 0 });
    expect(record.fencingToken).toBe(record.resourceVersion);
    expect(kubernetesSpec(record)).toEqual(spec('a'));
    expect(world.lease.remainingMs).toBe(10_000);
  });

  it('with another renewTime renews, from when it was read; with the same one it does not', async () => {
    const { fencingToken } = await written(write(spec('a')));
    await world.clock.advance(4_000);
    await written(write({ ...spec('a'), leaseTransitions: 8 }));
    expect(world.lease.remainingMs).toBe(6_000);
    const renewal = write(spec('a', 1));
    await world.clock.advance(1_000);
    expect(await written(renewal)).toMatchObject({ fencingToken, renewals: 1 });
    expect(world.lease.remainingMs).toBe(9_000);
  });

  it('of a duration counts at once, shorter or longer', async () => {
    await written(write(spec('a')));
    await world.clock.advance(4_000);
    await written(write(spec('a', 0, 30)));
    expect(world.lease.remainingMs).toBe(26_000);
    await written(write(spec('a', 0, 1)));
    await world.clock.advance(1);
    expect(world.lease.record.state).toBe('EXPIRED');
    await written(write(spec('a', 1, 20)));
    await written(write(spec('a', 2, 2)));
    expect(world.lease.remainingMs).toBe(2_000);
  });

  it('without a duration makes a lease that does not expire', async () => {
    const { leaseDurationSeconds, ...forever } = spec('a');
    await written(write(forever));
    await world.clock.stall(365 * 86_400_000);
    expect(world.lease.record.state).toBe('HELD');
    expect(kubernetesSpec(world.lease.record)).not.toHaveProperty('leaseDurationSeconds');
    expect(leaseDurationSeconds).toBe(10);
  });

  it('of another holder takes the lease, with a new token; in strict mode it is refused while the lease lives', async () => {
    const first = await written(write(spec('a')));
    await expect(world.do(write(spec('b', 1), { strict: true }))).rejects.toMatchObject({ reason: 'LEASE_HELD' });
    const second = await written(write(spec('b', 1)));
    expect(second).toMatchObject({ holder: 'b', transitions: 1 });
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
    await world.clock.advance(10_000);
    expect(world.lease.record.state).toBe('EXPIRED');
    await written(write(spec('c', 2), { strict: true }));
  });

  it('without a holder ends the tenure, and the next in the queue is granted at once', async () => {
    await written(write(spec('a')));
    await written(write({ ...spec('', 1), leaseDurationSeconds: 1 }));
    expect(world.lease.record).toMatchObject({ state: 'AVAILABLE', holder: '' });
    expect(kubernetesSpec(world.lease.record)).toEqual({ ...spec('', 1), leaseDurationSeconds: 1 });
    await written(write(spec('a', 2)));
    const waiting = world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    await world.clock.advance(0);
    await written(write(spec('', 3)));
    expect(await waiting).toMatchObject({ kind: 'granted' });
    expect(world.lease.record).toMatchObject({ holder: 'b', origin: 'grpc' });
    expect(kubernetesSpec(world.lease.record)).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('by the last holder of an expired lease begins another tenure, unless it renews nothing', async () => {
    const first = await written(write(spec('a')));
    await world.clock.advance(10_000);
    expect(await written(write(spec('a', 0, 20)))).toMatchObject({ state: 'EXPIRED', fencingToken: first.fencingToken });
    const second = await written(write(spec('a', 1)));
    expect(second.state).toBe('HELD');
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
  });

  it('on a stale version, on what is there already, or on what is not, is refused', async () => {
    await expect(world.do(write({}, { resourceVersion: 5n }))).rejects.toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    const { resourceVersion } = await written(write({}));
    await expect(world.do(write({}, { resourceVersion: 0n }))).rejects.toMatchObject({ reason: 'LEASE_EXISTS' });
    await expect(world.do(write({}, { resourceVersion: resourceVersion - 1n }))).rejects.toMatchObject({
      reason: 'STALE_VERSION',
    });
  });

  it('that changes nothing keeps the version', async () => {
    const { resourceVersion } = await written(write(spec('a'), { labels: { app: 'foo' } }));
    expect((await written(write(spec('a'), { labels: { app: 'foo' } }))).resourceVersion).toBe(resourceVersion);
  });

  it('that is dry decides, and changes nothing', async () => {
    expect(await written(write(spec('a'), { dryRun: true }))).toMatchObject({ state: 'HELD', holder: 'a' });
    expect(() => world.lease).toThrow(/not found/);
    const { resourceVersion } = await written(write(spec('a')));
    expect(await written(write(spec('b', 1), { dryRun: true }))).toMatchObject({ holder: 'b', resourceVersion });
    expect(world.lease.record.holder).toBe('a');
  });
});

describe('a lease that is held over gRPC', () => {
  it('lets its metadata be written, and refuses any other spec', async () => {
    const token = await world.grant('a');
    const shown = kubernetesSpec(world.lease.record);
    expect(shown).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 10, leaseTransitions: 0 });
    expect(await written(write(shown, { labels: { app: 'foo' } }))).toMatchObject({
      labels: { app: 'foo' },
      fencingToken: token,
    });
    for (const other of [{}, spec('a', 1), { ...shown, leaseDurationSeconds: 11 }, { ...shown, strategy: 'x' }]) {
      await expect(world.do(write(other))).rejects.toMatchObject({ reason: 'LEASE_HELD' });
    }
    await world.do(renew(world, 'a', token));
    expect(world.lease.record.labels).toEqual({ app: 'foo' });
  });

  it('is free to be taken once it has expired or was released', async () => {
    const token = await world.grant('a');
    await world.do(release(token));
    expect(kubernetesSpec(world.lease.record).holderIdentity).toBe('');
    expect(await written(write(spec('b')))).toMatchObject({ origin: 'kubernetes', transitions: 1 });
  });

  it('shows a duration below a second rounded up', async () => {
    await world.grant('a', { durationMs: 100 });
    expect(kubernetesSpec(world.lease.record).leaseDurationSeconds).toBe(1);
  });

  it('whose name is reserved cannot be created', async () => {
    const fencingToken = await world.grant('a');
    await world.do(remove({ fencingToken }));
    await expect(world.do(write(spec('b')))).rejects.toMatchObject({ reason: 'NAME_RESERVED', detail: { remainingMs: 10_000 } });
    await world.clock.advance(10_000);
    expect(await written(write(spec('b')))).toMatchObject({ holder: 'b' });
  });
});

describe('a lease that is held over Kubernetes', () => {
  it('can be renewed over gRPC, which shows in the spec', async () => {
    const { fencingToken } = await written(write(spec('a')));
    await world.clock.advance(4_000);
    await world.do(renew(world, 'a', fencingToken));
    expect(world.lease.remainingMs).toBe(10_000);
    expect(kubernetesSpec(world.lease.record).renewTime).toBe(new Date(world.clock.wallMs()).toISOString().replace('Z', '000Z'));
  });

  it('survives a start with what was written', async () => {
    const { fencingToken } = await written(write(spec('a'), { part: { ...part, finalizers: ['x/y'] } }));
    await world.startServer();
    expect(world.lease.record).toMatchObject({ fencingToken, origin: 'kubernetes', kubernetes: { finalizers: ['x/y'] } });
    expect(world.lease.remainingMs).toBe(10_000);
  });

  it('is marked by a deletion while it has finalizers, and goes with the last of them', async () => {
    const { fencingToken } = await written(write(spec('a'), { part: { ...part, finalizers: ['x/y'] } }));
    await world.do(remove({ fencingToken, force: true }));
    expect(world.lease.record).toMatchObject({ state: 'HELD', kubernetes: { deletionTimeMs: world.clock.wallMs() } });
    await written(write(spec('a', 1), { part: { ...part, finalizers: ['x/y'] } }));
    expect(world.lease.record.kubernetes?.deletionTimeMs).toBeDefined();
    expect(await world.do(write(spec('a', 1)))).toMatchObject({ kind: 'deleted' });
    expect(() => world.lease).toThrow(/not found/);
  });

  it('that runs its lock delay is granted to nobody', async () => {
    await world.grant('a', { lockDelayMs: 5_000 });
    await world.clock.advance(10_000);
    await expect(world.do(write(spec('b', 1)))).rejects.toMatchObject({ reason: 'LEASE_HELD' });
    await world.clock.advance(5_000);
    expect(await written(write(spec('b', 1)))).toMatchObject({ holder: 'b' });
  });

  it('that is being revoked takes no renewal, and can be released', async () => {
    const { fencingToken } = await written(write(spec('a')));
    await world.do({ kind: 'revoke', ...lease, fencingToken, graceMs: 0, force: false, transferTo: '' });
    await expect(world.do(write(spec('a', 1)))).rejects.toMatchObject({ reason: 'LEASE_REVOKED' });
    expect(await written(write(spec('', 1)))).toMatchObject({ state: 'AVAILABLE' });
  });
});
