import { describe, expect, test } from 'vitest';
import { sealEnvelope } from '../../../server/dist/kubernetes/codec/envelope.js';
import { leaseKind } from '../../../server/dist/kubernetes/codec/kinds.js';
import { writeMessage } from '../../../server/dist/kubernetes/codec/protobuf.js';
import { apply, json, jsonPatch, leaseOf, leases, merge, one, protobuf, strategic, Victim, yaml } from './support.js';

const victim = Victim.ofThisFile();
const post = (headers: Record<string, string>, body: string | Uint8Array, query = '') =>
  victim.ask({ method: 'POST', path: `${leases}${query}`, headers, body });

const deep = 10_001;
const MiB = 1024 ** 2;

/** Bytes in their order. */
const bytes = (...parts: (string | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1')));

describe('a body in JSON', () => {
  test.each<[string, string | Uint8Array, number]>([
    ['of nothing', '', 400],
    ['that ends early', '{"metadata":{"name":"x"', 400],
    ['with something behind it', '{"metadata":{"name":"x"}} x', 400],
    ['that is no object', '[]', 400],
    ['that is a text', '"x"', 400],
    ['that is a number', '1e999', 400],
    ['that is null, and so has no name', 'null', 422],
    ['with single quotes', "{'metadata':{}}", 400],
    ['with a comma too much', '{"metadata":{},}', 400],
    ['with a control character in a text', '{"metadata":{"name":"a\u0001"}}', 400],
    ['with a bad escape', '{"metadata":{"name":"\\x41"}}', 400],
    ['with half an escape', '{"metadata":{"name":"\\u12', 400],
    ['with a number that is none', '{"spec":{"leaseDurationSeconds":01}}', 400],
    ['with a bare word', '{"spec":{"leaseDurationSeconds":NaN}}', 400],
    ['behind a mark of byte order', '\ufeff{"metadata":{"name":"x"}}', 400],
    ['in UTF-16', Buffer.from('{"metadata":{"name":"x"}}', 'utf16le'), 400],
    [`in arrays ${deep} deep`, `{"x":${'['.repeat(deep)}${']'.repeat(deep)}}`, 400],
    [`in objects ${deep} deep`, `${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`, 400],
    ['that only opens', '['.repeat(3 * MiB), 400],
    ['whose metadata is a text', '{"metadata":"x"}', 400],
    ['whose name is a number', '{"metadata":{"name":1}}', 400],
    ['whose labels are a list', '{"metadata":{"labels":[]}}', 400],
    ['whose label is a number', '{"metadata":{"labels":{"a":1}}}', 400],
    ['whose finalizers are a text', '{"metadata":{"finalizers":"x"}}', 400],
    ['whose owner is a text', '{"metadata":{"ownerReferences":["x"]}}', 400],
    ['of another kind', '{"kind":"Pod","apiVersion":"v1"}', 400],
    ['of another version', '{"kind":"Lease","apiVersion":"coordination.k8s.io/v9"}', 400],
    ['of a version that is none', '{"kind":"Lease","apiVersion":"a/b/c"}', 400],
    ['whose kind is a number', '{"kind":1}', 400],
    ['without a name', '{}', 422],
    ['of a Pod in a list', '{"kind":"List","items":[]}', 400],
  ])('%s', async (_, body, code) => {
    expect(await post(json, body)).toMatchObject({ code, json: { kind: 'Status', code } });
    await victim.expectAlive();
  });

  test('whose texts are no UTF-8 has names that nobody could tell apart, and is 422', async () => {
    for (const holder of [bytes('\xff'), bytes('a\xc3('), bytes('\xed\xa0\x80'), '\\ud800', '\\udc00\\ud800']) {
      const body = Buffer.concat([
        Buffer.from('{"metadata":{"name":"x"},"spec":{"holderIdentity":"'),
        Buffer.from(holder),
        Buffer.from('"}}'),
      ]);
      expect((await post(json, body)).code).toBe(422);
    }
    await victim.expectAlive();
  });

  test('with a NUL in its holder is kept and shown as it is; a name cannot have one', async () => {
    const created = await post(json, leaseOf({ name: 'nul' }, { holderIdentity: 'a\0b' }));
    expect(created).toMatchObject({ code: 201, json: { spec: { holderIdentity: 'a\0b' } } });
    expect((await victim.ask({ path: `${leases}/nul` })).json).toMatchObject({ spec: { holderIdentity: 'a\0b' } });
    expect((await post(json, leaseOf({ name: 'a\0b' }))).code).toBe(422);
    expect((await post(json, leaseOf({ labels: { 'a\0': 'x' } }))).code).toBe(422);
    await victim.ask({ method: 'DELETE', path: `${leases}/nul` });
  });
});

describe('a body in YAML', () => {
  const bomb = (levels: number): string =>
    ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
      .concat(
        Array.from({ length: levels }, (_, level) => `a${level + 1}: &a${level + 1} [${`*a${level}, `.repeat(9)}*a${level}]`),
      )
      .join('\n');

  test.each<[string, string | Uint8Array, number]>([
    ['that opens and never closes', '{metadata: {name: x}', 400],
    ['with a tab before a key', 'metadata:\n\tname: x', 400],
    ['with keys that do not stand below each other', 'metadata:\n   name: x\n  labels: {}', 400],
    ['with an alias of nothing', 'metadata: *nothing', 400],
    ['with an alias of itself', 'metadata: &a {x: *a}', 400],
    ['whose aliases come to millions', bomb(9), 400],
    [
      'whose aliases of a long text come to gigabytes',
      `a: &a "${'t'.repeat(100_000)}"\nb: [${'*a, '.repeat(19)}*a]\nc: [${'*a, '.repeat(999)}*a]`,
      400,
    ],
    [
      'that merges what aliases stand for again and again',
      `a: &a {${Array.from({ length: 2000 }, (_, key) => `k${key}: 1`).join(', ')}}\nb: {${'<<: *a, '.repeat(2000)}c: 1}`,
      400,
    ],
    [`in lists ${deep} deep`, `metadata: ${'['.repeat(deep)}${']'.repeat(deep)}`, 400],
    [`in lists ${deep} deep by dashes`, `${'- '.repeat(deep)}x`, 400],
    ['of a text', 'hello', 400],
    ['that is no UTF-8', bytes('metadata: {name: "\xff"}'), 400],
    ['with a number that is none', 'metadata: {name: x}\nspec: {leaseDurationSeconds: .nan}', 400],
    ['with a number without end', 'metadata: {name: x}\nspec: {leaseDurationSeconds: .inf}', 400],
    ['with a number of a million digits', `metadata: {name: x}\nspec: {leaseDurationSeconds: ${'9'.repeat(MiB)}}`, 400],
    ['with a tag that runs code elsewhere', 'metadata: !!js/function "x"', 400],
    ['of nothing but comments', '#\n'.repeat(MiB), 400],
    ['of nothing but line ends', '\n'.repeat(3 * MiB - 1), 400],
    ['of one long line of spaces', `a: "${' '.repeat(2 * MiB)}"`, 422],
  ])('%s', async (_, body, code) => {
    expect(await post(yaml, body)).toMatchObject({ code, json: { kind: 'Status', code } });
    await victim.expectAlive();
  });
});

describe('a body in protobuf', () => {
  const version = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
  const sealed = (...raw: (string | readonly number[])[]): Uint8Array => sealEnvelope({ ...version, raw: bytes(...raw) });
  const times = { acquireTime: '2026-01-01T00:00:00.000001Z', renewTime: '2026-01-01T00:00:00.000001Z' };
  const object = {
    ...version,
    metadata: { name: 'proto', labels: { a: 'b' }, finalizers: ['x.y/z'], managedFields: [] },
    spec: { holderIdentity: 'h', leaseDurationSeconds: 10, ...times },
  };
  const whole = sealEnvelope({ ...version, raw: writeMessage(leaseKind.shape, object) });

  test.each<[string, Uint8Array]>([
    ['of nothing', bytes('')],
    ['without what it begins with', bytes('\x0a\x00')],
    ['of nothing but what it begins with', bytes('k8s\0')],
    ['of zeros', Buffer.concat([bytes('k8s\0'), Buffer.alloc(3 * MiB - 4)])],
    ['of ones', Buffer.concat([bytes('k8s\0'), Buffer.alloc(3 * MiB - 4, 0xff)])],
    ['whose raw part is longer than the body', bytes('k8s\0', [0x12, 0xff, 0x01, 0x00])],
    ['with a length of 2^31', bytes('k8s\0', [0x12, 0xff, 0xff, 0xff, 0xff, 0x07])],
    ['with a length of 2^63', bytes('k8s\0', [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['with a length that never ends', bytes('k8s\0', [0x12, ...Array<number>(20).fill(0xff)])],
    ['whose metadata is a number', sealed([0x08, 0x01])],
    ['whose metadata has 32 bits', sealed([0x0d, 1, 2, 3, 4])],
    ['whose metadata reaches beyond its end', sealed([0x0a, 0x05, 0x0a, 0x40])],
    ['whose name is a number', sealed([0x0a, 0x02, 0x08, 0x01])],
    ['whose duration is a text', sealed([0x12, 0x03, 0x12, 0x01, 0x61])],
    ['with field number 0', sealed([0x02, 0x00])],
    ['with a group that never ends', sealed([0x1b])],
    ['with groups in groups, ten thousand of them', sealed(Array<number>(10_000).fill(0x1b))],
    ['with the end of a group', sealed([0x1c])],
    ['of a wire type that there is none of', sealed([0x0e])],
    [
      'with a time beyond all years',
      sealed([0x12, 0x0d, 0x22, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x10, 0x00]),
    ],
    ['of another kind', sealEnvelope({ apiVersion: 'v1', kind: 'Pod', raw: bytes('') })],
    ['that says it is JSON', Buffer.from(leaseOf({}))],
  ])('%s is 400', async (_, body) => {
    expect(await post(protobuf, body)).toMatchObject({ code: 400, json: { kind: 'Status', reason: 'BadRequest' } });
    await victim.expectAlive();
  });

  test('that was cut off anywhere is refused or means what is there, and is never half a lease', async () => {
    for (let length = 0; length < whole.length; length += 1) {
      const { code, json: answer } = await post(protobuf, whole.subarray(0, length), '?dryRun=All');
      if (code === 201) expect(answer).toMatchObject({ metadata: { name: 'proto', labels: { a: 'b' } }, spec: object.spec });
      else expect([400, 422]).toContain(code);
    }
    expect((await post(protobuf, whole, '?dryRun=All')).code).toBe(201);
    await victim.expectAlive();
  });
});

describe('a patch', () => {
  const patch = (headers: Record<string, string>, body: string, query = '') =>
    victim.ask({ method: 'PATCH', path: `${one}${query}`, headers, body });

  /** Puts one value after the other into the deepest place that there is. */
  const ever = (): string => {
    const value = `${'{"a":'.repeat(900)}1${'}'.repeat(900)}`;
    return `[${Array.from({ length: 30 }, (_, round) => `{"op":"add","path":"/x${'/a'.repeat(900 * round)}","value":${value}}`).join(',')}]`;
  };

  test.each<[string, Record<string, string>, string, number]>([
    ['that ends early', merge, '{', 400],
    ['that is no object', merge, '[]', 400],
    ['of labels that are a text', merge, '{"metadata":{"labels":"x"}}', 422],
    [`${deep} deep`, merge, `${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`, 400],
    ['of another name', merge, '{"metadata":{"name":"y"}}', 400],
    ['of another uid', merge, '{"metadata":{"uid":"y"}}', 422],
    ['with a version that is none', merge, '{"metadata":{"resourceVersion":"x"}}', 500],
    ['of the prototype', merge, '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}', 200],
    ['with operations that are none', jsonPatch, '{}', 400],
    ['with an operation that is none', jsonPatch, '[1]', 400],
    ['with an operation nobody knows', jsonPatch, '[{"op":"x","path":"/a"}]', 422],
    ['with a path that is none', jsonPatch, '[{"op":"add","path":"x","value":1}]', 422],
    ['with an index out of range', jsonPatch, '[{"op":"add","path":"/metadata/finalizers/9","value":"a"}]', 422],
    ['with a test that fails', jsonPatch, '[{"op":"test","path":"/metadata/name","value":"z"}]', 422],
    ['with a path through the prototype', jsonPatch, '[{"op":"add","path":"/__proto__/polluted","value":1}]', 422],
    ['that makes a prototype', jsonPatch, '[{"op":"add","path":"/metadata/labels","value":{"__proto__":"x"}}]', 422],
    ['of 10,001 operations', jsonPatch, `[${Array(10_001).fill('{"op":"test","path":"/kind","value":"Lease"}').join(',')}]`, 413],
    [
      'that copies a list into itself, and so doubles it',
      jsonPatch,
      `[{"op":"add","path":"/x","value":[1]}${',{"op":"copy","from":"/x","path":"/x/-"}'.repeat(40)}]`,
      422,
    ],
    ['that gets deeper with each operation', jsonPatch, ever(), 422],
    ['with a directive nobody knows', strategic, '{"metadata":{"$patch":"x"}}', 500],
    ['with an order that is none', strategic, '{"metadata":{"$setElementOrder/finalizers":"x"}}', 500],
    ['to delete from a list that is none', strategic, '{"metadata":{"$deleteFromPrimitiveList":["x"]}}', 400],
    ['that mixes a list', strategic, '{"metadata":{"finalizers":["a",{"b":1}]}}', 500],
    ['of ownerReferences without their key', strategic, '{"metadata":{"ownerReferences":[{"kind":"x"}]}}', 422],
  ])('%s', async (_, headers, body, code) => {
    await post(json, leaseOf({ name: 'one', finalizers: ['x.y/z'] }));
    expect(await patch(headers, body)).toMatchObject({ code });
    expect((await victim.ask({ path: one })).text).not.toContain('polluted');
    await victim.expectAlive();
  });

  test.each<[string, string, number]>([
    ['that is no YAML', '{', 400],
    ['of another kind', 'apiVersion: v1\nkind: Pod\nmetadata: {name: one}', 400],
    ['with managed fields', 'apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: one, managedFields: []}', 400],
    ['with a field that leases do not have', 'apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: one}\nx: y', 500],
    ['with a prototype', 'apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: one}\n__proto__: {a: b}', 500],
    [
      'with a finalizer twice',
      'apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: one, finalizers: [a.b/c, a.b/c]}',
      500,
    ],
  ])('that is applied, %s', async (_, body, code) => {
    expect((await patch(apply, body, '?fieldManager=me')).code).toBe(code);
    await victim.expectAlive();
  });

  test('of a type that there is none of is 415, and an apply without a manager 422', async () => {
    for (const type of ['application/json', 'text/plain', 'application/xml-patch+xml', '']) {
      expect((await patch({ 'content-type': type }, '{}')).code).toBe(415);
    }
    expect((await patch(apply, 'apiVersion: coordination.k8s.io/v1\nkind: Lease')).code).toBe(422);
  });
});

describe('names that objects have by themselves', () => {
  test('are names like any other', async () => {
    const labels = { constructor: 'a', toString: 'b', valueOf: 'c', hasOwnProperty: 'd' };
    const annotations = { constructor: 'a', isPrototypeOf: 'b' };
    const body = leaseOf({ name: 'constructor', labels, annotations });
    expect(await post(json, body)).toMatchObject({ code: 201, json: { metadata: { labels, annotations } } });
    const selected = async (selector: string): Promise<number> => {
      const { json: list } = await victim.ask({ path: `${leases}?labelSelector=${encodeURIComponent(selector)}` });
      return (list as { items?: unknown[] }).items?.length ?? -1;
    };
    expect(await selected('constructor=a,toString in (b),valueOf!=x')).toBe(1);
    expect(await selected('hasOwnProperty=x')).toBe(0);
    expect(await selected('propertyIsEnumerable')).toBe(0);
    const path = `${leases}/constructor`;
    const patched = await victim.ask({
      method: 'PATCH',
      path,
      headers: merge,
      body: '{"metadata":{"labels":{"toString":null}}}',
    });
    expect(patched.json).toMatchObject({ metadata: { labels: { constructor: 'a', valueOf: 'c', hasOwnProperty: 'd' } } });
    expect((await victim.ask({ method: 'DELETE', path })).code).toBe(200);
  });

  test('that cannot be keys are refused, or dropped as fields that there are none of', async () => {
    for (const field of ['labels', 'annotations']) {
      expect((await post(json, `{"metadata":{"name":"x","${field}":{"__proto__":"y"}}}`)).code).toBe(422);
    }
    const unknown = '{"metadata":{"name":"x","__proto__":{"finalizers":["a"]}},"__proto__":{"spec":{"holderIdentity":"h"}}}';
    expect((await post(json, unknown, '?fieldValidation=Strict')).code).toBe(400);
    const created = await post(json, unknown);
    expect(created.code).toBe(201);
    expect(created.headers.warning).toContain('__proto__');
    expect(created.text).not.toMatch(/holderIdentity|finalizers/);
    expect((await victim.ask({ path: `${leases}/__proto__` })).code).toBe(404);
    await victim.ask({ method: 'DELETE', path: `${leases}/x` });
    await victim.expectAlive();
  });
});
