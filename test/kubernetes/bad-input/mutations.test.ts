import { describe, expect, test } from 'vitest';
import { sealEnvelope } from '../../../server/dist/kubernetes/codec/envelope.js';
import { leaseKind } from '../../../server/dist/kubernetes/codec/kinds.js';
import { writeMessage } from '../../../server/dist/kubernetes/codec/protobuf.js';
import { Chance } from '../../support/chance.js';
import { bytesOf, Mutator, type Request } from './mutations.js';
import {
  apply,
  json,
  jsonPatch,
  leaseOf,
  leases,
  merge,
  one,
  protobuf,
  strategic,
  tellsMemory,
  Victim,
  yaml,
} from './support.js';

/** Requests that are nearly right, by the thousand: `REQUESTS=100000 SEED=7 npx vitest run test/kubernetes/bad-input/mutations.test.ts`. */
const { REQUESTS = '3000', SEED } = process.env;
const requests = Number(REQUESTS);
const seed = Number(SEED ?? Math.floor(Math.random() * 2 ** 32));

const victim = Victim.ofThisFile();

const spec = { holderIdentity: 'h', leaseDurationSeconds: 10, leaseTransitions: 1, renewTime: '2026-01-01T00:00:00.000001Z' };
const metadata = {
  ...{ name: 'one', labels: { a: 'b', 'c.d/e': 'f' }, annotations: { note: 'x' }, finalizers: ['x.y/z'] },
  ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }],
  managedFields: [
    {
      manager: 'm',
      operation: 'Update',
      apiVersion: 'coordination.k8s.io/v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:holderIdentity': {} } },
    },
  ],
};
const version = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
const inYaml =
  'apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata:\n  name: one\n  labels: {a: b}\n  finalizers:\n  - x.y/z\nspec: &s\n  holderIdentity: "h"\n  leaseDurationSeconds: 10\n';

function request(method: string, path: string, headers: Record<string, string> = {}, body: string | Uint8Array = ''): Request {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return { line: `${method} ${path} HTTP/1.1`, headers: lines.join('\r\n'), body: Buffer.from(body) };
}

const right: readonly Request[] = [
  request('POST', leases, json, leaseOf(metadata, spec)),
  request('POST', `${leases}?fieldValidation=Strict&dryRun=All&fieldManager=me`, json, leaseOf(metadata, spec)),
  request('POST', leases, yaml, inYaml),
  request(
    'POST',
    leases,
    protobuf,
    sealEnvelope({ ...version, raw: writeMessage(leaseKind.shape, { ...version, metadata, spec }) }),
  ),
  request('PUT', one, json, leaseOf({ ...metadata, resourceVersion: '1' }, spec)),
  request('PUT', `${leases}/two`, json, leaseOf({ name: 'two' }, spec)),
  request('PATCH', one, merge, JSON.stringify({ metadata: { labels: { a: 'c' } }, spec: { holderIdentity: 'x' } })),
  request(
    'PATCH',
    one,
    jsonPatch,
    '[{"op":"test","path":"/metadata/name","value":"one"},{"op":"copy","from":"/metadata/name","path":"/metadata/labels/x"},{"op":"add","path":"/metadata/finalizers/-","value":"a.b/c"}]',
  ),
  request(
    'PATCH',
    one,
    strategic,
    JSON.stringify({
      metadata: {
        '$setElementOrder/finalizers': ['x.y/z', 'a.b/c'],
        finalizers: ['a.b/c'],
        ownerReferences: [{ $patch: 'delete', uid: 'u' }],
      },
    }),
  ),
  request('PATCH', `${one}?fieldManager=me&force=true`, apply, inYaml),
  request(
    'DELETE',
    one,
    json,
    JSON.stringify({
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      preconditions: { uid: 'x' },
      propagationPolicy: 'Background',
      gracePeriodSeconds: 0,
    }),
  ),
  request('DELETE', `${leases}?labelSelector=a%3Db&limit=10`),
  request(
    'GET',
    `${leases}?labelSelector=a%20in%20(b,c),!d,e!%3Df&fieldSelector=metadata.name%3Done&limit=5&resourceVersion=0&resourceVersionMatch=NotOlderThan`,
  ),
  request('GET', `${leases}?limit=1&continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":-1,"start":"a"}').toString('base64url')}`),
  request(
    'GET',
    `${leases}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`,
  ),
  request('GET', leases, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io;q=0.9,application/yaml;q=0.5,*/*;q=0.1',
    'user-agent': 'kubectl/v1.32',
  }),
  request('GET', one, { accept: 'application/vnd.kubernetes.protobuf' }),
  request('GET', `${leases}?watch=1`, {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }),
  request('GET', '/api/v1/namespaces/default'),
  request('GET', '/openapi/v3/apis/coordination.k8s.io/v1', { 'if-none-match': '"x"' }),
  request(
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    json,
    '{"spec":{"resourceAttributes":{"verb":"get","resource":"leases","namespace":"x"}}}',
  ),
];

describe('a request that is nearly right', () => {
  test('is right but for what is wrong with it', async () => {
    // Else the test above would tell of nothing but bad lines.
    for (const each of right) {
      const { code } = judge(await sent(bytesOf(each)));
      expect(['101', '200', '201', '404', '409'], each.line).toContain(code);
    }
  });

  test(`is answered, and never by a fault of the server, ${requests} times (SEED=${seed})`, async () => {
    const mutator = new Mutator(new Chance(seed));
    const spoilt = Array.from({ length: requests }, (_, index) => mutator.spoil(right[index % right.length]!));
    const codes = new Map<string, number>();
    const next = spoilt.values();
    const worker = async (): Promise<void> => {
      for (const bytes of next) {
        const answer = await sent(bytes);
        const { code, isDocumented } = judge(answer);
        expect(isDocumented, `SEED=${seed}: ${JSON.stringify(bytes.toString('latin1'))} was answered ${answer}`).toBe(true);
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    // What comes of it is of all kinds, and not all the same.
    expect([...codes.keys()]).toEqual(expect.arrayContaining(['200', '400', '404', '409', '415', '422']));
    await victim.ask({ method: 'PATCH', path: one, headers: merge, body: '{"metadata":{"finalizers":null}}' });
    await victim.expectAlive();
    if (tellsMemory) expect(await victim.residentMiB()).toBeLessThan(1000);
  }, 300_000);
});

/** The status and the body of what is answered, as far as it comes at once. A client that has sent all closes its side. */
async function sent(bytes: Buffer): Promise<string> {
  let text = '';
  const socket = victim.connect();
  const over = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      // What goes on, or stays open, is answered by its headers.
      if (/^HTTP\/1\.1 (101|[2345]\d\d) [^]*\r\n\r\n/.test(text) && !text.startsWith('HTTP/1.1 5')) resolve();
    });
  });
  socket.end(bytes);
  await over;
  socket.destroy();
  return text;
}

/** Whether an answer is one that kube-apiserver gives: some of what it refuses is 500, in so many words; 504 is a version of the future. */
function judge(answer: string): { code: string; isDocumented: boolean } {
  const code = /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 (\d+) /.exec(answer)?.[1];
  // A connection of which nothing can be made is closed.
  if (code === undefined) return { code: 'closed', isDocumented: answer === '' };
  if (!code.startsWith('5')) return { code, isDocumented: true };
  const isStatus = answer.includes('"kind":"Status"') && answer.includes(`"code":${code}`);
  return { code, isDocumented: isStatus && (code === '504' || (code === '500' && !answer.includes('InternalError'))) };
}
