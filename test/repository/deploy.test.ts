import { readFileSync } from 'node:fs';
import { parseOptions, type ServerOptions } from '@leasehold/server';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const compose = read('deploy/compose.yaml');
const replicas = read('deploy/kubernetes/leasehold.yaml');
const members = read('deploy/kubernetes/etcd.yaml');

describe.each([
  ['deploy/compose.yaml', compose, ['etcd-1', 'etcd-2', 'etcd-3']],
  ['deploy/kubernetes/leasehold.yaml', replicas, ['etcd-0.etcd', 'etcd-1.etcd', 'etcd-2.etcd']],
])('%s', (_, text, etcd) => {
  it('starts replicas with options that the server takes, on every member of etcd and the ports of the image', () => {
    const { store, listen, httpListen } = optionsIn(text);
    expect(store).toEqual({ kind: 'etcd', endpoints: etcd.map((name) => `http://${name}:2379`) });
    expect([listen.port, httpListen?.port]).toEqual(/^EXPOSE (\d+) (\d+)$/m.exec(read('Dockerfile'))?.slice(1).map(Number));
  });

  it('has each member of etcd know all others by the names that the replicas use', () => {
    const clusters = [...(text + members).matchAll(/(?:initial-cluster=|INITIAL_CLUSTER: )(\S+)/g)].map(
      ([, cluster = '']) => cluster,
    );
    const cluster = etcd.map((name) => `${name.split('.')[0] ?? ''}=http://${name}:2380`).join(',');
    expect(clusters).toContain(cluster);
  });
});

describe('the manifests for etcd', () => {
  it('name the version that is built for the tests', () => {
    const [, built = ''] = /go\.etcd\.io\/etcd\/server\/v3 (v\S+)/.exec(read('bench/etcd/go.mod')) ?? [];
    const named = [...(compose + members).matchAll(/etcd-development\/etcd:(v\S+)/g)].map(([, version]) => version);
    expect(named).toEqual([built, built]);
  });
});

/** The options that a replica is started with. */
function optionsIn(text: string): ServerOptions {
  const flags = [...text.matchAll(/^ +- (--\S+)$/gm)].map(([, flag = '']) => flag);
  const request = parseOptions(flags, {});
  if (request.kind !== 'serve') throw new Error('asked for help');
  return request.options;
}
