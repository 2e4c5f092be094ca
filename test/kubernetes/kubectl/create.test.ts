import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

describe.skipIf(missing(program))('kubectl create', () => {
  const served = useServer();

  test('creates what a file describes, once', async () => {
    const { kubectl, namespace } = served.room();
    await kubectl.write('a.yaml', lease('a', 'mia', { renewTime: '2023-12-02T10:00:00Z' }));
    expect(await kubectl.print('create', '-f', 'a.yaml')).toBe('lease.coordination.k8s.io/a created\n');
    expect(await kubectl.refused('create', '-f', 'a.yaml')).toBe(
      'Error from server (AlreadyExists): error when creating "a.yaml": leases.coordination.k8s.io "a" already exists\n',
    );
    expect((await kubectl.object('a')).spec).toEqual({
      holderIdentity: 'mia',
      leaseDurationSeconds: 3600,
      renewTime: '2023-12-02T10:00:00.000000Z',
    });
    expect(await served.client.get('a', { namespace })).toMatchObject({ state: 'HELD', holder: 'mia', durationMs: 3_600_000 });
  });

  test('creates several leases, of several files in YAML and JSON', async () => {
    const { kubectl } = served.room();
    const json = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'j', labels: { team: 'a' } } };
    await kubectl.write('all/one.yaml', [lease('y1', 'mia'), lease('y2', 'zoe')].join('---\n'));
    await kubectl.write('all/two.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [json] }));
    expect(await kubectl.print('create', '-f', 'all')).toBe(
      ['y1', 'y2', 'j'].map((name) => `lease.coordination.k8s.io/${name} created\n`).join(''),
    );
  });

  test('prints what it has created, under a generated name', async () => {
    const { kubectl } = served.room();
    await kubectl.write('generated.yaml', lease('x', 'mia').replace('name: x', 'generateName: worker-'));
    const name = await kubectl.print('create', '-f', 'generated.yaml', '-o', 'name');
    expect(name).toMatch(/^lease\.coordination\.k8s\.io\/worker-[a-z0-9]{5}\n$/);
    expect(await kubectl.print('get', 'lease', '-o', 'name')).toBe(name);
  });

  test('creates nothing in a dry run', async () => {
    const { kubectl } = served.room();
    await kubectl.write('dry.yaml', lease('dry', 'mia'));
    expect(await kubectl.print('create', '-f', 'dry.yaml', '--dry-run=server')).toBe(
      'lease.coordination.k8s.io/dry created (server dry run)\n',
    );
    const kept = await kubectl.print('create', '-f', 'dry.yaml', '--dry-run=server', '-o', 'jsonpath={.metadata.uid}');
    expect(kept).toMatch(/^[0-9a-f-]{36}$/);
    expect((await kubectl.run(['get', 'lease'])).stdout).toBe('');
  });

  test.each([
    [
      'a field that there is not',
      lease('bad', 'mia').replace('spec:', 'spec:\n  holder: mia'),
      'Error from server (BadRequest): error when creating "bad.yaml": Lease in version "v1" cannot be handled as a Lease: ' +
        'strict decoding error: unknown field "spec.holder"\n',
    ],
    [
      'a value of the wrong type',
      lease('bad', 'mia').replace('3600', '"long"'),
      'Error from server (BadRequest): error when creating "bad.yaml": Lease in version "v1" cannot be handled as a Lease: ' +
        'json: cannot unmarshal string into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32\n',
    ],
    [
      'values that make no sense',
      lease('Bad', 'mia').replace('3600', '0'),
      'The Lease "Bad" is invalid: \n' +
        '* metadata.name: Invalid value: "Bad": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, ' +
        `'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is ` +
        `'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n` +
        '* spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0\n',
    ],
    [
      'another version of the group',
      lease('bad', 'mia').replace('/v1', '/v2'),
      'error: resource mapping not found for name: "bad" namespace: "" from "bad.yaml": no matches for kind "Lease" in version ' +
        '"coordination.k8s.io/v2"\nensure CRDs are installed first\n',
    ],
  ])('is told of %s', async (_what, yaml, message) => {
    const { kubectl } = served.room();
    await kubectl.write('bad.yaml', yaml);
    expect(await kubectl.refused('create', '-f', 'bad.yaml')).toBe(message);
  });

  test('is warned of a field that there is not, where it asks for that', async () => {
    const { kubectl } = served.room();
    await kubectl.write('warned.yaml', lease('warned', 'mia').replace('spec:', 'spec:\n  holder: mia'));
    expect(await kubectl.run(['create', '-f', 'warned.yaml', '--validate=warn'])).toEqual({
      code: 0,
      stdout: 'lease.coordination.k8s.io/warned created\n',
      stderr: 'Warning: unknown field "spec.holder"\n',
    });
    await kubectl.write('ignored.yaml', lease('ignored', 'mia').replace('spec:', 'spec:\n  holder: mia'));
    expect(await kubectl.print('create', '-f', 'ignored.yaml', '--validate=false')).toContain('ignored created');
  });
});
