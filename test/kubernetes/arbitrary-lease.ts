import fc from 'fast-check';
import type {
  FieldsV1,
  LeaseObject,
  ManagedFieldsEntry,
  ObjectMeta,
  OwnerReference,
} from '../../server/dist/kubernetes/lease-object.js';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const int64 = fc.maxSafeInteger();

/** What some encoding or other has to take care of, besides plain letters. */
const unit = fc.constantFrom(...Array.from('aby10é😀\u0085\u2028\ufffd\u0000"\\\'<&\n\t -:#{[,|>%@`*!?~=._'));
const text = fc.string({ unit, maxLength: 12 });
const word = fc.string({ unit, minLength: 1, maxLength: 12 });

/** Times in canonical form; Go's zero time is none. */
function time(digits: 0 | 6): fc.Arbitrary<string> {
  const micros = fc.integer({ min: 0, max: 999_999 }).map((value) => String(value).padStart(6, '0'));
  const seconds = fc.integer({ min: -62_000_000_000, max: 253_402_300_799 });
  return fc.tuple(seconds, micros).map(([at, fraction]) => {
    const whole = new Date(at * 1000).toISOString().slice(0, 19);
    return digits === 0 ? `${whole}Z` : `${whole}.${fraction}Z`;
  });
}

const entries = fc.dictionary(word, fc.oneof(text, fc.string({ unit, maxLength: 200 })), {
  minKeys: 1,
  maxKeys: 4,
  noNullPrototype: true,
});

const fieldName = word.filter((name) => name !== '__proto__');

/** A set of fields, some levels deep. */
function treeOf(levels: number): fc.Arbitrary<FieldsV1> {
  if (levels === 0) return fc.constant({});
  return fc.dictionary(fieldName, treeOf(levels - 1), { maxKeys: 3, noNullPrototype: true });
}

const owner: fc.Arbitrary<OwnerReference> = fc.record(
  { apiVersion: text, kind: text, name: text, uid: text, controller: fc.boolean(), blockOwnerDeletion: fc.boolean() },
  { requiredKeys: ['apiVersion', 'kind', 'name', 'uid'] },
);

const managed: fc.Arbitrary<ManagedFieldsEntry> = fc.record(
  {
    manager: word,
    operation: fc.constantFrom('Apply', 'Update'),
    apiVersion: word,
    time: time(0),
    fieldsType: fc.constant('FieldsV1'),
    fieldsV1: treeOf(3),
    subresource: word,
  },
  { requiredKeys: [] },
);

const metadata: fc.Arbitrary<ObjectMeta> = fc.record(
  {
    name: word,
    generateName: word,
    namespace: word,
    selfLink: word,
    uid: word,
    resourceVersion: word,
    generation: int64.filter((value) => value !== 0),
    creationTimestamp: time(0),
    deletionTimestamp: time(0),
    deletionGracePeriodSeconds: int64,
    labels: entries,
    annotations: entries,
    ownerReferences: fc.array(owner, { minLength: 1, maxLength: 3 }),
    finalizers: fc.array(text, { minLength: 1, maxLength: 3 }),
    managedFields: fc.array(managed, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);

const spec = fc.record(
  {
    holderIdentity: text,
    leaseDurationSeconds: int32,
    acquireTime: time(6),
    renewTime: time(6),
    leaseTransitions: int32,
    strategy: text,
    preferredHolder: text,
  },
  { requiredKeys: [] },
);

/** Any lease that can be written down, whether it is valid or not. */
export const anyLease: fc.Arbitrary<LeaseObject> = fc.record({
  apiVersion: fc.constant('coordination.k8s.io/v1'),
  kind: fc.constant('Lease'),
  metadata,
  spec,
});
