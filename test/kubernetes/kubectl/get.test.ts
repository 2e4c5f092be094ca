import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { lease } from './manifests.js';
import type { Kubectl } from './kubectl.js';
import { useServer } from './served.js';

describe.skipIf(missing(program))('kubectl get lease', () => {
  const served = useServer();

  /** A namespace with leases of both origins: `gamma` is held over gRPC. */
  async function filled(): Promise<{ kubectl: Kubectl; namespace: string }> {
    const { kubectl, namespace } = served.room();
    const labels = { team: 'a', room: namespace };
    await kubectl.write(
      'two.yaml',
      [lease('beta', 'zoe', { labels }), lease('alpha', 'mia', { labels: { room: namespace } })].join('---\n'),
    );
    await kubectl.print('create', '-f', 'two.yaml');
    await served.client.acquire('gamma', { namespace, durationMs: 3_600_000, labels });
    return { kubectl, namespace };
  }

  test('says that there are none', async () => {
    const { kubectl, namespace } = served.room();
    expect(await kubectl.run(['get', 'lease'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `No resources found in ${namespace} namespace.\n`,
    });
    expect(await kubectl.refused('get', 'lease', 'none')).toBe(
      'Error from server (NotFound): leases.coordination.k8s.io "none" not found\n',
    );
    expect(await kubectl.print('get', 'lease', 'none', '--ignore-not-found')).toBe('');
  });

  test('lists those of a namespace, by all names of the resource', async () => {
    const { kubectl } = await filled();
    for (const resource of ['lease', 'leases', 'leases.coordination.k8s.io', 'leases.v1.coordination.k8s.io']) {
      expect(await kubectl.print('get', resource)).toBe(table`
NAME    HOLDER     AGE
alpha   mia        0s
beta    zoe        0s
gamma   worker-1   0s
`);
    }
  });

  test('prints some by their names, and complains of those that are missing', async () => {
    const { kubectl } = await filled();
    expect(await kubectl.print('get', 'lease', 'gamma', 'alpha')).toBe(table`
NAME    HOLDER     AGE
gamma   worker-1   0s
alpha   mia        0s
`);
    expect(await kubectl.print('get', 'lease/beta', '--no-headers')).toBe('beta   zoe   0s\n');
    const { code, stdout, stderr } = await kubectl.run(['get', 'lease', 'none', 'beta', '-o', 'name']);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: 'lease.coordination.k8s.io/beta\n',
      stderr: 'Error from server (NotFound): leases.coordination.k8s.io "none" not found\n',
    });
  });

  test('lists those of all namespaces with -A', async () => {
    const first = await filled();
    const { namespace } = await filled();
    const all = await first.kubectl.print('get', 'lease', '-A', '-l', `room in (${first.namespace}, ${namespace})`);
    expect(all.replaceAll(first.namespace, 'room-1').replaceAll(namespace, 'room-2')).toBe(table`
NAMESPACE   NAME    HOLDER     AGE
room-1      alpha   mia        0s
room-1      beta    zoe        0s
room-1      gamma   worker-1   0s
room-2      alpha   mia        0s
room-2      beta    zoe        0s
room-2      gamma   worker-1   0s
`);
  });

  test.each([
    ['team=a', ['beta', 'gamma']],
    ['team!=a', ['alpha']],
    ['!team', ['alpha']],
    ['team', ['beta', 'gamma']],
    ['team in (a, b),room', ['beta', 'gamma']],
    ['team notin (a)', ['alpha']],
    ['team=b', []],
  ])('chooses by labels with -l %j', async (selector, names) => {
    const { kubectl } = await filled();
    const { stdout } = await kubectl.run(['get', 'lease', '-l', selector, '-o', 'name']);
    expect(stdout).toBe(names.map((name) => `lease.coordination.k8s.io/${name}\n`).join(''));
  });

  test('chooses by fields with --field-selector', async () => {
    const { kubectl, namespace } = await filled();
    const names = (selector: string): Promise<string> =>
      kubectl.print('get', 'lease', '--field-selector', selector, '-o', 'jsonpath={.items[*].metadata.name}');
    expect(await names('metadata.name=beta')).toBe('beta');
    expect(await names('metadata.name!=beta')).toBe('alpha gamma');
    expect(await names(`metadata.namespace=${namespace},metadata.name=gamma`)).toBe('gamma');
    expect(await names('metadata.name=none')).toBe('');
    expect(await kubectl.refused('get', 'lease', '--field-selector', 'spec.holderIdentity=mia')).toBe(
      'Error from server (BadRequest): Unable to find "coordination.k8s.io/v1, Resource=leases" that match label selector "", ' +
        'field selector "spec.holderIdentity=mia": "spec.holderIdentity" is not a known field selector: ' +
        'only "metadata.name", "metadata.namespace"\n',
    );
  });

  test('sorts with --sort-by', async () => {
    const { kubectl } = await filled();
    expect(await kubectl.print('get', 'lease', '--sort-by', '.spec.holderIdentity')).toBe(table`
NAME    HOLDER     AGE
alpha   mia        0s
gamma   worker-1   0s
beta    zoe        0s
`);
    const names = await kubectl.print('get', 'lease', '--sort-by', '{.metadata.resourceVersion}', '-o', 'name');
    expect(names.replaceAll('lease.coordination.k8s.io/', '')).toBe('beta\nalpha\ngamma\n');
  });

  test('fetches pages with --chunk-size, which read like one list', async () => {
    const { kubectl } = await filled();
    const { stdout, stderr } = await kubectl.run(['get', 'lease', '--chunk-size', '2', '-o', 'name', '-v', '6']);
    expect(stdout.replaceAll('lease.coordination.k8s.io/', '')).toBe('alpha\nbeta\ngamma\n');
    expect(stderr.match(/leases\?\S*limit=2/g)).toHaveLength(2);
    expect(stderr.match(/leases\?continue=/g)).toHaveLength(1);
  });
});

/** A table as kubectl prints it, from a template that begins on a line of its own. */
function table(text: TemplateStringsArray): string {
  return text.join('').slice(1);
}
