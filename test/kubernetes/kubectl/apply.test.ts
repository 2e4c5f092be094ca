import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

describe.skipIf(missing(program))('kubectl apply', () => {
  const served = useServer();

  test('creates, leaves alone what is unchanged, and changes what is not', async () => {
    const { kubectl } = served.room();
    await kubectl.write('a.yaml', lease('a', 'mia', { labels: { team: 'a', old: 'one' } }));
    expect(await kubectl.print('apply', '-f', 'a.yaml')).toBe('lease.coordination.k8s.io/a created\n');
    const created = await kubectl.object('a');
    expect(await kubectl.print('apply', '-f', 'a.yaml')).toBe('lease.coordination.k8s.io/a unchanged\n');
    expect((await kubectl.object('a')).metadata.resourceVersion).toBe(created.metadata.resourceVersion);

    await kubectl.write('a.yaml', lease('a', 'zoe', { labels: { team: 'b' }, duration: 60 }));
    expect(await kubectl.print('apply', '-f', 'a.yaml')).toBe('lease.coordination.k8s.io/a configured\n');
    const changed = await kubectl.object('a');
    expect(changed.spec).toEqual({ holderIdentity: 'zoe', leaseDurationSeconds: 60 });
    expect(changed.metadata.labels).toEqual({ team: 'b' });
    expect(changed.metadata.uid).toBe(created.metadata.uid);
  });

  test('keeps what others have written', async () => {
    const { kubectl } = served.room();
    await kubectl.write('b.yaml', lease('b', 'mia'));
    await kubectl.print('apply', '-f', 'b.yaml');
    await kubectl.print('label', 'lease', 'b', 'by=another');
    await kubectl.write('b.yaml', lease('b', 'mia', { labels: { team: 'a' } }));
    await kubectl.print('apply', '-f', 'b.yaml');
    const { metadata } = await kubectl.object('b');
    expect(metadata.labels).toEqual({ by: 'another', team: 'a' });
    expect(metadata.annotations).toMatchObject({ 'leasehold.dev/state': 'HELD' });
  });

  test('takes over what was made without it', async () => {
    const { kubectl } = served.room();
    await kubectl.write('c.yaml', lease('c', 'mia'));
    await kubectl.print('create', '-f', 'c.yaml');
    const { code, stdout, stderr } = await kubectl.run(['apply', '-f', 'c.yaml']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'lease.coordination.k8s.io/c configured\n' });
    expect(stderr).toMatch(
      /^Warning: resource leases\/c is missing the kubectl\.kubernetes\.io\/last-applied-configuration annotation/,
    );
    expect(await kubectl.print('apply', 'view-last-applied', 'lease/c', '-o', 'json')).toContain('"holderIdentity": "mia"');
  });

  test('on the server: two managers conflict, and one of them can force', async () => {
    const { kubectl } = served.room();
    const apply = ['apply', '--server-side', '-f', 'd.yaml'];
    await kubectl.write('d.yaml', lease('d', 'mia', { renewTime: '2023-12-02T10:00:00Z' }));
    const applied = 'lease.coordination.k8s.io/d serverside-applied\n';
    expect(await kubectl.print(...apply)).toBe(applied);
    const { metadata } = await kubectl.object('d');
    expect(await kubectl.print(...apply)).toBe(applied);
    expect((await kubectl.object('d')).metadata.resourceVersion).toBe(metadata.resourceVersion);

    await kubectl.write('d.yaml', lease('d', 'zoe', { duration: 60, renewTime: '2023-12-02T10:00:00Z' }));
    const refused = await kubectl.refused(...apply, '--field-manager', 'two');
    expect(refused.split('Please review')[0]).toBe(
      'error: Apply failed with 2 conflicts: conflicts with "kubectl":\n- .spec.holderIdentity\n- .spec.leaseDurationSeconds\n',
    );
    expect((await kubectl.object('d')).spec.holderIdentity).toBe('mia');
    expect(await kubectl.print(...apply, '--field-manager', 'two', '--force-conflicts')).toBe(applied);
    expect((await kubectl.object('d')).spec).toEqual({
      holderIdentity: 'zoe',
      leaseDurationSeconds: 60,
      renewTime: '2023-12-02T10:00:00.000000Z',
    });
    const managers = 'jsonpath={range .metadata.managedFields[*]}{.manager} {.operation} {.fieldsV1.f:spec}{"\\n"}{end}';
    expect(await kubectl.print('get', 'lease', 'd', '--show-managed-fields', '-o', managers)).toBe(
      'kubectl Apply {"f:renewTime":{}}\n' + 'two Apply {"f:holderIdentity":{},"f:leaseDurationSeconds":{},"f:renewTime":{}}\n',
    );
  });

  test('on the server: gives up a field that a manager no longer names', async () => {
    const { kubectl } = served.room();
    await kubectl.write('e.yaml', lease('e', 'mia', { labels: { team: 'a' } }));
    await kubectl.print('apply', '--server-side', '-f', 'e.yaml');
    await kubectl.write('e.yaml', lease('e', 'mia'));
    await kubectl.print('apply', '--server-side', '-f', 'e.yaml');
    expect((await kubectl.object('e')).metadata.labels).toBeUndefined();
  });

  test('on the server: goes on from what was applied by kubectl itself', async () => {
    const { kubectl } = served.room();
    await kubectl.write('f.yaml', lease('f', 'mia', { labels: { team: 'a' } }));
    await kubectl.print('apply', '-f', 'f.yaml');
    await kubectl.write('f.yaml', lease('f', 'zoe'));
    expect(await kubectl.print('apply', '--server-side', '-f', 'f.yaml')).toBe(
      'lease.coordination.k8s.io/f serverside-applied\n',
    );
    const { metadata, spec } = await kubectl.object('f');
    expect({ labels: metadata.labels, holder: spec.holderIdentity }).toEqual({ labels: undefined, holder: 'zoe' });
  });

  test('writes nothing in a dry run', async () => {
    const { kubectl } = served.room();
    await kubectl.write('g.yaml', lease('g', 'mia'));
    expect(await kubectl.print('apply', '-f', 'g.yaml', '--dry-run=server')).toBe(
      'lease.coordination.k8s.io/g created (server dry run)\n',
    );
    expect(await kubectl.print('apply', '--server-side', '-f', 'g.yaml', '--dry-run=server')).toBe(
      'lease.coordination.k8s.io/g serverside-applied (server dry run)\n',
    );
    expect(await kubectl.print('get', 'lease', '--ignore-not-found', 'g')).toBe('');
  });

  test('deletes what is no longer in the files with --prune', async () => {
    const { kubectl } = served.room();
    const labels = { set: 'pruned' };
    await kubectl.write('h.yaml', [lease('h1', 'mia', { labels }), lease('h2', 'mia', { labels })].join('---\n'));
    await kubectl.print('apply', '-f', 'h.yaml');
    await kubectl.write('h.yaml', lease('h1', 'mia', { labels }));
    const allowed = '--prune-allowlist=coordination.k8s.io/v1/Lease';
    expect(await kubectl.print('apply', '-f', 'h.yaml', '--prune', '-l', 'set=pruned', allowed)).toBe(
      'lease.coordination.k8s.io/h1 unchanged\nlease.coordination.k8s.io/h2 pruned\n',
    );
  });
});
