import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import type { Kubectl } from './kubectl.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

describe.skipIf(missing(program))('kubectl delete', () => {
  const served = useServer();

  /** A namespace with leases of both origins: `a` and `b` of team one, `c` of team two, and `jobs`, held over gRPC. */
  async function filled(): Promise<{ kubectl: Kubectl; namespace: string }> {
    const { kubectl, namespace } = served.room();
    const teams = { a: 'one', b: 'one', c: 'two' };
    const all = Object.entries(teams).map(([name, team]) => lease(name, 'mia', { labels: { team } }));
    await kubectl.write('all.yaml', all.join('---\n'));
    await kubectl.print('create', '-f', 'all.yaml');
    await served.client.acquire('jobs', { namespace, durationMs: 3_600_000, labels: { team: 'one' } });
    return { kubectl, namespace };
  }

  async function left(kubectl: Kubectl): Promise<string> {
    return kubectl.print('get', 'lease', '-o', 'jsonpath={.items[*].metadata.name}');
  }

  /** What is printed of deletions. Since 1.33 the namespace is named too. */
  function deleted(...names: string[]): RegExp {
    return new RegExp(
      `^${names.map((name) => `lease\\.coordination\\.k8s\\.io "${name}" deleted( from \\S+ namespace)?\n`).join('')}$`,
    );
  }

  test('deletes by name, once', async () => {
    const { kubectl } = await filled();
    expect(await kubectl.print('delete', 'lease', 'a', 'jobs')).toMatch(deleted('a', 'jobs'));
    expect(await left(kubectl)).toBe('b c');
    expect(await kubectl.refused('delete', 'lease', 'a')).toBe(
      'Error from server (NotFound): leases.coordination.k8s.io "a" not found\n',
    );
    expect(await kubectl.run(['delete', 'lease', 'a', '--ignore-not-found'])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('deletes by selector', async () => {
    const { kubectl } = await filled();
    expect(await kubectl.print('delete', 'lease', '-l', 'team=one')).toMatch(deleted('a', 'b', 'jobs'));
    expect(await left(kubectl)).toBe('c');
    expect((await kubectl.run(['delete', 'lease', '-l', 'team=one'])).stdout).toBe('No resources found\n');
  });

  test('deletes all of a namespace, and none of another', async () => {
    const { kubectl } = await filled();
    const other = await filled();
    expect(await kubectl.print('delete', 'lease', '--all')).toMatch(deleted('a', 'b', 'c', 'jobs'));
    expect(await left(kubectl)).toBe('');
    expect(await left(other.kubectl)).toBe('a b c jobs');
  });

  test('deletes what a file describes, in a dry run first', async () => {
    const { kubectl } = await filled();
    expect(await kubectl.print('delete', '-f', 'all.yaml', '--dry-run=server')).toContain('(server dry run)');
    expect(await left(kubectl)).toBe('a b c jobs');
    expect(await kubectl.print('delete', '-f', 'all.yaml', '--now')).toMatch(deleted('a', 'b', 'c'));
    expect(await left(kubectl)).toBe('jobs');
  });

  test('deletes all of a collection in one request', async () => {
    const { kubectl, namespace } = await filled();
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases?labelSelector=team%3Done`;
    await kubectl.print('delete', '--raw', path);
    expect(await left(kubectl)).toBe('c');
  });

  test('waits for finalizers, or does not', async () => {
    const { kubectl } = await filled();
    await kubectl.print('patch', 'lease', 'a', '--type=merge', '-p', '{"metadata":{"finalizers":["example.com/wait"]}}');
    expect(await kubectl.print('delete', 'lease', 'a', '--wait=false')).toMatch(deleted('a'));
    expect(await left(kubectl)).toBe('a b c jobs');
    const waiting = kubectl.start('wait', 'lease/a', '--for=delete', '--timeout=60s', '-v', '6');
    await waiting.watches();
    await kubectl.print('patch', 'lease', 'a', '--type=json', '-p', '[{"op":"remove","path":"/metadata/finalizers"}]');
    expect(await waiting.ended()).toMatchObject({ code: 0 });
    expect(await left(kubectl)).toBe('b c jobs');
  });
});
