import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import type { Kubectl } from './kubectl.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

describe.skipIf(missing(program))('kubectl changes a lease', () => {
  const served = useServer();

  /** A namespace with one lease. */
  async function created(): Promise<Kubectl> {
    const { kubectl } = served.room();
    await kubectl.write('a.yaml', lease('a', 'mia', { labels: { team: 'a' } }));
    await kubectl.print('create', '-f', 'a.yaml');
    return kubectl;
  }

  test('with edit', async () => {
    const kubectl = await created();
    await kubectl.write('editor', '#!/bin/sh\nsed -i "s/holderIdentity: mia/holderIdentity: zoe/" "$1"\n');
    const edit = ['edit', 'lease', 'a'];
    const env = { EDITOR: `${kubectl.home}/editor` };
    const edited = { code: 0, stdout: 'lease.coordination.k8s.io/a edited\n', stderr: '' };
    expect(await kubectl.run(edit, env)).toEqual(edited);
    expect((await kubectl.object('a')).spec.holderIdentity).toBe('zoe');
    expect(await kubectl.run(edit, env)).toEqual({ ...edited, stdout: '', stderr: 'Edit cancelled, no changes made.\n' });
  });

  test('with edit, and hears why not', async () => {
    const kubectl = await created();
    // The editor is opened again, with what is wrong at the top; that nothing is changed then ends it.
    await kubectl.write(
      'editor',
      '#!/bin/sh\ncp "$1" seen\nsed -i "s/leaseDurationSeconds: 3600/leaseDurationSeconds: -1/" "$1"\n',
    );
    const { code, stderr } = await kubectl.run(['edit', 'lease', 'a'], { EDITOR: `${kubectl.home}/editor` });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: leases\.coordination\.k8s\.io "a" is invalid\n/);
    expect(await readFile(join(kubectl.home, 'seen'), 'utf8')).toContain(
      '# leases.coordination.k8s.io "a" was not valid:\n' +
        '# * spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0\n',
    );
    expect((await kubectl.object('a')).spec.leaseDurationSeconds).toBe(3600);
  });

  test('with label and annotate', async () => {
    const kubectl = await created();
    const labels = async (): Promise<object> => (await kubectl.object('a')).metadata.labels ?? {};
    expect(await kubectl.print('label', 'lease', 'a', 'tier=1')).toBe('lease.coordination.k8s.io/a labeled\n');
    expect(await labels()).toEqual({ team: 'a', tier: '1' });
    expect(await kubectl.print('label', 'lease', 'a', 'tier=1')).toBe('lease.coordination.k8s.io/a not labeled\n');
    expect(await kubectl.refused('label', 'lease', 'a', 'team=b')).toBe(
      `error: 'team' already has a value (a), and --overwrite is false\n`,
    );
    // Since 1.37 it says `modified` where labels are added and taken away at once.
    expect(await kubectl.print('label', 'lease', '--all', 'team=b', 'tier-', '--overwrite')).toMatch(
      /^lease\.coordination\.k8s\.io\/a (labeled|modified)\n$/,
    );
    expect(await labels()).toEqual({ team: 'b' });
    expect(await kubectl.refused('label', 'lease', 'a', 'team=not a value', '--overwrite')).toContain('a valid label must be');

    expect(await kubectl.print('annotate', 'lease', 'a', 'why=because of this')).toBe('lease.coordination.k8s.io/a annotated\n');
    expect((await kubectl.object('a')).metadata.annotations).toMatchObject({ why: 'because of this' });
    expect(await kubectl.print('annotate', 'lease', 'a', 'why-')).toBe('lease.coordination.k8s.io/a annotated\n');
    expect((await kubectl.object('a')).metadata.annotations).not.toHaveProperty('why');
  });

  test('with annotate, which says nothing of what the server itself annotates', async () => {
    const kubectl = await created();
    const { metadata } = await kubectl.object('a');
    expect(await kubectl.print('annotate', 'lease', 'a', 'leasehold.dev/state=FREE', 'leasehold.dev/token-', '--overwrite')).toBe(
      'lease.coordination.k8s.io/a annotated\n',
    );
    expect((await kubectl.object('a')).metadata).toEqual(metadata);
  });

  test.each([
    ['strategic', '{"spec":{"leaseDurationSeconds":60}}'],
    ['merge', '{"spec":{"leaseDurationSeconds":60}}'],
    ['json', '[{"op":"replace","path":"/spec/leaseDurationSeconds","value":60}]'],
  ])('with patch --type=%s', async (type, patch) => {
    const kubectl = await created();
    const command = ['patch', 'lease', 'a', `--type=${type}`, '-p', patch];
    expect(await kubectl.print(...command)).toBe('lease.coordination.k8s.io/a patched\n');
    expect((await kubectl.object('a')).spec).toEqual({ holderIdentity: 'mia', leaseDurationSeconds: 60 });
    expect(await kubectl.print(...command)).toBe('lease.coordination.k8s.io/a patched (no change)\n');
    expect(await kubectl.refused(...command.slice(0, -1), patch.replace('60', '"x"'))).toMatch(
      /^(Error from server|The request is invalid)/,
    );
  });

  test('with patches that take members away, or test them', async () => {
    const kubectl = await created();
    const patch = (type: string, body: unknown): string[] => ['patch', 'lease', 'a', '--type', type, '-p', JSON.stringify(body)];
    await kubectl.print(...patch('merge', { metadata: { labels: null }, spec: { holderIdentity: null } }));
    const { metadata, spec } = await kubectl.object('a');
    expect({ labels: metadata.labels, spec }).toEqual({ labels: undefined, spec: { leaseDurationSeconds: 3600 } });
    const test = { op: 'test', path: '/spec/leaseDurationSeconds', value: 1 };
    expect(await kubectl.refused(...patch('json', [test, { op: 'remove', path: '/spec/leaseDurationSeconds' }]))).toBe(
      'The request is invalid: the server rejected our request due to an error in our request\n',
    );
    await kubectl.print(
      ...patch('json', [
        { ...test, value: 3600 },
        { op: 'remove', path: '/spec/leaseDurationSeconds' },
      ]),
    );
    expect((await kubectl.object('a')).spec).toEqual({});
  });

  test('with replace, by version and by force', async () => {
    const kubectl = await created();
    const { metadata } = await kubectl.object('a');
    await kubectl.write('a.yaml', lease('a', 'zoe'));
    expect(await kubectl.print('replace', '-f', 'a.yaml')).toBe('lease.coordination.k8s.io/a replaced\n');
    const replaced = await kubectl.object('a');
    expect(replaced.spec.holderIdentity).toBe('zoe');
    expect(replaced.metadata).toMatchObject({ uid: metadata.uid, annotations: { 'leasehold.dev/state': 'HELD' } });
    expect(replaced.metadata.labels).toBeUndefined();

    await kubectl.write(
      'stale.yaml',
      lease('a', 'ada').replace('name: a', `name: a\n  resourceVersion: "${metadata.resourceVersion}"`),
    );
    expect(await kubectl.refused('replace', '-f', 'stale.yaml')).toBe(
      'Error from server (Conflict): error when replacing "stale.yaml": Operation cannot be fulfilled on ' +
        'leases.coordination.k8s.io "a": the object has been modified; please apply your changes to the latest version and try again\n',
    );
    expect(await kubectl.print('replace', '--force', '-f', 'a.yaml')).toMatch(
      /^lease\.coordination\.k8s\.io "a" deleted.*\nlease\.coordination\.k8s\.io\/a replaced\n$/,
    );
    expect((await kubectl.object('a')).metadata.uid).not.toBe(metadata.uid);
    // A lease may be created by an update.
    await kubectl.write('new.yaml', lease('new', 'ada'));
    expect(await kubectl.print('replace', '-f', 'new.yaml')).toBe('lease.coordination.k8s.io/new replaced\n');
    expect((await kubectl.object('new')).spec.holderIdentity).toBe('ada');
  });

  test('after having shown what would change, with diff', async () => {
    const kubectl = await created();
    expect(await kubectl.print('diff', '-f', 'a.yaml')).toBe('');
    const { metadata } = await kubectl.object('a');
    await kubectl.write('a.yaml', lease('a', 'mia', { labels: { team: 'b' }, duration: 60 }));
    for (const flags of [[], ['--server-side', '--force-conflicts']]) {
      const { code, stdout } = await kubectl.run(['diff', '-f', 'a.yaml', ...flags]);
      expect({ code, changes: stdout.match(/^[-+] .*$/gm) }).toEqual({
        code: 1,
        changes: ['-    team: a', '+    team: b', '-  leaseDurationSeconds: 3600', '+  leaseDurationSeconds: 60'],
      });
    }
    expect((await kubectl.object('a')).metadata.resourceVersion).toBe(metadata.resourceVersion);
    await kubectl.write('new.yaml', lease('new', 'zoe'));
    expect((await kubectl.run(['diff', '-f', 'new.yaml'])).stdout).toContain('+  holderIdentity: zoe\n');
  });
});
