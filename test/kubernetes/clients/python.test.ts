import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { missing, pythonKubernetes, required } from '../../foreign/toolchain.js';
import { type ClientProgram, patience } from './client-program.js';
import { World } from './world.js';

const why = missing(pythonKubernetes) ? ' (skipped: run .ci/toolchains)' : '';

/** Each test waits for several answers of a process, on a machine that has others to run. */
const timeout = 4 * patience;

describe.skipIf(why !== '')(`Python's kubernetes${why}`, { concurrent: true, timeout }, () => {
  /** For the tests that leave the server in peace. */
  let plain: World;

  beforeAll(async () => {
    plain = await World.start({ store: 'memory:' });
    return () => plain.stop();
  });

  test('creates, reads, lists, replaces, patches and deletes, over TLS', async (context) => {
    const world = await World.start({ tls: true });
    context.onTestFinished(() => world.stop());
    const watcher = await world.watch({ namespace: 'crud' });
    const program = run(world, 'crud', 'crud');

    const created = await program.next('created');
    // It writes six digits and an offset.
    expect(created['wrote']).toMatch(/\.\d{6}\+00:00$/);
    expect(created).toMatchObject({ name: 'one', holder: 'a', seconds: 30, renewTime: created['wrote'] });
    expect(await program.next('created again')).toMatchObject({ code: 409, reason: 'AlreadyExists' });
    expect(await program.next('read')).toEqual({ ...created, event: 'read', wrote: undefined });
    const replaced = await program.next('replaced');
    expect(replaced).toMatchObject({ holder: 'b', seconds: 30, renewTime: created['wrote'] });
    expect(await program.next('replaced too late')).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(await program.next('missing')).toMatchObject({ code: 404, reason: 'NotFound' });

    expect(await program.next('listed')).toMatchObject({ pages: [['one', 'three'], ['two']], left: 1 });
    expect(await program.next('selected')).toMatchObject({ names: ['three', 'two'] });
    expect(await program.next('everywhere')).toMatchObject({ names: ['two'] });
    expect(await program.next('namespaces')).toMatchObject({ names: expect.arrayContaining(['crud']) as string[] });
    expect(await program.next('version')).toMatchObject({
      version: expect.stringMatching(/^v1\.\d+\.\d+\+leasehold$/) as string,
    });

    expect(await program.next('merged')).toMatchObject({ holder: 'm', seconds: 5 });
    expect(await program.next('patched')).toMatchObject({ holder: 'm', seconds: 6 });
    expect(await program.next('kept')).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(await program.next('deleted')).toMatchObject({ status: 'Success', kind: 'leases', name: 'one' });
    expect(await program.next('left')).toMatchObject({ names: [] });

    // What it did, as gRPC tells it.
    await watcher.until(({ type, lease }) => type === 'DELETED' && lease.name === 'two');
    expect(watcher.historyOf('one')).toEqual(['ACQUIRED a', 'ACQUIRED b', 'DELETED b']);
    expect(watcher.historyOf('two')).toEqual(['CREATED', 'ACQUIRED m', 'UPDATED m', 'DELETED m']);
    const tokens = watcher.events.filter(({ lease }) => lease.name === 'one').map(({ lease }) => String(lease.fencingToken));
    expect([created, replaced].map(({ annotations }) => (annotations as Record<string, string>)['leasehold.dev/token'])).toEqual(
      tokens.slice(0, 2),
    );
  });

  test('finds the resource by its dynamic client, and uses it', async () => {
    const watcher = await plain.watch({ namespace: 'dynamic' });
    const program = run(plain, 'dynamic', 'dynamic');
    expect(await program.next('found')).toMatchObject({
      name: 'leases',
      namespaced: true,
      verbs: expect.arrayContaining(['watch']) as string[],
    });
    expect(await program.next('searched')).toMatchObject({ kinds: ['Lease', 'LeaseList'] });
    expect(await program.next('created')).toMatchObject({ holder: 'a' });
    expect(await program.next('patched')).toMatchObject({ labels: { team: 'red' } });
    expect(await program.next('not applied')).toMatchObject({
      code: 409,
      summary: expect.stringContaining('.spec.leaseDurationSeconds') as string,
    });
    expect(await program.next('applied')).toMatchObject({ seconds: 7 });
    expect(await program.next('listed')).toMatchObject({ names: ['one'] });
    expect(await program.next('watched')).toMatchObject({ type: 'ADDED', name: 'one' });
    // The server ends it when it was asked to.
    await program.next('watch ended');
    expect(await program.next('deleted')).toMatchObject({ code: 404 });
    const { durationMs, labels } = await watcher.until(({ type }) => type === 'DELETED');
    expect({ durationMs, labels }).toEqual({ durationMs: 7_000, labels: { team: 'red' } });
  });

  test('watches what happens over gRPC', async () => {
    const scope = { namespace: 'watched' };
    const program = run(plain, 'watch', 'watched');
    expect(await program.next('listed')).toMatchObject({ names: [] });

    const { granted } = await plain.grpc.acquire('one', { ...scope, holder: 'a', durationMs: 600_000, labels: { team: 'red' } });
    const token = { 'leasehold.dev/token': String(granted?.fencingToken) };
    expect(await program.next('ADDED')).toMatchObject({
      name: 'one',
      holder: 'a',
      seconds: 600,
      version: String(granted?.fencingToken),
      annotations: { ...token, 'leasehold.dev/state': 'HELD' },
    });
    await granted?.release();
    expect(await program.next('MODIFIED')).toMatchObject({ annotations: { ...token, 'leasehold.dev/state': 'AVAILABLE' } });
    await plain.grpc.delete('one', scope);
    expect(await program.next('DELETED')).toMatchObject({ name: 'one' });
    await program.next('ended');
  });

  test('keeps a view through restarts of the server, and one without what it had', async (context) => {
    const world = await World.start();
    context.onTestFinished(() => world.stop());
    const scope = { namespace: 'informed', timeoutMs: 30_000 };
    const acquire = (name: string) => world.grpc.acquire(name, { ...scope, holder: 'a', durationMs: 600_000 });
    await acquire('one');
    const program = run(world, 'informer', 'informed');
    await program.next('ADDED', ({ name }) => name === 'one');
    await world.crash();
    await acquire('two');
    await program.next('ADDED', ({ name }) => name === 'two');
    await world.lose();
    await program.next('DELETED', ({ name }) => name === 'one');
    await acquire('three');
    await program.next('ADDED', ({ name }) => name === 'three');
  });

  test('elects leaders, and waits for a holder over gRPC', async () => {
    const scope = { namespace: 'election', name: 'leader' };
    const watcher = await plain.watch(scope);
    const { granted } = await plain.grpc.acquire(scope.name, { ...scope, holder: 'grpc', durationMs: 600_000 });
    const campaign = (identity: string) => run(plain, 'elector', scope.namespace, scope.name, identity);

    const first = campaign('first');
    // To its eyes nobody renews the lease: it tries to take it. Whoever holds one over gRPC is not robbed.
    await first.next('log', ({ text }) => /^Failed to update lock.*held over gRPC/s.test(String(text)));
    expect(await plain.grpc.get(scope.name, scope)).toMatchObject({ holder: 'grpc', state: 'HELD' });
    await granted?.release();
    await first.next('leading');
    expect(await plain.grpc.get(scope.name, scope)).toMatchObject({ holder: 'first', state: 'HELD', durationMs: 5_000 });

    const second = campaign('second');
    await second.next('log', ({ text }) => String(text).includes('yet to finish lease_duration'));
    await first.kill();
    await second.next('leading');
    await second.next('log', ({ text }) => String(text).includes('has successfully acquired lease'));
    await second.kill();
    await watcher.until(({ type, lease }) => type === 'EXPIRED' && lease.holder === 'second');

    const grants = watcher.events.filter(({ type }) => type === 'ACQUIRED').map(({ lease }) => lease);
    expect(grants.map(({ holder }) => holder)).toEqual(['grpc', 'first', 'second']);
    const tokens = grants.map(({ fencingToken }) => fencingToken);
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
    expect(tokens[2]).toBeGreaterThan(tokens[1]!);
  });
});

function run(world: World, program: string, ...args: readonly string[]): ClientProgram {
  // Without -B it would leave what it has compiled beside the programs.
  return world.run(required(pythonKubernetes), '-B', fileURLToPath(new URL(`python/${program}.py`, import.meta.url)), ...args);
}
