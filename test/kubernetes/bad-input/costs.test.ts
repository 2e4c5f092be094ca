import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
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
  type Sent,
} from './support.js';

/**
 * Bodies that are made to cost much: each is as large as a body may be, and is to keep everybody else waiting no longer than such a body
 * has to, and to take no memory that is not given back.
 */
const victim = Victim.ofThisFile();
const MiB = 1024 ** 2;

/** What such a body takes is about one second. What made it take minutes before is what this tells. */
const secondsMax = 6;
const residentMiBMax = 1500;

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
const post = (headers: Record<string, string>, body: string | Uint8Array): Sent => ({
  method: 'POST',
  path: leases,
  headers,
  body,
});
const patch = (headers: Record<string, string>, body: unknown, query = ''): Sent => ({
  ...{ method: 'PATCH', path: `${one}${query}`, headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const owner = (index: number, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'a',
  name: 'b',
  uid: `u${index}`,
  ...more,
});
const finalizers = (count: number, prefix: string): string[] => many(count, (index) => `${prefix}/${index.toString(36)}`);
const applied = (text: string): string => `apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata:\n  name: one\n${text}`;
const fieldsV1 = (names: string[]): object => ({
  ...{ manager: 'm', operation: 'Update', apiVersion: 'coordination.k8s.io/v1', fieldsType: 'FieldsV1' },
  fieldsV1: { 'f:metadata': { 'f:labels': Object.fromEntries(names.map((name) => [name, {}])) } },
});

beforeEach(async () => {
  await victim.ask(post(json, leaseOf({ name: 'one', finalizers: ['x.y/z'], labels: { a: 'b' } })));
});

describe('a body', () => {
  test.each<[string, Sent, number]>([
    [
      'of 250,000 bad labels',
      post(json, leaseOf({ labels: Object.fromEntries(many(250_000, (index) => [`!${index.toString(36)}`, ''])) })),
      413,
    ],
    ['of 9,000 bad labels', post(json, leaseOf({ labels: Object.fromEntries(many(9_000, (index) => [`!${index}`, ''])) })), 422],
    [
      'of 200,000 good labels',
      post(json, leaseOf({ labels: Object.fromEntries(many(200_000, (index) => [`l${index}`, ''])) })),
      413,
    ],
    ['of 40,000 owners', post(json, leaseOf({ ownerReferences: many(40_000, (index) => owner(index)) })), 413],
    [
      'of 40,000 owners of one uid',
      post(json, leaseOf({ ownerReferences: many(40_000, (index) => owner(0, { name: `n${index}` })) })),
      413,
    ],
    [
      'of 5,000 owners who all control it',
      post(json, leaseOf({ ownerReferences: many(5_000, (index) => owner(index, { controller: true })) })),
      422,
    ],
    ['of 100,000 finalizers', post(json, leaseOf({ finalizers: finalizers(100_000, 'a.b') })), 413],
    [
      'of 20,000 managers',
      post(
        json,
        leaseOf({
          managedFields: many(20_000, (index) => ({
            manager: `m${index}`,
            operation: 'Update',
            fieldsType: 'FieldsV1',
            apiVersion: 'v1',
          })),
        }),
      ),
      413,
    ],
    [
      'of a manager of 200,000 fields',
      post(json, leaseOf({ name: 'fields', managedFields: [fieldsV1(many(200_000, (index) => `f:${index}`))] })),
      201,
    ],
    ['of 250,000 unknown fields', post(json, `{${many(250_000, (index) => `"u${index}":1`).join(',')}}`), 422],
    ['of one field 400,000 times', post(json, `{${'"kind":"",'.repeat(300_000)}"kind":"Lease"}`), 422],
    ['of a name in 500,000 control characters', post(json, leaseOf({ name: '\u0001'.repeat(500_000) })), 422],
    [
      'of an owner twice, 10,000 times',
      post(json, leaseOf({ name: 'twice', ownerReferences: many(10_000, () => owner(0)) })),
      201,
    ],
    [
      'of a number of 3 million digits in YAML',
      post(yaml, `metadata: {name: x}\nspec: {leaseDurationSeconds: ${'9'.repeat(3 * MiB - 100)}}`),
      400,
    ],
    ['of a million lines of one text in YAML', post(yaml, `a: |\n${' b\n'.repeat(MiB - 10)}`), 422],
    ['of a million lines in quotes in YAML', post(yaml, `a: "${'b\n '.repeat(MiB - 10)}"`), 422],
    [
      'of 1.5 million empty messages in protobuf',
      post(protobuf, Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(3 * MiB - 4, Buffer.from([0x12, 0x00]))])),
      422,
    ],
    [
      'of 300,000 options of a deletion',
      { method: 'DELETE', path: one, headers: json, body: JSON.stringify({ dryRun: many(300_000, (index) => `x${index}`) }) },
      422,
    ],
  ])('%s', (_, sent, code) => expectCheap(sent, code), 60_000);
});

describe('a patch', () => {
  const long = 'n'.repeat(1_400_000);
  const deepest = `${'{"a":'.repeat(900)}1${'}'.repeat(900)}`;

  test.each<[string, Sent, number]>([
    [
      'of 200,000 labels',
      patch(merge, { metadata: { labels: Object.fromEntries(many(200_000, (index) => [`l${index}`, ''])) } }),
      413,
    ],
    ['of 9,000 finalizers instead of others', patch(merge, { metadata: { finalizers: finalizers(9_000, 'c.d') } }), 200],
    ['of 100,000 finalizers to be merged', patch(strategic, { metadata: { finalizers: finalizers(100_000, 'a.c') } }), 413],
    [
      'of 50,000 finalizers in an order',
      patch(strategic, {
        metadata: { finalizers: finalizers(50_000, 'a.c'), '$setElementOrder/finalizers': finalizers(50_000, 'a.c') },
      }),
      413,
    ],
    [
      'of 90,000 finalizers to be deleted',
      patch(strategic, { metadata: { '$deleteFromPrimitiveList/finalizers': finalizers(90_000, 'a.d') } }),
      200,
    ],
    [
      'of 60,000 owners to be deleted',
      patch(strategic, { metadata: { ownerReferences: many(60_000, (index) => ({ $patch: 'delete', uid: `u${index}` })) } }),
      200,
    ],
    [
      'of a long name over 200,000 fields that come twice',
      patch(merge, `{"${long}":{${many(200_000, () => '"a":1').join(',')}}}`),
      200,
    ],
    [
      'of a long name over 60,000 fields that come twice in fields that do',
      patch(merge, `{"${long}":{${many(60_000, () => '"x":{"a":1,"a":2}').join(',')}}}`),
      200,
    ],
    [
      'of 9,990 operations on a list of a million',
      patch(jsonPatch, [
        { op: 'add', path: '/x', value: many(1_000_000, () => 1) },
        ...many(9_990, () => ({ op: 'add', path: '/x/0', value: 1 })),
      ]),
      422,
    ],
    [
      'of 9,000 tests of a list of 900,000',
      patch(jsonPatch, [
        { op: 'add', path: '/x', value: many(900_000, () => 1) },
        ...many(9_000, () => ({ op: 'test', path: '/x', value: 1 })),
      ]),
      422,
    ],
    [
      'of 9,999 copies of everything',
      patch(jsonPatch, [
        { op: 'add', path: '/x', value: [] },
        ...many(9_999, () => ({ op: 'copy', from: '/metadata', path: '/x/-' })),
      ]),
      422,
    ],
    [
      'that nests as deep as it can',
      patch(
        jsonPatch,
        `[${many(35, (round) => `{"op":"add","path":"/x${'/a'.repeat(900 * round)}","value":${deepest}}`).join(',')}]`,
      ),
      422,
    ],
    [
      'that applies gigabytes of aliases',
      patch(
        apply,
        applied(`x: &a "${'t'.repeat(1_500_000)}"\nspec:\n  holderIdentity: [${'*a,'.repeat(5000)}1]\n`),
        '?fieldManager=m&force=1',
      ),
      400,
    ],
    [
      'that applies 10,000 finalizers',
      patch(
        apply,
        applied(
          `  finalizers:\n${finalizers(10_000, 'e.f')
            .map((each) => `  - ${each}\n`)
            .join('')}`,
        ),
        '?fieldManager=m',
      ),
      400,
    ],
  ])('%s', (_, sent, code) => expectCheap(sent, code), 60_000);
});

async function expectCheap(sent: Sent, code: number): Promise<void> {
  const before = await cpuSeconds();
  const answer = await victim.ask(sent);
  expect({ code: answer.code, text: answer.text.slice(0, 300) }).toMatchObject({ code });
  expect((await cpuSeconds()) - before).toBeLessThan(secondsMax);
  // No answer is much longer than what was sent.
  expect(answer.text.length).toBeLessThan(30 * MiB);
  if (tellsMemory) expect(await victim.residentMiB()).toBeLessThan(residentMiBMax);
  await victim.ask({ method: 'PATCH', path: one, headers: merge, body: '{"metadata":{"finalizers":null}}' });
  await victim.ask({ method: 'DELETE', path: leases });
  await victim.expectAlive();
}

/** How long the server has been computing, all in all. Other programs on a busy machine do not count. */
async function cpuSeconds(): Promise<number> {
  if (!tellsMemory) return performance.now() / 1000;
  const stat = await readFile(`/proc/${victim.server.pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}
