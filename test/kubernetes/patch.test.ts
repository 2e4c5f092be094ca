import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { patchedUnreadable } from '../../server/dist/kubernetes/patch/errors.js';
import { applyJsonPatch, unknownOperationFields } from '../../server/dist/kubernetes/patch/json-patch.js';
import { applyMergePatch } from '../../server/dist/kubernetes/patch/merge-patch.js';
import { applyStrategicMergePatch } from '../../server/dist/kubernetes/patch/strategic-merge-patch.js';
import { refusal } from './managed-objects.js';
import { frozen, recorded, replay } from './plain-store.js';

/** The three kinds of patches that say how an object is to be changed, on plain objects. */

/** An object as these functions take it; what they make of it is theirs to say. */
function like(object: unknown): LeaseObject {
  return frozen(structuredClone(object)) as LeaseObject;
}

const refused = { code: 422, message: 'the server rejected our request due to an error in our request' };

describe('as recorded:', () => {
  test.each([
    'merge patch',
    'JSON patch',
    'JSON patch whose test fails',
    'JSON patch of a missing path',
    'JSON patch with an unknown op',
    'patch that changes nothing',
  ])('%s', (name) => {
    const steps = recorded.get(name)!;
    expect(replay(steps)).toEqual(steps.map(({ expect: { body } }) => body));
  });

  test('a patch whose outcome is no lease', () => {
    const { body } = recorded.get('merge patch of the wrong type')![1]!.expect;
    const { details } = body as { details: { causes: { message: string }[] } };
    const [, shown, why] = /^Invalid value: (".*"): (json: cannot .*)$/s.exec(details.causes[0]!.message)!;
    expect(patchedUnreadable(JSON.parse(shown!) as string, why!).status).toEqual(body);
  });

  test('a finalizer that goes', () => {
    const [create, , , remove] = recorded.get('delete with a finalizer')!;
    const [, answer] = replay([create!, remove!]) as { metadata: LeaseObject['metadata'] }[];
    const { metadata } = remove!.expect.body as { metadata: LeaseObject['metadata'] };
    expect(answer!.metadata.managedFields).toEqual(metadata.managedFields);
    expect(answer!.metadata).not.toHaveProperty('finalizers');
  });
});

describe('a JSON patch', () => {
  const object = like({ spec: { a: 1, n: null, 'x/y~z': 2 }, list: ['p', 'q', 'r'], deep: [{ uid: 'u' }] });

  test.each([
    ['adds a member', [{ op: 'add', path: '/spec/b', value: { c: 1 } }], { spec: { a: 1, n: null, 'x/y~z': 2, b: { c: 1 } } }],
    ['adds over a member', [{ op: 'add', path: '/spec', value: 5 }], { spec: 5 }],
    ['adds nothing as null', [{ op: 'add', path: '/spec', from: '' }], { spec: null }],
    ['inserts into a list', [{ op: 'add', path: '/list/1', value: 'x' }], { list: ['p', 'x', 'q', 'r'] }],
    ['inserts behind a list', [{ op: 'add', path: '/list/3', value: 'x' }], { list: ['p', 'q', 'r', 'x'] }],
    ['appends to a list', [{ op: 'add', path: '/list/-', value: 'x' }], { list: ['p', 'q', 'r', 'x'] }],
    ['inserts from behind', [{ op: 'add', path: '/list/-1', value: 'x' }], { list: ['p', 'q', 'r', 'x'] }],
    ['removes a member', [{ op: 'remove', path: '/spec/a' }], { spec: { n: null, 'x/y~z': 2 } }],
    ['removes from a list', [{ op: 'remove', path: '/list/0' }], { list: ['q', 'r'] }],
    ['removes from behind', [{ op: 'remove', path: '/list/-1' }], { list: ['p', 'q'] }],
    ['replaces', [{ op: 'replace', path: '/list/2', value: 'x' }], { list: ['p', 'q', 'x'] }],
    ['replaces what is not there', [{ op: 'replace', path: '/spec/z', value: 1 }], { spec: { a: 1, n: null, 'x/y~z': 2, z: 1 } }],
    ['reads escapes', [{ op: 'replace', path: '/spec/x~1y~0z', value: 3 }], { spec: { a: 1, n: null, 'x/y~z': 3 } }],
    ['moves', [{ op: 'move', from: '/list/0', path: '/list/2' }], { list: ['q', 'r', 'p'] }],
    ['copies', [{ op: 'copy', from: '/deep/0', path: '/deep/-' }], { deep: [{ uid: 'u' }, { uid: 'u' }] }],
    ['copies so that the copy is its own', copyAndChange(), { deep: [{ uid: 'u' }, { uid: 'v' }] }],
    ['keeps its own value', addAndChange(), { spec: { a: { b: 2 }, n: null, 'x/y~z': 2 } }],
    ['tests a member', [{ op: 'test', path: '/spec', value: { 'x/y~z': 2, n: null, a: 1 } }], {}],
    ['tests for null', [{ op: 'test', path: '/spec/n', value: null }], {}],
    ['tests that nothing is there', [{ op: 'test', path: '/spec/none' }], {}],
    ['takes what comes before the first slash for nothing', [{ op: 'remove', path: 'x/list/0' }], { list: ['q', 'r'] }],
    ['does nothing', [], {}],
  ])('%s', (_, operations, changed) => {
    expect(applyJsonPatch(object, frozen(operations))).toEqual({ ...object, ...changed });
  });

  function copyAndChange() {
    return [
      { op: 'copy', from: '/deep/0', path: '/deep/1' },
      { op: 'replace', path: '/deep/1/uid', value: 'v' },
    ];
  }

  function addAndChange() {
    return [
      { op: 'add', path: '/spec/a', value: { b: 1 } },
      { op: 'replace', path: '/spec/a/b', value: 2 },
    ];
  }

  it('replaces the whole object', () => {
    expect(applyJsonPatch(object, [{ op: 'replace', path: '', value: { x: 1 } }])).toEqual({ x: 1 });
  });

  test.each([
    ['a failed test', { op: 'test', path: '/spec/a', value: 2 }],
    ['a test of what is there for nothing', { op: 'test', path: '/spec/a' }],
    ['a test of what is not there', { op: 'test', path: '/spec/z', value: 1 }],
    ['a test below what is not there', { op: 'test', path: '/z/z', value: null }],
    ['an addition to nothing', { op: 'add', path: '/z/z', value: 1 }],
    ['an addition to a value', { op: 'add', path: '/spec/a/z', value: 1 }],
    ['an addition to null', { op: 'add', path: '/spec/n/z', value: 1 }],
    ['an addition of everything', { op: 'add', path: '', value: {} }],
    ['an addition beyond a list', { op: 'add', path: '/list/4', value: 1 }],
    ['an addition before a list', { op: 'add', path: '/list/-5', value: 1 }],
    ['an addition at no index', { op: 'add', path: '/list/1.5', value: 1 }],
    ['a removal of nothing', { op: 'remove', path: '/spec/z' }],
    ['a removal of what every object has', { op: 'remove', path: '/spec/toString' }],
    ['a removal beyond a list', { op: 'remove', path: '/list/3' }],
    ['a removal of the end', { op: 'remove', path: '/list/-' }],
    ['a replacement beyond a list', { op: 'replace', path: '/list/3', value: 1 }],
    ['a replacement of everything by a value', { op: 'replace', path: '', value: 1 }],
    ['a replacement of everything by null', { op: 'replace', path: '' }],
    ['a move of nothing', { op: 'move', from: '/spec/z', path: '/spec/y' }],
    ['a move into itself', { op: 'move', from: '/spec', path: '/spec/a' }],
    ['a move from nowhere', { op: 'move', path: '/spec/a' }],
    ['a copy from nowhere', { op: 'copy', path: '/spec/a' }],
    ['no path', { op: 'remove' }],
    ['no operation', { path: '/spec/a' }],
    ['nothing at all', null],
  ])('refuses %s', (_, operation) => {
    expect(refusal(() => applyJsonPatch(object, [operation]))).toMatchObject(refused);
  });

  it('is refused as a whole', () => {
    expect(
      refusal(() =>
        applyJsonPatch(object, [
          { op: 'remove', path: '/list' },
          { op: 'remove', path: '/list' },
        ]),
      ),
    ).toMatchObject(refused);
    expect(object).toHaveProperty('list');
  });

  test.each([
    [{}, 'json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp'],
    ['x', 'json: cannot unmarshal string into Go value of type []handlers.jsonPatchOp'],
    [[1], 'json: cannot unmarshal number into Go value of type handlers.jsonPatchOp'],
    [[[]], 'json: cannot unmarshal array into Go value of type handlers.jsonPatchOp'],
    [[{ op: 1 }], 'json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string'],
    [[{ op: 'test', path: {} }], 'json: cannot unmarshal object into Go struct field jsonPatchOp.path of type string'],
    [[{ from: true }], 'json: cannot unmarshal bool into Go struct field jsonPatchOp.from of type string'],
  ])('%j is none', (operations, why) => {
    expect(refusal(() => applyJsonPatch(object, operations))).toMatchObject({
      code: 400,
      message: `error decoding patch: ${why}`,
    });
  });

  it('has 10,000 operations at most', () => {
    const operations = Array.from({ length: 10_000 }, (_, index) => ({ op: 'add', path: `/spec/k${index}`, value: 'v' }));
    expect(Object.keys((applyJsonPatch(object, operations) as { spec: object }).spec)).toHaveLength(10_003);
    expect(refusal(() => applyJsonPatch(object, [...operations, operations[0]]))).toMatchObject({
      code: 413,
      message: 'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
    });
  });

  it('copies no more than 3 MiB', () => {
    const mebi = 'x'.repeat(1024 * 1024);
    const copies = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ op: 'copy', from: '/big', path: `/c${index}` }));
    const big = like({ big: mebi });
    expect(Object.keys(applyJsonPatch(big, copies(2)) as object)).toHaveLength(3);
    expect(refusal(() => applyJsonPatch(big, copies(3)))).toMatchObject(refused);
    const doubling = Array.from({ length: 60 }, () => ({ op: 'copy', from: '/big', path: '/big/-' }));
    expect(refusal(() => applyJsonPatch(like({ big: [mebi.slice(0, 100)] }), doubling))).toMatchObject(refused);
  });

  it('takes __proto__ for a name', () => {
    const value = JSON.parse('{"__proto__":{"polluted":1}}') as unknown;
    const patched = applyJsonPatch(object, [
      { op: 'add', path: '/spec/__proto__', value: { polluted: 1 } },
      { op: 'add', path: '/spec/own', value },
    ]);
    expect(JSON.stringify(patched)).toContain('"__proto__":{"polluted":1},"own":{"__proto__":{"polluted":1}}');
    expect((patched as { spec: { polluted?: number } }).spec.polluted).toBeUndefined();
    expect(refusal(() => applyJsonPatch(object, [{ op: 'add', path: '/__proto__/polluted', value: 1 }]))).toMatchObject(refused);
  });

  it('names the fields of operations that mean nothing', () => {
    const operations = [{ op: 'test', path: '/x', foo: 1 }, { Op: 'x', value: { any: 1 } }, null];
    expect(unknownOperationFields(operations)).toEqual(['unknown field "[0].foo"', 'unknown field "[1].Op"']);
    expect(unknownOperationFields({ foo: 1 })).toEqual([]);
  });
});

describe('a merge patch', () => {
  // The examples of RFC 7396, appendix A, as far as both sides are objects.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: 1 }, {}, { a: 1 }],
    [{ a: null }, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
    [{ a: 'b' }, { a: [{ b: null, c: 1 }] }, { a: [{ c: 1 }] }],
  ])('%j with %j is %j', (object, patch, expected) => {
    expect(applyMergePatch(like(object), frozen(patch))).toEqual(expected);
  });

  test.each([
    [[], 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}'],
    ['x', 'error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}'],
    [false, 'error decoding patch: json: cannot unmarshal bool into Go value of type map[string]interface {}'],
    [null, 'Invalid JSON Patch'],
  ])('%j is none', (patch, message) => {
    expect(refusal(() => applyMergePatch(like({}), patch))).toMatchObject({ code: 400, message });
  });

  it('leads from any object to any other one', () => {
    const value = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, fc.constantFrom('x', 'y', 1, true), fc.constantFrom([], ['x'], [{ a: 1 }]), tie('object')),
      object: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), tie('value'), { noNullPrototype: true }),
    })).object;
    fc.assert(
      fc.property(value, value, (from, to) => {
        expect(applyMergePatch(like(from), frozen(difference(from, to)))).toEqual(to);
      }),
    );
  });

  function difference(from: Record<string, unknown>, to: Record<string, unknown>): Record<string, unknown> {
    const removed = Object.keys(from)
      .filter((key) => !Object.hasOwn(to, key))
      .map((key) => [key, null] as const);
    const changed = Object.entries(to).flatMap(([key, value]): [string, unknown][] => {
      const before = Object.hasOwn(from, key) ? from[key] : undefined;
      if (isDeepStrictEqual(before, value)) return [];
      return [[key, isRecord(before) && isRecord(value) ? difference(before, value) : value]];
    });
    return Object.fromEntries([...removed, ...changed]);
  }

  function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  }
});

describe('a strategic merge patch', () => {
  const owner = (uid: string, name = 'n') => ({ apiVersion: 'v1', kind: 'Pod', name, uid });
  const object = like({
    metadata: { labels: { a: '1', b: '2' }, ownerReferences: [owner('x'), owner('y')], finalizers: ['f/1', 'f/2'] },
    spec: { holderIdentity: 'h', leaseDurationSeconds: 5 },
  });

  /** The metadata after a patch of it. */
  function metadataAfter(patch: unknown): unknown {
    return (applyStrategicMergePatch(object, frozen({ metadata: patch })) as { metadata: unknown }).metadata;
  }

  test.each([
    ['merges maps', { labels: { a: null, c: '3' } }, { labels: { b: '2', c: '3' } }],
    ['replaces a map', { labels: { $patch: 'replace', c: '3' } }, { labels: { c: '3' } }],
    ['empties a map', { labels: { $patch: 'delete' } }, { labels: {} }],
    ['adds to a set, in its own order', { finalizers: ['f/3', 'f/1'] }, { finalizers: ['f/3', 'f/1', 'f/2'] }],
    ['adds to a set what it has', { finalizers: ['f/2'] }, { finalizers: ['f/1', 'f/2'] }],
    ['takes from a set', { '$deleteFromPrimitiveList/finalizers': ['f/1', 'f/9'] }, { finalizers: ['f/2'] }],
    ['orders a set', { '$setElementOrder/finalizers': ['f/2', 'f/1'] }, { finalizers: ['f/2', 'f/1'] }],
    ['orders what it adds', orderedAddition(), { finalizers: ['f/2', 'f/3', 'f/1'] }],
    [
      'merges an owner by its uid',
      { ownerReferences: [{ uid: 'y', name: 'm' }] },
      { ownerReferences: [owner('x'), owner('y', 'm')] },
    ],
    ['adds an owner', { ownerReferences: [owner('z')] }, { ownerReferences: [owner('z'), owner('x'), owner('y')] }],
    ['deletes an owner', { ownerReferences: [{ uid: 'x', $patch: 'delete' }] }, { ownerReferences: [owner('y')] }],
    ['replaces the owners', { ownerReferences: [owner('z'), { $patch: 'replace' }] }, { ownerReferences: [owner('z')] }],
    [
      'orders owners',
      { '$setElementOrder/ownerReferences': [{ uid: 'y' }, { uid: 'x' }] },
      { ownerReferences: [owner('y'), owner('x')] },
    ],
    ['replaces other lists', { managedFields: [{}] }, { managedFields: [{}] }],
    ['takes null for a deletion', { finalizers: null }, { finalizers: undefined }],
    ['does not keep directives in what is new', { annotations: { $patch: 'delete' } }, {}],
    ['does not keep null in what is new', { annotations: { a: null, b: '1' } }, { annotations: { b: '1' } }],
  ])('%s', (_, patch, changed) => {
    expect(metadataAfter(patch)).toEqual({ ...object.metadata, ...changed });
  });

  function orderedAddition() {
    return { finalizers: ['f/3'], '$setElementOrder/finalizers': ['f/2', 'f/3', 'f/1'] };
  }

  it('keeps only what it retains', () => {
    const patch = { spec: { $retainKeys: ['renewTime', 'holderIdentity'], renewTime: 'now' } };
    expect(applyStrategicMergePatch(object, frozen(patch))).toEqual({
      ...object,
      spec: { holderIdentity: 'h', renewTime: 'now' },
    });
  });

  it('heeds no directive of a list that is new', () => {
    const patch = {
      metadata: { ownerReferences: [owner('x'), { uid: 'y', $patch: 'delete' }] },
      spec: { $patch: 'replace', a: 1 },
    };
    expect(applyStrategicMergePatch(like({}), frozen(patch))).toEqual({ metadata: { ownerReferences: [owner('x')] } });
  });

  it('retains nothing for the sake of null', () => {
    const patch = { spec: { $retainKeys: ['holderIdentity'], leaseDurationSeconds: null } };
    expect(applyStrategicMergePatch(object, frozen(patch))).toEqual({ ...object, spec: { holderIdentity: 'h' } });
  });

  it('puts what only the object has where it stood', () => {
    const five = like({ metadata: { finalizers: ['a', 'b', 'c', 'd', 'e'] } });
    const ordered = applyStrategicMergePatch(five, { metadata: { '$setElementOrder/finalizers': ['d', 'b'] } });
    expect(ordered).toEqual({ metadata: { finalizers: ['a', 'c', 'd', 'b', 'e'] } });
  });

  it('that is null changes nothing', () => {
    expect(applyStrategicMergePatch(object, null)).toEqual(object);
  });

  test.each([
    [400, 'json: cannot unmarshal array into Go value of type map[string]interface {}', []],
    [400, 'invalid patch format of retainKeys', { spec: { $retainKeys: 'x' } }],
    [400, 'invalid patch format of retainKeys', { spec: { $retainKeys: ['a'], renewTime: 'b' } }],
    [400, 'invalid patch format of primitive list', { metadata: { $deleteFromPrimitiveList: ['f/1'] } }],
    [400, 'invalid patch format of setElementOrder list', { metadata: { $setElementOrder: ['f/1'] } }],
    [422, refused.message, { metadata: { finalizers: [['f/1']] } }],
    [500, 'unknown patch type: merge in map: map[$patch:merge a:1]', { spec: { $patch: 'merge', a: 1 } }],
    [500, 'merging lists cannot yet be specified in the patch', { metadata: { ownerReferences: [{ $patch: 'merge' }] } }],
    [500, 'unknown patch type: x in map: map[$patch:x]', { metadata: { ownerReferences: [{ $patch: 'x' }] } }],
    [500, 'map: map[name:m] does not contain declared merge key: uid', { metadata: { ownerReferences: [{ name: 'm' }] } }],
    [
      500,
      'map: map[$patch:delete] does not contain declared merge key: uid',
      { metadata: { ownerReferences: [{ $patch: 'delete' }] } },
    ],
    [500, 'list element types are not identical: [[f/1 f/2] [1]]', { metadata: { finalizers: [1] } }],
    [
      500,
      "The order in patch list:\n[f/1 f/2]\n doesn't match $setElementOrder list:\n[f/2 f/1]\n",
      { metadata: { finalizers: ['f/1', 'f/2'], '$setElementOrder/finalizers': ['f/2', 'f/1'] } },
    ],
  ])('is refused with %i %s', (code, message, patch) => {
    expect(refusal(() => applyStrategicMergePatch(object, frozen(patch)))).toMatchObject({ code, message });
  });
});
