import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { apply } from '../../server/dist/kubernetes/managed-fields/apply.js';
import { FieldSet } from '../../server/dist/kubernetes/managed-fields/field-set.js';
import { showPath } from '../../server/dist/kubernetes/managed-fields/path-element.js';
import { settleTimes } from '../../server/dist/kubernetes/managed-fields/settle-times.js';
import { trackUpdate } from '../../server/dist/kubernetes/managed-fields/update.js';
import { created, entry, head, lease, managedBy, now, owner, refusal, specFields, then } from './managed-objects.js';
import { frozen, recorded, replay } from './plain-store.js';

/** Server-side apply, on plain objects. */

describe('as recorded:', () => {
  test.each([
    'apply creates',
    'apply twice the same',
    'apply conflict',
    'apply forced',
    'apply removes what it owned',
    'apply over an update',
    'apply labels',
    'apply with managedFields set',
  ])('%s', (name) => {
    const steps = recorded.get(name)!;
    expect(replay(steps)).toEqual(steps.map(({ expect: { body } }) => body));
  });
});

describe('an apply', () => {
  /** What a manager applies onto an object. */
  function applied(live: LeaseObject | undefined, manager: string, patch: LeaseObject, force = false): LeaseObject {
    return frozen(apply({ live, patch, manager, force, now }));
  }

  const live = created(
    lease({ holderIdentity: 'h', leaseDurationSeconds: 5 }, { labels: { a: '1' }, uid: 'u', resourceVersion: '7' }),
  );

  test('shares what has the same value; who changes nothing has no time', () => {
    const shared = applied(live, 'm2', lease({ holderIdentity: 'h' }));
    expect(shared).toEqual(
      managedBy(live, [entry('m2 Apply', specFields('holderIdentity'), ''), ...live.metadata.managedFields!]),
    );
    const left = applied(shared, 'm2', lease(undefined));
    expect(left.spec).toEqual(live.spec);
    expect(left.metadata.managedFields).toEqual(live.metadata.managedFields);
  });

  test('takes away what only this manager has applied', () => {
    const first = applied(live, 'm2', lease({ leaseTransitions: 1 }, { labels: { b: '2' }, finalizers: ['f/1'] }));
    expect(first.metadata).toMatchObject({ labels: { a: '1', b: '2' }, finalizers: ['f/1'] });
    const second = applied(first, 'm2', lease(undefined));
    expect(second).toEqual(managedBy(live, live.metadata.managedFields));
  });

  test('leaves what another one has applied too', () => {
    const both = applied(applied(undefined, 'm1', lease({ holderIdentity: 'h' })), 'm2', lease({ holderIdentity: 'h' }));
    expect(applied(both, 'm1', lease({})).spec).toEqual({ holderIdentity: 'h' });
    expect(applied(applied(both, 'm1', lease({})), 'm2', lease({})).spec).toEqual({});
  });

  test('is refused what others have given another value, with all of it named', () => {
    const fields = { 'f:metadata': { 'f:labels': { 'f:b': {} }, 'f:ownerReferences': { '.': {}, 'k:{"uid":"x"}': {} } } };
    const managedFields = [
      entry('m2 Update', fields),
      entry('m1 Apply', { 'f:metadata': { 'f:labels': { 'f:a': {} } }, ...specFields('holderIdentity') }),
      { ...entry('m3 Update', specFields('leaseDurationSeconds')), subresource: 'status' },
    ];
    const owned = lease(
      { holderIdentity: 'h', leaseDurationSeconds: 5 },
      { labels: { a: '1', b: '2' }, ownerReferences: [owner('x')], managedFields },
    );
    const patch = lease(
      { holderIdentity: 'z', leaseDurationSeconds: 6 },
      { labels: { a: '9', b: '9' }, ownerReferences: [owner('x', 'm')] },
    );
    const status = refusal(() => applied(owned, 'm4', patch));
    expect(status).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(status.message).toBe(
      [
        'Apply failed with 5 conflicts: conflicts with "m1":',
        '- .metadata.labels.a',
        '- .spec.holderIdentity',
        'conflicts with "m2" using coordination.k8s.io/v1:',
        '- .metadata.labels.b',
        '- .metadata.ownerReferences[uid="x"]',
        'conflicts with "m3" with subresource "status" using coordination.k8s.io/v1:',
        '- .spec.leaseDurationSeconds',
      ].join('\n'),
    );
    expect(status.details?.causes).toContainEqual({
      reason: 'FieldManagerConflict',
      message: 'conflict with "m2" using coordination.k8s.io/v1',
      field: '.metadata.ownerReferences[uid="x"]',
    });
    const forced = applied(owned, 'm4', patch, true);
    expect(forced.spec).toEqual(patch.spec);
    expect(forced.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['m4', 'm2']);
  });

  test('takes an object that is not tracked for that of one manager', () => {
    const untracked = lease({ holderIdentity: 'h', leaseDurationSeconds: 5 }, { uid: 'u' });
    const status = refusal(() => applied(untracked, 'm1', lease({ holderIdentity: 'z' })));
    expect(status.message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using coordination.k8s.io/v1: .spec.holderIdentity',
    );
    expect(applied(untracked, 'm1', lease({ holderIdentity: 'z' }), true).metadata.managedFields).toEqual([
      entry('m1 Apply', specFields('holderIdentity'), now),
      entry('before-first-apply Update', specFields('leaseDurationSeconds'), now),
    ]);
  });

  test('merges owners and finalizers, in the order of what is applied', () => {
    const listed = created(lease(undefined, { finalizers: ['f/1', 'f/2', 'f/3'], ownerReferences: [owner('x'), owner('y')] }));
    const patch = lease(undefined, { finalizers: ['f/3', 'f/0', 'f/1'], ownerReferences: [owner('z'), owner('y')] });
    const { metadata } = applied(listed, 'm2', patch);
    expect(metadata.finalizers).toEqual(['f/2', 'f/3', 'f/0', 'f/1']);
    expect(metadata.ownerReferences?.map(({ uid }) => uid)).toEqual(['x', 'z', 'y']);
    const { metadata: later } = applied(applied(listed, 'm2', patch), 'm2', lease(undefined, { finalizers: ['f/3'] }));
    expect(later.finalizers).toEqual(['f/2', 'f/3', 'f/1']);
    expect(later.ownerReferences?.map(({ uid }) => uid)).toEqual(['x', 'y']);
  });

  test('of null owns the field and empties it', () => {
    const patch = { ...head, metadata: { name: 'a' }, spec: { holderIdentity: null } } as unknown as LeaseObject;
    const object = applied(live, 'm1', patch, true);
    expect(object.spec).toEqual({ leaseDurationSeconds: 5 });
    expect(object.metadata.managedFields?.[0]).toEqual(entry('m1 Apply', specFields('holderIdentity'), now));
  });

  test('of null or of nothing owns the struct, map or list itself', () => {
    const whole = {
      ...head,
      metadata: { name: 'a', labels: null, annotations: {}, finalizers: null, ownerReferences: [] },
      spec: null,
    };
    const object = apply({ patch: whole, manager: 'm1', force: false, now });
    const fields = { 'f:metadata': { 'f:annotations': {}, 'f:finalizers': {}, 'f:labels': {} }, 'f:spec': {} };
    expect(object).toEqual(lease({}, { managedFields: [entry('m1 Apply', fields, now)] }));
    const status = refusal(() => apply({ live: object, patch: whole, manager: 'm2', force: false, now }));
    expect(status.details?.causes?.map(({ field }) => field)).toContain('.spec');
  });

  test('leaves out of the object what says nothing', () => {
    const patch = lease({}, { generateName: '', generation: 0, labels: {}, finalizers: [], ownerReferences: [] });
    expect(managedBy(applied(undefined, 'm1', patch), undefined)).toEqual(lease({}));
  });

  test('that takes the last item takes the list, from whoever owns that', () => {
    const listed = applied(
      created(lease({}, { ownerReferences: [owner('y')] })),
      'm2',
      lease({}, { ownerReferences: [owner('x')] }),
    );
    const one = { ...listed, metadata: { ...listed.metadata, ownerReferences: [owner('x')] } };
    const two = managedBy(one, trackUpdate({ before: listed, after: one, manager: 'm1', now }));
    expect(two.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['m2', 'm1']);
    expect(applied(two, 'm2', lease({}))).toEqual(lease({}, { managedFields: [entry('m2 Apply', { 'f:spec': {} }, now)] }));
  });

  test('keeps what identifies the object, and what was asked for instead, for the store to judge', () => {
    expect(applied(live, 'm2', lease({})).metadata).toMatchObject({ uid: 'u', resourceVersion: '7' });
    expect(applied(live, 'm2', lease({}, { name: 'b', resourceVersion: '3' })).metadata).toMatchObject({
      name: 'b',
      resourceVersion: '3',
    });
  });

  describe('by kubectl', () => {
    const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
    const lastApplied = `${JSON.stringify(lease({ holderIdentity: 'h' }))}\n`;
    const kept = created(
      lease({ holderIdentity: 'h', leaseDurationSeconds: 5 }, { annotations: { [annotation]: lastApplied, n: 'v' } }),
    );

    test('takes what it applied on its side without a conflict, and brings its note up to date', () => {
      const patch = lease({ holderIdentity: 'z' }, { labels: { a: '<2>' } });
      const object = applied(kept, 'kubectl', patch);
      expect(object.spec).toEqual({ holderIdentity: 'z', leaseDurationSeconds: 5 });
      expect(object.metadata.annotations).toEqual({
        [annotation]:
          '{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"labels":{"a":"\\u003c2\\u003e"},"name":"a"},' +
          '"spec":{"holderIdentity":"z"}}\n',
        n: 'v',
      });
    });

    test('leaves the note out of the note', () => {
      const patch = lease({}, { annotations: { [annotation]: lastApplied, n: 'v' } });
      expect(applied(kept, 'kubectl', patch).metadata.annotations?.[annotation]).toBe(
        '{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"annotations":{"n":"v"},"name":"a"},"spec":{}}\n',
      );
    });

    test('is refused what it did not apply, and what has another value by now', () => {
      const status = refusal(() => applied(kept, 'kubectl', lease({ holderIdentity: 'z', leaseDurationSeconds: 6 })));
      expect(status.details?.causes?.map(({ field }) => field)).toEqual(['.spec.leaseDurationSeconds']);
      const changed = { ...kept, spec: { ...kept.spec, holderIdentity: 'other' } };
      expect(refusal(() => applied(changed, 'kubectl', lease({ holderIdentity: 'z' }))).code).toBe(409);
    });

    test('under another name inherits nothing', () => {
      expect(refusal(() => applied(kept, 'other', lease({ holderIdentity: 'z' }))).code).toBe(409);
      expect(applied(kept, 'other', lease({ holderIdentity: 'z' }), true).metadata.annotations?.[annotation]).toBe(lastApplied);
    });

    test.each([['not JSON'], ['[]'], ['{"apiVersion":"v1"}'], ['{"apiVersion":"coordination.k8s.io/v1","spec":{"odd":1}}']])(
      'inherits nothing from %s',
      (text) => {
        const odd = { ...kept, metadata: { ...kept.metadata, annotations: { [annotation]: text } } };
        expect(refusal(() => applied(odd, 'kubectl', lease({ holderIdentity: 'z' }))).code).toBe(409);
      },
    );

    test('drops its note when it is too long', () => {
      const object = applied(kept, 'kubectl', lease({}, { labels: { a: 'x'.repeat(262_144) } }));
      expect(object.metadata.annotations).toEqual({ n: 'v' });
    });
  });

  describe('is refused', () => {
    test('without a manager', () => {
      expect(refusal(() => applied(live, '', lease({})))).toMatchObject({
        code: 422,
        reason: 'Invalid',
        message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        details: { kind: 'PatchOptions', causes: [{ reason: 'FieldValueRequired', field: 'fieldManager' }] },
      });
    });

    const meta = { name: 'a', namespace: 'n' };
    test.each([
      [
        400,
        'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}',
        [],
      ],
      [400, 'invalid object type: /, Kind=', null],
      [400, 'invalid object type: /v1, Kind=Pod', { apiVersion: 'v1', kind: 'Pod' }],
      [400, 'invalid object type: a.io/v1, Kind=Lease', { apiVersion: 'a.io/v1', kind: 'Lease' }],
      [400, 'invalid object type: /, Kind=', { apiVersion: 'a/b/c', kind: 'Lease' }],
      [400, 'metadata.managedFields must be nil', { ...head, metadata: { ...meta, managedFields: [] } }],
      [500, '.spec.odd: field not declared in schema', { ...head, metadata: meta, spec: { odd: 1 } }],
      [
        500,
        '.spec.holderIdentity: expected string, got &value.valueUnstructured{Value:5}',
        { ...head, metadata: meta, spec: { holderIdentity: 5 } },
      ],
      [
        500,
        '.spec.leaseDurationSeconds: expected numeric (int or float), got string',
        { ...head, metadata: meta, spec: { leaseDurationSeconds: 'x' } },
      ],
      [500, '.spec.renewTime: expected any scalar, got &{map[]}', { ...head, metadata: meta, spec: { renewTime: {} } }],
      [500, '.spec: expected map, got &{x}', { ...head, metadata: meta, spec: 'x' }],
      [500, '.metadata.finalizers: expected list, got &{x}', { ...head, metadata: { ...meta, finalizers: 'x' } }],
      [500, '.metadata.finalizers: duplicate entries for key [="x"]', { ...head, metadata: { ...meta, finalizers: ['x', 'x'] } }],
      [
        500,
        ".metadata.finalizers: element 1: associative list without keys has an element that's an explicit null",
        { ...head, metadata: { ...meta, finalizers: ['x', null] } },
      ],
      [
        500,
        '.metadata.ownerReferences: duplicate entries for key [uid="x"]',
        { ...head, metadata: { ...meta, ownerReferences: [owner('x'), owner('x')] } },
      ],
      [
        500,
        '.metadata.ownerReferences: element 0: associative list with keys may not have non-map elements',
        { ...head, metadata: { ...meta, ownerReferences: [1] } },
      ],
      [
        500,
        'errors:\n  .spec.holderIdentity: expected string, got &value.valueUnstructured{Value:true}\n  .spec.odd: field not declared in schema',
        { ...head, metadata: meta, spec: { holderIdentity: true, odd: 1 } },
      ],
    ])('with %i %s', (code, why, patch) => {
      const message =
        code === 500 ? `failed to create typed patch object (n/a; coordination.k8s.io/v1, Kind=Lease): ${why}` : why;
      expect(refusal(() => apply({ live, patch, manager: 'm', force: false, now }))).toMatchObject({ code, message });
    });
  });
});

describe('any apply', () => {
  const texts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'), { noNullPrototype: true });
  const part = fc.record(
    {
      labels: texts,
      annotations: texts,
      finalizers: fc.uniqueArray(fc.constantFrom('f/1', 'f/2', 'f/3')),
      ownerReferences: fc.uniqueArray(fc.constantFrom(owner('x'), owner('x', 'm'), owner('y')), { selector: ({ uid }) => uid }),
    },
    { requiredKeys: [] },
  );
  const spec = fc.record(
    {
      holderIdentity: fc.constantFrom('h1', 'h2'),
      leaseDurationSeconds: fc.constantFrom(1, 2),
      leaseTransitions: fc.constantFrom(0, 1),
    },
    { requiredKeys: [] },
  );
  const patch = fc.tuple(spec, part).map(([fields, metadata]) => lease(fields, metadata));
  const force = true;

  it('is the same when it is made again', () => {
    fc.assert(
      fc.property(patch, patch, patch, (base, first, mine) => {
        const other = apply({ live: created(base), patch: first, manager: 'm2', force, now: then });
        const once = frozen(apply({ live: other, patch: mine, manager: 'm3', force, now: then }));
        const again = apply({ live: once, patch: mine, manager: 'm3', force: false, now });
        expect(settleTimes(once, again)).toEqual(once);
      }),
    );
  });

  it('has what it says in the object, and owns nothing else', () => {
    fc.assert(
      fc.property(patch, patch, (base, mine) => {
        const object = apply({ live: created(base), patch: mine, manager: 'm2', force, now });
        expect(object.spec).toMatchObject(mine.spec ?? {});
        expect(object.metadata.labels ?? {}).toMatchObject(mine.metadata.labels ?? {});
        expect(object.metadata.finalizers ?? []).toEqual(expect.arrayContaining([...(mine.metadata.finalizers ?? [])]));
        const own = object.metadata.managedFields?.find(({ operation }) => operation === 'Apply');
        const alone = apply({ patch: mine, manager: 'm2', force, now }).metadata.managedFields?.[0];
        expect(own?.fieldsV1).toEqual(alone?.fieldsV1);
      }),
    );
  });

  it('of nothing gives back what it took, if nobody else has a say', () => {
    fc.assert(
      fc.property(patch, (mine) => {
        const object = apply({ patch: mine, manager: 'm1', force, now });
        const empty = apply({ live: object, patch: lease(undefined), manager: 'm1', force: false, now });
        expect(empty).toEqual({ ...lease({}) });
      }),
    );
  });

  it('of two managers who do not meet comes to the same in either order', () => {
    const disjoint = fc.record({ mine: spec, theirs: part });
    fc.assert(
      fc.property(patch, disjoint, (base, { mine, theirs }) => {
        const patches = { m2: lease(mine), m3: lease(undefined, theirs) };
        const orders = (['m2', 'm3'] as const).map((first) => {
          const second = first === 'm2' ? 'm3' : 'm2';
          const live = apply({ live: created(base), patch: patches[first], manager: first, force, now });
          return apply({ live, patch: patches[second], manager: second, force, now });
        });
        const owners = orders.map(({ metadata: { managedFields = [] } }) =>
          managedFields.map(({ manager, fieldsV1 }) => JSON.stringify([manager, fieldsV1])).sort(),
        );
        expect(owners[0]).toEqual(owners[1]);
        const [left, right] = orders.map((object) => managedBy(object, undefined));
        expect(left).toEqual(right);
      }),
    );
  });

  it('never leaves a field to two who update', () => {
    const step = fc.tuple(fc.constantFrom('apply', 'update'), fc.constantFrom('m1', 'm2', 'm3'), patch);
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        let live: LeaseObject | undefined;
        for (const [operation, manager, object] of steps) {
          const tracked = () => managedBy(object, trackUpdate({ before: live, after: object, manager, now }));
          live = frozen(operation === 'apply' ? apply({ live, patch: object, manager, force, now }) : tracked());
          const updaters = (live.metadata.managedFields ?? []).filter((each) => each.operation === 'Update');
          const paths = updaters.flatMap(({ fieldsV1 }) => FieldSet.fromFieldsV1(fieldsV1).paths().map(showPath));
          expect(new Set(paths).size).toBe(paths.length);
        }
      }),
    );
  });
});
