import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

const header = 'NAME   HOLDER   AGE';

describe.skipIf(missing(program))('kubectl get lease -w', () => {
  const served = useServer();

  test('shows what is there, and then each change over either door', async () => {
    const { kubectl, namespace } = served.room();
    await kubectl.write('a.yaml', lease('a', 'mia'));
    await kubectl.print('create', '-f', 'a.yaml');
    const watch = kubectl.start('get', 'lease', '-w');
    expect(await watch.lines(2)).toEqual([header, 'a      mia      0s']);

    const { granted } = await served.client.acquire('jobs', { namespace, durationMs: 3_600_000 });
    expect(await watch.lines(1)).toEqual(['jobs   worker-1   0s']);
    await kubectl.print('patch', 'lease', 'a', '-p', '{"spec":{"holderIdentity":"zoe"}}');
    expect(await watch.lines(1)).toEqual(['a      zoe        0s']);
    await granted?.release();
    expect(await watch.lines(1)).toEqual(['jobs              0s']);
    await served.client.delete('jobs', { namespace });
    await kubectl.print('delete', 'lease', 'a');
    expect(await watch.lines(2)).toEqual(['jobs              0s', 'a      zoe        0s']);
  });

  test('shows only changes with --watch-only', async () => {
    const { kubectl, namespace } = served.room();
    await kubectl.write('old.yaml', lease('old', 'mia'));
    await kubectl.print('create', '-f', 'old.yaml');
    const watch = kubectl.start('get', 'lease', '--watch-only', '-v', '6');
    await watch.watches();
    await served.client.acquire('new', { namespace, durationMs: 3_600_000 });
    expect(await watch.lines(2)).toEqual(['NAME   HOLDER     AGE', 'new    worker-1   0s']);
  });

  test('names the kind of each change with --output-watch-events', async () => {
    const { kubectl, namespace } = served.room();
    await kubectl.write('b.yaml', lease('b', 'mia'));
    await kubectl.print('create', '-f', 'b.yaml');
    const watch = kubectl.start('get', 'lease', '-w', '--output-watch-events');
    expect(await watch.lines(2)).toEqual(['EVENT      NAME   HOLDER   AGE', 'ADDED      b      mia      0s']);
    await served.client.acquire('jobs', { namespace, durationMs: 3_600_000 });
    await kubectl.print('delete', 'lease', 'b');
    expect(await watch.lines(2)).toEqual(['ADDED      jobs   worker-1   0s', 'DELETED    b      mia        0s']);
  });

  test('watches one lease by its name', async () => {
    const { kubectl, namespace } = served.room();
    await served.client.acquire('jobs', { namespace, durationMs: 3_600_000 });
    const watch = kubectl.start('get', 'lease', 'jobs', '-w');
    expect(await watch.lines(2)).toEqual(['NAME   HOLDER     AGE', 'jobs   worker-1   0s']);
    await served.client.acquire('others', { namespace, durationMs: 3_600_000 });
    await kubectl.print('label', 'lease', 'jobs', 'team=a');
    expect(await watch.lines(1)).toEqual(['jobs   worker-1   0s']);
    await kubectl.print('delete', 'lease', 'jobs');
    expect(await watch.lines(1)).toEqual(['jobs   worker-1   0s']);
  });

  test('sees a lease come into a selection and leave it', async () => {
    const { kubectl } = served.room();
    await kubectl.write('c.yaml', lease('c', 'mia'));
    await kubectl.print('create', '-f', 'c.yaml');
    const watch = kubectl.start('get', 'lease', '-w', '-l', 'team=a', '--output-watch-events', '-v', '6');
    await watch.watches();
    await kubectl.print('label', 'lease', 'c', 'team=a');
    await kubectl.print('label', 'lease', 'c', 'team=b', '--overwrite');
    expect(await watch.lines(3)).toEqual([
      'EVENT      NAME   HOLDER   AGE',
      'ADDED      c      mia      0s',
      'DELETED    c      mia      0s',
    ]);
  });

  test('sees the leases of all namespaces', async () => {
    const { kubectl, namespace } = served.room();
    const other = served.room();
    await kubectl.write('d.yaml', lease('d', 'mia', { labels: { room: namespace } }));
    await kubectl.print('create', '-f', 'd.yaml');
    const watch = kubectl.start('get', 'lease', '-w', '-A', '-l', `room=${namespace}`, '-o', 'name');
    expect(await watch.lines(1)).toEqual(['lease.coordination.k8s.io/d']);
    await served.client.acquire('e', { namespace: other.namespace, durationMs: 3_600_000, labels: { room: namespace } });
    expect(await watch.lines(1)).toEqual(['lease.coordination.k8s.io/e']);
  });

  test('sees a lease expire by the clock of the server, over either door', async () => {
    const { kubectl, namespace } = served.room();
    const state = 'jsonpath={.metadata.name} {.metadata.annotations.leasehold\\.dev/state} {.spec.holderIdentity}{"\\n"}';
    await kubectl.write('f.yaml', lease('f', 'mia', { duration: 1, renewTime: '2023-12-02T10:00:00Z' }));
    await kubectl.print('create', '-f', 'f.yaml');
    await served.client.create('g', { namespace });
    const watch = kubectl.start('get', 'lease', '-w', '-o', state);
    const seen = new Set(await watch.lines(2));
    const crashing = served.connect();
    await crashing.acquire('g', { namespace, durationMs: 500 });
    await crashing.close({ release: false });
    while (!seen.has('f EXPIRED mia') || !seen.has('g EXPIRED worker-1')) seen.add((await watch.lines(1))[0] ?? '');
    expect([...seen].filter((line) => line.startsWith('g'))).toEqual(['g AVAILABLE ', 'g HELD worker-1', 'g EXPIRED worker-1']);
  });
});
