import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { anonymous } from './kubectl.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

/** What articles about the leases of Kubernetes tell their readers to type, to the letter, and what they say is printed then. */

describe.skipIf(missing(program))('as articles have it,', () => {
  const served = useServer();

  test('the identities of API servers are found by their label', async () => {
    await served.kubectl.write('identities.yaml', identities.join('---\n'));
    await served.kubectl.print('create', '-f', 'identities.yaml');
    const command = 'kubectl -n kube-system get lease -l apiserver.kubernetes.io/identity=kube-apiserver';
    expect(await typed(command)).toBe(`\
NAME                                   HOLDER                                                                      AGE
apiserver-07a5ea9b9b072c4a5f3d1c3702   apiserver-07a5ea9b9b072c4a5f3d1c3702_0c8914f7-0f35-440e-8676-7844977d3a05   0s
apiserver-1dfef752bcb36637d2763d1868   apiserver-1dfef752bcb36637d2763d1868_c5ffa286-8a9a-45d4-91e7-61118ed58d2e   0s
apiserver-7be9e061c59d368b3ddaf1376e   apiserver-7be9e061c59d368b3ddaf1376e_84f2a85d-37c1-4b14-b6b9-603e62e4896f   0s
`);
    await typed('kubectl -n kube-system delete lease --all');
  });

  test('a lease as it was printed of another server is taken, and printed in the same way', async () => {
    const printed = await fixture('api-server-identity.yaml');
    await served.kubectl.write('identity.yaml', printed);
    expect(await typed('kubectl create -f identity.yaml')).toContain('/apiserver-07a5ea9b9b072c4a5f3d1c3702 created\n');
    const got = await typed('kubectl -n kube-system get lease apiserver-07a5ea9b9b072c4a5f3d1c3702 -o yaml');
    const own = /  annotations:\n    leasehold\.dev\/state: HELD\n    leasehold\.dev\/token: "\d+"\n/;
    expect(got).toMatch(own);
    const withoutTimes = (yaml: string): string => anonymous(yaml.replace(/(creationTimestamp: ).*/, '$1<time>'));
    expect(withoutTimes(got.replace(own, ''))).toBe(withoutTimes(printed));
  });

  test('the leases of nodes are listed, and one of them is read', async () => {
    const nodes = ['104-121', '69-101', '79-205'].map((host) => `ip-10-29-${host}.ap-northeast-2.compute.internal`);
    const [first = '', second = '', third = ''] = nodes;
    await served.kubectl.write('nodes.yaml', [first, second].map((node) => lease(node, node, { duration: 40 })).join('---\n'));
    await served.kubectl.print('create', '-n', 'kube-node-lease', '-f', 'nodes.yaml');
    // A node whose agent speaks gRPC stands beside the others.
    await served.client.acquire(third, { namespace: 'kube-node-lease', holder: third, durationMs: 40_000 });
    const table = `\
NAME                                               HOLDER                                             AGE
ip-10-29-104-121.ap-northeast-2.compute.internal   ip-10-29-104-121.ap-northeast-2.compute.internal   0s
ip-10-29-69-101.ap-northeast-2.compute.internal    ip-10-29-69-101.ap-northeast-2.compute.internal    0s
ip-10-29-79-205.ap-northeast-2.compute.internal    ip-10-29-79-205.ap-northeast-2.compute.internal    0s
`;
    expect(await typed('kubectl get lease -n kube-node-lease')).toBe(table);
    const one = await typed(`kubectl -n kube-node-lease get lease ${third}`);
    expect(one.split('\n')[1]?.split(/ {2,}/)).toEqual([third, `${third} 0s`].flatMap((cell) => cell.split(' ')));
  });

  test('a lease of one’s own is created', async () => {
    await served.kubectl.write('foo.yaml', await fixture('example-foo.yaml'));
    expect(await typed('kubectl create -f foo.yaml')).toBe('lease.coordination.k8s.io/example-foo created\n');
    expect(await served.client.get('example-foo', { namespace: 'default' })).toMatchObject({
      ...{ state: 'HELD', holder: 'my-leader-instance', durationMs: 30_000 },
    });
    expect((await served.kubectl.object('example-foo')).spec.renewTime).toBe('2023-12-02T10:00:00.000000Z');
    expect(await typed('kubectl replace -f foo.yaml')).toBe('lease.coordination.k8s.io/example-foo replaced\n');
    expect(await typed('kubectl diff -f foo.yaml')).toBe('');
    await typed('kubectl delete -f foo.yaml');
  });

  test('a lease of one’s own is applied, over and over', async () => {
    await served.kubectl.write('foo.yaml', await fixture('example-foo.yaml'));
    expect(await typed('kubectl apply -f foo.yaml')).toBe('lease.coordination.k8s.io/example-foo created\n');
    const { metadata } = await served.kubectl.object('example-foo');
    // kubectl compares texts, and the time is kept with six digits more: it sends what changes nothing.
    expect(await typed('kubectl apply -f foo.yaml')).toBe('lease.coordination.k8s.io/example-foo configured\n');
    expect((await served.kubectl.object('example-foo')).metadata.resourceVersion).toBe(metadata.resourceVersion);
    const applied = 'lease.coordination.k8s.io/example-foo serverside-applied\n';
    expect(await typed('kubectl apply --server-side -f foo.yaml')).toBe(applied);
    expect(await typed('kubectl apply --server-side -f foo.yaml --field-manager=another')).toBe(applied);
    await typed('kubectl delete -f foo.yaml');
  });

  test('whoever elects a leader may do all that it needs to', async () => {
    for (const verb of ['get', 'watch', 'list', 'delete', 'update', 'create']) {
      expect(await typed(`kubectl auth can-i ${verb} leases.coordination.k8s.io -n default`)).toBe('yes\n');
    }
  });

  /** What a command prints that is typed as it stands. */
  function typed(command: string): Promise<string> {
    return served.kubectl.print(...command.split(' ').slice(1));
  }
});

const identities = [
  'apiserver-07a5ea9b9b072c4a5f3d1c3702_0c8914f7-0f35-440e-8676-7844977d3a05',
  'apiserver-7be9e061c59d368b3ddaf1376e_84f2a85d-37c1-4b14-b6b9-603e62e4896f',
  'apiserver-1dfef752bcb36637d2763d1868_c5ffa286-8a9a-45d4-91e7-61118ed58d2e',
].map((holder) => {
  const [name = ''] = holder.split('_');
  const manifest = lease(name, holder, { labels: { 'apiserver.kubernetes.io/identity': 'kube-apiserver' } });
  return manifest.replace(`name: ${name}`, `name: ${name}\n  namespace: kube-system`);
});

function fixture(name: string): Promise<string> {
  return readFile(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
}
