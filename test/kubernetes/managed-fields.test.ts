import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { FieldsV1, ManagedFieldsEntry } from '../../server/dist/kubernetes/lease-object.js';
import { FieldSet } from '../../server/dist/kubernetes/managed-fields/field-set.js';
import { managerName } from '../../server/dist/kubernetes/managed-fields/manager-name.js';
import { showPath } from '../../server/dist/kubernetes/managed-fields/path-element.js';
import { settleTimes } from '../../server/dist/kubernetes/managed-fields/settle-times.js';
import { trackUpdate } from '../../server/dist/kubernetes/managed-fields/update.js';
import { created, entry, labelFields, lease, managedBy, now, owner, specFields } from './managed-objects.js';
import { recorded, replay } from './plain-store.js';

/** Who owns which fields of a lease, on plain objects. */

describe('as recorded:', () => {
  test.each([
    'create full',
    'create with labels and annotations',
    'create with generateName',
    'create with uid and server fields set by the client',
    'create with fieldManager',
    'create with empty holder',
    'create with strategy without preferredHolder',
    'update without change keeps the version',
    'update what is not there',
    'update releases as client-go does',
    'update dry run',
    'update changes creationTimestamp',
    'managers reset',
  ])('%s', (name) => {
    const steps = recorded.get(name)!;
    expect(replay(steps)).toEqual(steps.map(({ expect: { body } }) => body));
  });
});

describe('an update', () => {
  const live = created(lease({ holderIdentity: 'h', leaseDurationSeconds: 5 }, { labels: { a: '1', b: '2' } }));

  test('takes what it changes from others, and leaves them the rest', () => {
    const after = { ...live, spec: { holderIdentity: 'h2', leaseDurationSeconds: 5 } };
    expect(trackUpdate({ before: live, after, manager: 'm2', now })).toEqual([
      entry('m1 Update', { ...labelFields('.', 'a', 'b'), ...specFields('leaseDurationSeconds') }),
      entry('m2 Update', specFields('holderIdentity'), now),
    ]);
  });

  test('by the same manager adds to what it has, and moves its time', () => {
    const after = { ...live, spec: { ...live.spec, leaseTransitions: 1 } };
    expect(trackUpdate({ before: live, after, manager: 'm1', now })).toEqual([
      entry(
        'm1 Update',
        { ...labelFields('.', 'a', 'b'), ...specFields('holderIdentity', 'leaseDurationSeconds', 'leaseTransitions') },
        now,
      ),
    ]);
  });

  test('that only takes away leaves the fields to nobody, and times as they are', () => {
    const after = { ...live, metadata: { ...live.metadata, labels: { a: '1' } }, spec: {} };
    expect(trackUpdate({ before: live, after, manager: 'm2', now })).toEqual([entry('m1 Update', labelFields('.', 'a'))]);
  });

  test('in which a manager takes away what is its own leaves its time as it is', () => {
    expect(trackUpdate({ before: live, after: { ...live, spec: {} }, manager: 'm1', now })).toEqual([
      entry('m1 Update', labelFields('.', 'a', 'b')),
    ]);
  });

  test('that takes away all that a manager has ends its entry', () => {
    expect(trackUpdate({ before: live, after: lease({}), manager: 'm2', now })).toBeUndefined();
  });

  test('that changes nothing changes nothing', () => {
    const { managedFields, ...metadata } = live.metadata;
    expect(trackUpdate({ before: live, after: { ...live, metadata }, manager: 'm2', now })).toEqual(managedFields);
    const empty = { ...live, metadata: { ...metadata, annotations: {}, finalizers: [], ownerReferences: [] } };
    expect(trackUpdate({ before: live, after: empty, manager: 'm2', now })).toEqual(managedFields);
  });

  test('without a name is by `unknown`', () => {
    expect(trackUpdate({ after: lease({ holderIdentity: '' }), manager: '', now })).toEqual([
      entry('unknown Update', specFields('holderIdentity'), now),
    ]);
  });

  test('owns lists item by item, and owners by their uid', () => {
    const listed = created(lease(undefined, { finalizers: ['f/2', 'f/1'], ownerReferences: [owner('y'), owner('x<')] }));
    expect(JSON.stringify(listed.metadata.managedFields?.[0]?.fieldsV1)).toBe(
      '{"f:metadata":{"f:finalizers":{".":{},"v:\\"f/1\\"":{},"v:\\"f/2\\"":{}},' +
        '"f:ownerReferences":{".":{},"k:{\\"uid\\":\\"x\\\\u003c\\"}":{},"k:{\\"uid\\":\\"y\\"}":{}}}}',
    );
    const after = {
      ...listed,
      metadata: { ...listed.metadata, finalizers: ['f/2'], ownerReferences: [owner('y', 'm'), owner('x<')] },
    };
    const managers = trackUpdate({ before: listed, after, manager: 'm2', now });
    expect(managers?.map(({ fieldsV1 }) => fieldsV1)).toEqual([
      {
        'f:metadata': {
          'f:finalizers': { '.': {}, 'v:"f/2"': {} },
          'f:ownerReferences': { '.': {}, 'k:{"uid":"x\\u003c"}': {} },
        },
      },
      { 'f:metadata': { 'f:ownerReferences': { 'k:{"uid":"y"}': {} } } },
    ]);
  });

  test('takes an owner that is there twice for one thing', () => {
    const once = created(lease(undefined, { ownerReferences: [owner('x')] }));
    const twice = { ...once, metadata: { ...once.metadata, ownerReferences: [owner('x'), owner('x', 'm')] } };
    const managers = trackUpdate({ before: once, after: twice, manager: 'm2', now });
    expect(managers).toEqual([
      entry('m1 Update', { 'f:metadata': { 'f:ownerReferences': {} } }),
      entry('m2 Update', { 'f:metadata': { 'f:ownerReferences': { 'k:{"uid":"x"}': {} } } }, now),
    ]);
    const labelled = {
      ...managedBy(twice, managers),
      metadata: { ...twice.metadata, managedFields: managers!, labels: { a: '1' } },
    };
    const unchanged = trackUpdate({ before: managedBy(twice, managers), after: labelled, manager: 'm3', now });
    expect(unchanged?.slice(0, 2)).toEqual(managers);
    const back = { ...managedBy(twice, managers), metadata: { ...once.metadata, managedFields: managers! } };
    const after = trackUpdate({ before: managedBy(twice, managers), after: back, manager: 'm3', now });
    expect(after?.map(({ manager }) => manager)).toEqual(['m1', 'm3']);
  });

  test('comes after applies, then by time, then by name', () => {
    const managedFields = [
      entry('z Update', labelFields('.', 'a')),
      entry('b Update', labelFields('b'), now),
      entry('y Apply', specFields('holderIdentity'), now),
      entry('a Update', specFields('leaseDurationSeconds'), now),
      entry('x Apply', specFields('holderIdentity'), now),
      entry('w Update', specFields('holderIdentity'), ''),
    ];
    const before = managedBy(live, managedFields);
    const order = trackUpdate({ before, after: before, manager: 'm', now })?.map(({ manager }) => manager);
    expect(order).toEqual(['x', 'y', 'w', 'z', 'a', 'b']);
  });

  test('by the eleventh manager puts the oldest ones together', () => {
    const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'x']));
    let object = lease(undefined);
    for (let index = 0; index < 12; index++) {
      const after = { ...object, metadata: { ...object.metadata, labels: labels(index + 1) } };
      const before = index === 0 ? undefined : object;
      const time = `2026-01-${String(index + 1).padStart(2, '0')}T00:00:00Z`;
      object = managedBy(after, trackUpdate({ before, after, manager: `m${index}`, now: time }));
    }
    expect(object.metadata.managedFields).toHaveLength(10);
    expect(object.metadata.managedFields?.slice(0, 2)).toEqual([
      entry('ancient-changes Update', labelFields('.', 'l0', 'l1', 'l2'), '2026-01-03T00:00:00Z'),
      entry('m3 Update', labelFields('l3'), '2026-01-04T00:00:00Z'),
    ]);
  });

  describe('with managedFields of its own', () => {
    const stated = entry('s Update', specFields('holderIdentity', 'renewTime'), '2020-01-01T00:00:00Z');

    test('has them kept', () => {
      const after = managedBy(live, [stated]);
      expect(trackUpdate({ before: live, after, manager: 'm2', now })).toEqual([stated]);
    });

    test('has them kept on creation for what is not in the object', () => {
      const after = managedBy(lease({ holderIdentity: 'h' }), [stated]);
      expect(trackUpdate({ after, manager: 'm2', now })).toEqual([
        entry('s Update', specFields('renewTime'), '2020-01-01T00:00:00Z'),
        entry('m2 Update', specFields('holderIdentity'), now),
      ]);
    });

    test('has those of other versions dropped, and nobody owns a part of what is owned as a whole', () => {
      const nested = {
        'f:metadata': { 'f:ownerReferences': { 'k:{"uid":"x"}': { '.': {}, 'f:name': {} } }, 'f:odd': { 'x:y': {} } },
      };
      const after = managedBy(live, [
        entry('t Apply', labelFields('a')),
        { ...entry('t Apply', labelFields('a')), apiVersion: 'coordination.k8s.io/v1beta1' },
        { ...stated, apiVersion: 'coordination.k8s.io/v1beta1' },
        entry('s Apply', nested),
      ]);
      expect(trackUpdate({ before: live, after, manager: 'm2', now })).toEqual([
        entry('s Apply', { 'f:metadata': { 'f:odd': {}, 'f:ownerReferences': { 'k:{"uid":"x"}': {} } } }),
      ]);
    });

    test.each([
      ['an operation', { operation: 'Other' }],
      ['a version', { apiVersion: '' }],
      ['a type', { fieldsType: 'FieldsV2' }],
      ['no type', { fieldsType: undefined }],
      ['an element', { fieldsV1: { f: {} } }],
      ['an element without a colon', { fieldsV1: { fspec: {} } }],
      ['a key', { fieldsV1: { 'k:5': {} } }],
      ['a value', { fieldsV1: { 'v:}': {} } }],
      ['an index', { fieldsV1: { 'i:x': {} } }],
      ['fields', { fieldsV1: { 'f:spec': 5 } }],
    ])('that cannot be read for %s keeps those that there are', (_, fault) => {
      const after = managedBy(live, [{ ...stated, ...fault } as ManagedFieldsEntry]);
      expect(trackUpdate({ before: live, after, manager: 'm2', now })).toEqual(live.metadata.managedFields);
    });

    test.each([[[]], [[{}]]])('that are %j ends the tracking, until someone applies', (reset) => {
      const untracked = managedBy(live, trackUpdate({ before: live, after: managedBy(live, reset), manager: 'm2', now }));
      expect(untracked.metadata).not.toHaveProperty('managedFields');
      const changed = { ...untracked, spec: { holderIdentity: 'other' } };
      expect(trackUpdate({ before: untracked, after: changed, manager: 'm2', now })).toBeUndefined();
      expect(trackUpdate({ after: managedBy(live, reset), manager: 'm2', now })).toHaveLength(1);
    });
  });
});

describe('times', () => {
  const before = lease({ holderIdentity: 'h' }, { managedFields: [entry('m Update', specFields('holderIdentity'))] });

  test('that are all that is new are put back', () => {
    const after = managedBy(before, [entry('m Update', specFields('holderIdentity'), now)]);
    expect(settleTimes(before, after)).toEqual(before);
  });

  test('stay when something else is new', () => {
    const after = managedBy({ ...before, spec: {} }, [entry('m Update', specFields('holderIdentity'), now)]);
    expect(settleTimes(before, after)).toEqual(after);
    const taken = managedBy(before, [entry('n Update', specFields('holderIdentity'), now)]);
    expect(settleTimes(before, taken)).toEqual(taken);
    const more = managedBy(before, [...before.metadata.managedFields!, entry('n Apply', specFields('holderIdentity'), now)]);
    expect(settleTimes(before, more)).toEqual(more);
  });
});

describe('the name of a manager', () => {
  test.each([
    ['me', 'kubectl/v1.32', 'me'],
    ['', 'kubectl/v1.32 (linux/amd64)', 'kubectl'],
    ['', 'a b/1', 'a b'],
    ['', 'ta\tb\u0007ü/1', 'tabü'],
    ['', '', ''],
    ['', 'x'.repeat(200), 'x'.repeat(128)],
    ['', 'ü'.repeat(200), 'ü'.repeat(64)],
  ])('%j of %j is %j', (fieldManager, userAgent, expected) => {
    expect(managerName(fieldManager, userAgent)).toBe(expected);
  });
});

describe('a set of fields', () => {
  const element = fc.constantFrom('f:a', 'f:b', 'k:{"uid":"x"}', 'v:"x"', 'v:7', 'i:0');
  const set = fc.array(fc.array(element, { minLength: 1, maxLength: 3 }), { maxLength: 12 }).map((paths) => FieldSet.of(paths));
  const same = (left: FieldSet, right: FieldSet) => expect(left.toFieldsV1()).toEqual(right.toFieldsV1());

  it('obeys the laws of sets', () => {
    fc.assert(
      fc.property(set, set, set, (a, b, c) => {
        same(a.union(b), b.union(a));
        same(a.union(b).union(c), a.union(b.union(c)));
        same(a.union(a), a);
        same(a.intersection(b), b.intersection(a));
        same(a.intersection(b.union(c)), a.intersection(b).union(a.intersection(c)));
        same(a.difference(b).union(a.intersection(b)), a);
        same(a.difference(b).difference(c), a.difference(b.union(c)));
        expect(a.difference(b).meets(b)).toBe(false);
        expect(a.meets(b)).toBe(!a.intersection(b).isEmpty);
        expect(a.union(b).contains(a)).toBe(true);
        expect(a.contains(b)).toBe(b.difference(a).isEmpty);
      }),
    );
  });

  it('has the fields that it lists', () => {
    fc.assert(
      fc.property(set, set, (a, b) => {
        same(FieldSet.of(a.paths()), a);
        expect(a.paths().every((path) => a.has(path))).toBe(true);
        expect(
          a
            .union(b)
            .paths()
            .every((path) => a.has(path) || b.has(path)),
        ).toBe(true);
        expect(
          a
            .difference(b)
            .paths()
            .some((path) => b.has(path)),
        ).toBe(false);
      }),
    );
    expect(FieldSet.of([['f:a', 'f:b']]).has(['f:a'])).toBe(false);
    expect(FieldSet.of([['f:a']]).has([])).toBe(false);
    expect(FieldSet.of([[]]).isEmpty).toBe(true);
  });

  it('is what FieldsV1 says, in the order of Kubernetes', () => {
    fc.assert(
      fc.property(set, (a) => {
        const text = JSON.stringify(a.toFieldsV1());
        expect(JSON.stringify(FieldSet.fromFieldsV1(JSON.parse(text) as FieldsV1).toFieldsV1())).toBe(text);
      }),
    );
    const jumbled = {
      'i:10': {},
      'i:9': {},
      'v:"b"': {},
      'v:10': {},
      'v:9': {},
      'v:true': {},
      'k:{ "b": 1, "a": 1 }': {},
      'k:{"a":1}': {},
      'f:b': {},
      'f:a': { 'f:z': {}, '.': {} },
    };
    expect(Object.keys(FieldSet.fromFieldsV1(jumbled).toFieldsV1())).toEqual([
      'f:a',
      'f:b',
      'k:{"a":1}',
      'k:{"a":1,"b":1}',
      'v:9',
      'v:10',
      'v:"b"',
      'v:true',
      'i:9',
      'i:10',
    ]);
    expect(FieldSet.fromFieldsV1(jumbled).paths()[0]).toEqual(['f:a']);
    expect(FieldSet.fromFieldsV1({ 'x:unknown': {}, 'f:a': { 'x:unknown': {} } }).toFieldsV1()).toEqual({ 'f:a': {} });
  });

  it('shows paths as Kubernetes does', () => {
    expect(showPath(['f:metadata', 'f:x', 'k:{"a":1,"uid":"q\\"t"}', 'v:"v"', 'v:true', 'i:3'])).toBe(
      '.metadata.x[a=1,uid="q\\"t"][="v"][=true][3]',
    );
  });
});
