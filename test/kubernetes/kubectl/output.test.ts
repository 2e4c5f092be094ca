import { beforeAll, describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { anonymous, type Kubectl } from './kubectl.js';
import { useServer } from './served.js';

const exampleFoo = `apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  annotations:
    leasehold.dev/state: HELD
    leasehold.dev/token: <token>
    why: because
  creationTimestamp: <time>
  labels:
    team: a
  name: example-foo
  namespace: NAMESPACE
  resourceVersion: <varies>
  uid: <varies>
spec:
  holderIdentity: my-leader-instance
  leaseDurationSeconds: 3600
  renewTime: "2023-12-02T10:00:00.000000Z"
`;

describe.skipIf(missing(program))('kubectl prints', () => {
  const served = useServer();
  let kubectl: Kubectl;
  let namespace: string;

  beforeAll(async () => {
    ({ kubectl, namespace } = served.room());
    await kubectl.write(
      'foo.yaml',
      `apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: example-foo
  labels: { team: a }
  annotations: { why: because }
spec:
  holderIdentity: my-leader-instance
  leaseDurationSeconds: 3600
  renewTime: "2023-12-02T10:00:00Z"
`,
    );
    await kubectl.print('create', '-f', 'foo.yaml');
    await served.client.acquire('jobs', { namespace, durationMs: 3_600_000, labels: { team: 'b' }, annotations: { of: 'ours' } });
  });

  test('a lease in YAML', async () => {
    const printed = await kubectl.print('get', 'lease', 'example-foo', '-o', 'yaml');
    expect(anonymous(printed)).toBe(exampleFoo.replace('NAMESPACE', namespace));
  });

  test('a lease that is held over gRPC in YAML, times and all', async () => {
    const printed = await kubectl.print('get', 'lease', 'jobs', '-o', 'yaml', '--show-managed-fields');
    const { fencingToken } = await served.client.get('jobs', { namespace });
    expect(printed).toContain(`leasehold.dev/token: "${fencingToken}"\n`);
    expect(printed).toContain(`resourceVersion: "${fencingToken}"\n`);
    expect(printed).toMatch(/renewTime: "[\d-]+T[\d:]+\.\d{6}Z"/);
    expect(anonymous(printed)).toBe(`apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  annotations:
    leasehold.dev/state: HELD
    leasehold.dev/token: <token>
    of: ours
  creationTimestamp: <time>
  labels:
    team: b
  managedFields:
  - apiVersion: coordination.k8s.io/v1
    fieldsType: FieldsV1
    fieldsV1:
      f:metadata:
        f:annotations:
          .: {}
          f:of: {}
        f:labels:
          .: {}
          f:team: {}
      f:spec:
        f:acquireTime: {}
        f:holderIdentity: {}
        f:leaseDurationSeconds: {}
        f:leaseTransitions: {}
        f:renewTime: {}
    manager: leasehold
    operation: Update
    time: <time>
  name: jobs
  namespace: ${namespace}
  resourceVersion: <varies>
  uid: <varies>
spec:
  acquireTime: <time>
  holderIdentity: worker-1
  leaseDurationSeconds: 3600
  leaseTransitions: 0
  renewTime: <time>
`);
  });

  test('a lease in JSON', async () => {
    const printed = await kubectl.print('get', 'lease', 'example-foo', '-o', 'json');
    expect(anonymous(printed)).toBe(`{
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {
        "annotations": {
            "leasehold.dev/state": "HELD",
            "leasehold.dev/token": <token>,
            "why": "because"
        },
        "creationTimestamp": <time>,
        "labels": {
            "team": "a"
        },
        "name": "example-foo",
        "namespace": "${namespace}",
        "resourceVersion": <varies>,
        "uid": <varies>
    },
    "spec": {
        "holderIdentity": "my-leader-instance",
        "leaseDurationSeconds": 3600,
        "renewTime": "2023-12-02T10:00:00.000000Z"
    }
}
`);
  });

  test('a list in YAML and JSON', async () => {
    const list = await kubectl.print('get', 'lease', '-l', 'team=a', '-o', 'yaml');
    const item = exampleFoo.replace('NAMESPACE', namespace).trimEnd().replaceAll('\n', '\n  ');
    expect(anonymous(list)).toBe(`apiVersion: v1\nitems:\n- ${item}\nkind: List\nmetadata:\n  resourceVersion: ""\n`);
    const { items } = JSON.parse(await kubectl.print('get', 'lease', '-o', 'json')) as { items: object[] };
    expect(items).toMatchObject([{ metadata: { name: 'example-foo' } }, { metadata: { name: 'jobs' } }]);
  });

  test('what a template asks for', async () => {
    const get = (...args: string[]): Promise<string> => kubectl.print('get', 'lease', ...args);
    expect(await get('example-foo', '-o', 'jsonpath={.spec.holderIdentity}')).toBe('my-leader-instance');
    expect(await get('-o', 'jsonpath={range .items[*]}{.metadata.name}={.spec.holderIdentity}{"\\n"}{end}')).toBe(
      'example-foo=my-leader-instance\njobs=worker-1\n',
    );
    expect(await get('-o', 'jsonpath={.items[?(@.spec.holderIdentity=="worker-1")].metadata.name}')).toBe('jobs');
    expect(await get('jobs', '-o', 'jsonpath={.metadata.annotations.leasehold\\.dev/state}')).toBe('HELD');
    expect(await get('-o', 'go-template={{range .items}}{{.spec.leaseDurationSeconds}} {{end}}')).toBe('3600 3600 ');
    expect(await get('-o', 'name')).toBe('lease.coordination.k8s.io/example-foo\nlease.coordination.k8s.io/jobs\n');
    expect(
      await get('-o', 'custom-columns=LEASE:.metadata.name,BY:.spec.holderIdentity,RENEWED:.spec.renewTime', '-l', 'team=a'),
    ).toBe(`LEASE         BY                   RENEWED\nexample-foo   my-leader-instance   2023-12-02T10:00:00.000000Z\n`);
  });

  test('tables with more columns and with fewer', async () => {
    const get = (...args: string[]): Promise<string> => kubectl.print('get', 'lease', ...args);
    expect(await get('-o', 'wide')).toBe(
      'NAME          HOLDER               AGE\nexample-foo   my-leader-instance   0s\njobs          worker-1             0s\n',
    );
    expect((await get('--show-labels')).replace(/\d+s /g, '0s ')).toBe(
      'NAME          HOLDER               AGE   LABELS\n' +
        'example-foo   my-leader-instance   0s    team=a\n' +
        'jobs          worker-1             0s    team=b\n',
    );
    expect((await get('-L', 'team', '--no-headers')).replace(/\d+s /g, '0s ')).toBe(
      'example-foo   my-leader-instance   0s    a\njobs          worker-1             0s    b\n',
    );
    expect(await get('--show-kind', 'jobs')).toBe(
      'NAME                             HOLDER     AGE\nlease.coordination.k8s.io/jobs   worker-1   0s\n',
    );
  });

  test('a description, with the events that there are not', async () => {
    expect(anonymous(await kubectl.print('describe', 'lease', 'example-foo'))).toBe(`Name:         example-foo
Namespace:    ${namespace}
Labels:       team=a
Annotations:  leasehold.dev/state: HELD
              leasehold.dev/token: <token>
              why: because
API Version:  coordination.k8s.io/v1
Kind:         Lease
Metadata:
  Creation Timestamp:  <time>
  Resource Version:    <varies>
  UID:                 <varies>
Spec:
  Holder Identity:         my-leader-instance
  Lease Duration Seconds:  3600
  Renew Time:              2023-12-02T10:00:00.000000Z
Events:                    <none>
`);
    const all = await kubectl.print('describe', 'leases', '--show-events=false');
    expect(all.match(/^(Name|  Holder Identity): +\S+$/gm)?.map((line) => line.split(/ {2,}/).at(-1))).toEqual([
      ...['example-foo', 'my-leader-instance', 'jobs', 'worker-1'],
    ]);
    expect(await kubectl.print('describe', 'lease', 'example')).toContain('Name:         example-foo\n');
    expect(await kubectl.refused('describe', 'lease', 'none')).toBe(
      'Error from server (NotFound): leases.coordination.k8s.io "none" not found\n',
    );
  });
});
