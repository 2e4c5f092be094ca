import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { patience } from './client-program.js';
import { World } from './world.js';

const folder = fileURLToPath(new URL('node/', import.meta.url));
const installed = existsSync(`${folder}node_modules/@kubernetes/client-node`);
const why = installed || process.env['CI'] !== undefined ? '' : ' (skipped: run .ci/toolchains)';

/** Each test waits for several answers of a process, on a machine that has others to run. */
const timeout = 4 * patience;

describe.skipIf(why !== '')(`@kubernetes/client-node${why}`, { concurrent: true, timeout }, () => {
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
    const program = world.run(process.execPath, `${folder}crud.mjs`, 'crud');

    const created = await program.next('created');
    expect(created).toMatchObject({ name: 'one', annotations: { 'leasehold.dev/state': 'HELD' } });
    expect(created['spec']).toMatchObject({ holderIdentity: 'a', renewTime: created['wrote'], acquireTime: created['wrote'] });
    expect(await program.next('created again')).toMatchObject({ code: 409, reason: 'AlreadyExists' });
    const { event: _read, ...read } = await program.next('read');
    expect(created).toMatchObject(read);
    const replaced = await program.next('replaced');
    expect(replaced['spec']).toEqual({ ...(created['spec'] as object), holderIdentity: 'b' });
    expect(await program.next('replaced too late')).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(await program.next('missing')).toMatchObject({ code: 404, reason: 'NotFound' });

    expect(await program.next('listed')).toMatchObject({ pages: [['one', 'three'], ['two']], left: 1 });
    expect(await program.next('selected')).toMatchObject({ names: ['three', 'two'] });
    expect(await program.next('everywhere')).toMatchObject({ names: ['two'] });
    expect(await program.next('namespaces')).toMatchObject({ names: expect.arrayContaining(['crud']) as string[] });

    const merged = { holderIdentity: 'm', leaseDurationSeconds: 5 };
    expect(await program.next('merged')).toMatchObject({ spec: merged });
    expect(await program.next('merged strategically')).toMatchObject({ spec: merged, annotations: { note: 's' } });
    expect(await program.next('patched')).toMatchObject({ spec: { ...merged, leaseDurationSeconds: 6 } });
    expect(await program.next('not applied')).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(await program.next('applied')).toMatchObject({ spec: { ...merged, leaseDurationSeconds: 7 } });

    expect(await program.next('generic')).toMatchObject({ read: 'g', labels: { team: 'green' }, listed: ['four'] });
    expect(await program.next('kept')).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(await program.next('deleted')).toMatchObject({ status: 'Success', kind: 'leases', name: 'one' });
    expect(await program.next('left')).toMatchObject({ names: [] });

    // What it did, as gRPC tells it.
    await watcher.until(({ type, lease }) => type === 'DELETED' && lease.name === 'two');
    expect(watcher.historyOf('one')).toEqual(['ACQUIRED a', 'ACQUIRED b', 'DELETED b']);
    expect(watcher.historyOf('two')).toEqual(['CREATED', 'ACQUIRED m', 'UPDATED m', 'UPDATED m', 'UPDATED m', 'DELETED m']);
    expect(watcher.historyOf('four')).toEqual(['ACQUIRED g', 'UPDATED g', 'DELETED g']);
    const tokens = watcher.events.filter(({ lease }) => lease.name === 'one').map(({ lease }) => String(lease.fencingToken));
    expect(tokens[0]).toBe((created['annotations'] as Record<string, string>)['leasehold.dev/token']);
    expect(tokens[1]).toBe((replaced['annotations'] as Record<string, string>)['leasehold.dev/token']);
  });

  test('watches what happens over gRPC, from the first moment on', async () => {
    const scope = { namespace: 'watched' };
    const program = plain.run(process.execPath, `${folder}watch.mjs`, 'watched');
    // Nothing has happened yet: it hears of the watch by its headers.
    await program.next('watching');

    const { granted } = await plain.grpc.acquire('one', { ...scope, holder: 'a', durationMs: 1_000, labels: { team: 'red' } });
    const token = { 'leasehold.dev/token': String(granted?.fencingToken) };
    expect(await program.next('ADDED')).toMatchObject({
      name: 'one',
      version: String(granted?.fencingToken),
      annotations: { ...token, 'leasehold.dev/state': 'HELD' },
      spec: { holderIdentity: 'a', leaseDurationSeconds: 1 },
    });
    await granted?.release();
    const released = await program.next('MODIFIED');
    expect(released).toMatchObject({ annotations: { ...token, 'leasehold.dev/state': 'AVAILABLE' } });
    expect(released['spec']).not.toHaveProperty('holderIdentity', 'a');
    await plain.grpc.delete('one', scope);
    expect(await program.next('DELETED')).toMatchObject({ name: 'one' });

    program.send('stop');
    expect(await program.next('ended')).toMatchObject({ error: 'AbortError' });
  });

  test('keeps a view through restarts of the server, and one without what it had', async (context) => {
    const world = await World.start();
    context.onTestFinished(() => world.stop());
    const scope = { namespace: 'informed' };
    const acquire = (name: string) => world.grpc.acquire(name, { ...scope, holder: 'a', durationMs: 600_000, timeoutMs: 30_000 });
    await acquire('one');
    const program = world.run(process.execPath, `${folder}informer.mjs`, 'informed');
    expect(await program.next('list')).toMatchObject({ names: ['one'] });
    await program.next('add', ({ name }) => name === 'one');
    await program.next('started');

    await world.restart();
    await acquire('two');
    await program.next('add', ({ name }) => name === 'two');
    await world.crash();
    const { uid } = await world.grpc.get('one', { ...scope, timeoutMs: 30_000 });
    await world.grpc.delete('one', { ...scope, uid, timeoutMs: 30_000 });
    await program.next('delete', ({ name }) => name === 'one');
    // It went on from where it was, without another look at everything.
    expect(program.events.filter(({ event }) => event === 'list')).toHaveLength(1);
    expect(program.events.filter(({ event }) => event === 'add')).toHaveLength(2);

    await world.lose();
    await program.next('list', ({ names }) => JSON.stringify(names) === '[]');
    await program.next('delete', ({ name }) => name === 'two');
    await acquire('three');
    await program.next('add', ({ name }) => name === 'three');
  });

  test('elects leaders by hand, with times of three fraction digits', async () => {
    const scope = { namespace: 'election', name: 'leader' };
    const watcher = await plain.watch(scope);
    const campaign = (identity: string) =>
      plain.run(process.execPath, `${folder}elector.mjs`, scope.namespace, scope.name, identity, '4');
    const first = campaign('first');
    const { renewTime } = await first.next('leading');
    expect(renewTime).toMatch(/\.\d{3}000Z$/);
    const ofFirst = await plain.grpc.get(scope.name, scope);
    expect(ofFirst).toMatchObject({ holder: 'first', state: 'HELD', durationMs: 4_000, transitions: 0 });

    const second = campaign('second');
    await second.next('following');
    first.send('step down');
    await first.next('stepped down');
    await second.next('leading');
    await second.next('renewed');

    const third = campaign('third');
    await third.next('following');
    await second.kill();
    await third.next('leading');
    await third.kill();
    await watcher.until(({ type, lease }) => type === 'EXPIRED' && lease.holder === 'third');

    const grants = watcher.events.filter(({ type }) => type === 'ACQUIRED').map(({ lease }) => lease);
    expect(grants.map(({ holder }) => holder)).toEqual(['first', 'second', 'third']);
    const tokens = grants.map(({ fencingToken }) => fencingToken);
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
    expect(tokens[2]).toBeGreaterThan(tokens[1]!);
    expect(watcher.events.map(({ type }) => type)).toContain('RELEASED');
  });
});
