import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

describe.skipIf(missing(program))('kubectl, of namespaces', () => {
  const served = useServer();

  /** A manifest as people keep it: a namespace, and what is in it. */
  const manifest = (namespace: string): string => {
    const inIt = lease('a', 'mia').replace('name: a', `name: a\n  namespace: ${namespace}`);
    return [`apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${namespace}\n`, inIt].join('---\n');
  };

  test('applies a manifest with one, and applies it again', async () => {
    const { kubectl } = served;
    await kubectl.write('team.yaml', manifest('team'));
    const applied = async (...flags: string[]): Promise<string> => {
      const { code, stdout } = await kubectl.run(['apply', '-f', 'team.yaml', ...flags]);
      expect(code).toBe(0);
      return stdout;
    };
    expect(await applied()).toBe('namespace/team configured\nlease.coordination.k8s.io/a created\n');
    expect(await applied()).toBe('namespace/team configured\nlease.coordination.k8s.io/a unchanged\n');
    await kubectl.write('team.yaml', manifest('crew'));
    const onServer = 'namespace/crew serverside-applied\nlease.coordination.k8s.io/a serverside-applied\n';
    expect(await applied('--server-side')).toBe(onServer);
    expect(await applied('--server-side')).toBe(onServer);
    expect(await kubectl.print('label', 'namespace', 'crew', 'a=b')).toBe('namespace/crew labeled\n');
    expect(await kubectl.print('replace', '-f', 'team.yaml')).toContain('namespace/crew replaced\n');
  });

  test('sees one come and go with its leases, and deletes it when it has none', async () => {
    const { kubectl } = served;
    const watch = kubectl.start('get', 'ns', '-w', '--field-selector', 'metadata.name=gang', '--output-watch-events', '-v', '6');
    await watch.watches();
    await served.client.create('a', { namespace: 'gang' });
    expect(await watch.lines(2)).toEqual(['EVENT      NAME   STATUS   AGE', 'ADDED      gang   Active   <unknown>']);
    expect(await kubectl.refused('delete', 'ns', 'gang')).toBe(
      'Error from server (Conflict): Operation cannot be fulfilled on namespaces "gang": it has leases, and is gone when they are deleted\n',
    );
    expect(await kubectl.refused('delete', 'ns', 'default')).toContain('this namespace may not be deleted');
    await served.client.delete('a', { namespace: 'gang' });
    expect(await watch.lines(1)).toEqual(['DELETED    gang   Active   <unknown>']);
    expect(await kubectl.print('delete', 'ns', 'gang')).toBe('namespace "gang" deleted\n');
  });
});
