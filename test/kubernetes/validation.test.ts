import { describe, expect, test } from 'vitest';
import type { LeaseObject, ManagedFieldsEntry, ObjectMeta } from '../../server/dist/kubernetes/lease-object.js';
import { leaseInvalid } from '../../server/dist/kubernetes/status.js';
import { validateCreate, validateUpdate } from '../../server/dist/kubernetes/validation.js';
import { fieldManagerCauses } from '../../server/dist/kubernetes/validation/metadata.js';

type Spec = NonNullable<LeaseObject['spec']>;

function lease(metadata: ObjectMeta = {}, spec: Spec = {}): LeaseObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'a', namespace: 'ns', ...metadata },
    spec,
  };
}

/** What is wrong with new metadata, as `field: message`. */
const said = (metadata: ObjectMeta, spec: Spec = {}) =>
  validateCreate(lease(metadata, spec)).map(({ field, message }) => `${field}: ${message}`);

const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const keyName =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValue =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

describe('a new lease', () => {
  test('may be of any kind that Kubernetes takes', () => {
    expect(said({}, {})).toEqual([]);
    expect(
      said(
        {
          name: `a.b-c.${'d'.repeat(247)}`,
          generateName: 'gen-',
          generation: 7,
          labels: { x: '', 'example.com/Y_z.1': 'A-b_c.9', a: 'v'.repeat(63) },
          annotations: { 'UPPER.example.com/Key': 'any\nthing' },
          finalizers: ['example.com/f', 'orphan'],
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', uid: 'u', controller: true }],
          managedFields: [{ manager: 'm é', operation: 'Apply', fieldsType: 'FieldsV1' }, { operation: 'Update' }],
        },
        { leaseDurationSeconds: 1, leaseTransitions: 0, strategy: 'OldestEmulationVersion', preferredHolder: 'p' },
      ),
    ).toEqual([]);
  });

  test.each([
    [{ name: '' }, 'metadata.name: Required value: name or generateName is required'],
    [{ name: 'a_b' }, `metadata.name: Invalid value: "a_b": ${subdomain}`],
    [{ name: 'A' }, `metadata.name: Invalid value: "A": ${subdomain}`],
    [{ name: 'a..b' }, `metadata.name: Invalid value: "a..b": ${subdomain}`],
    [{ name: 'a\nb' }, `metadata.name: Invalid value: "a\\nb": ${subdomain}`],
    [{ name: 'a'.repeat(254) }, `metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 characters`],
    [{ generateName: '-x-' }, `metadata.generateName: Invalid value: "-x-": ${subdomain}`],
    [{ namespace: '' }, 'metadata.namespace: Required value'],
    [{ namespace: 'a.b' }, 'metadata.namespace: Invalid value: "a.b": must not contain dots'],
    [{ namespace: 'N' }, `metadata.namespace: Invalid value: "N": ${label}`],
    [{ namespace: 'n'.repeat(64) }, `metadata.namespace: Invalid value: "${'n'.repeat(64)}": must be no more than 63 characters`],
    [{ generation: -1 }, 'metadata.generation: Invalid value: -1: must be greater than or equal to 0'],
    [{ labels: { 'bad key': 'x' } }, `metadata.labels: Invalid value: "bad key": ${keyName}`],
    [{ labels: { '/x': 'y' } }, 'metadata.labels: Invalid value: "/x": prefix part must be non-empty'],
    [{ labels: { 'A.com/x': 'y' } }, `metadata.labels: Invalid value: "A.com/x": prefix part ${subdomain}`],
    [
      { labels: { [`${'p'.repeat(254)}/x`]: 'y' } },
      `metadata.labels: Invalid value: "${'p'.repeat(254)}/x": prefix part must be no more than 253 bytes`,
    ],
    [
      { labels: { ['k'.repeat(64)]: 'y' } },
      `metadata.labels: Invalid value: "${'k'.repeat(64)}": name part must be no more than 63 bytes`,
    ],
    [
      { labels: { 'a/b/c': 'y' } },
      `metadata.labels: Invalid value: "a/b/c": a valid label key ${keyName.slice('name part '.length)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ],
    [{ labels: { k: 'bad value!' } }, `metadata.labels: Invalid value: "bad value!": ${labelValue}`],
    [{ labels: { k: 'v'.repeat(64) } }, `metadata.labels: Invalid value: "${'v'.repeat(64)}": must be no more than 63 bytes`],
    [{ annotations: { 'bad key': 'x' } }, `metadata.annotations: Invalid value: "bad key": ${keyName}`],
    [{ annotations: { k: 'v'.repeat(262_144) } }, 'metadata.annotations: Too long: may not be more than 262144 bytes'],
    [{ annotations: { k: 'é'.repeat(131_072) } }, 'metadata.annotations: Too long: may not be more than 262144 bytes'],
    [{ finalizers: ['a b'] }, `metadata.finalizers: Invalid value: "a b": ${keyName}`],
    [
      { finalizers: ['orphan', 'foregroundDeletion'] },
      'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
    ],
  ])('with %j is refused (%#)', (metadata, message) => {
    expect(said(metadata)).toEqual([message]);
  });

  test('may have annotations of 256 KiB', () => {
    expect(said({ annotations: { k: 'v'.repeat(262_143) } })).toEqual([]);
  });

  test('with an empty label key is refused twice', () => {
    expect(said({ labels: { '': 'x' } })).toEqual([
      'metadata.labels: Invalid value: "": name part must be non-empty',
      `metadata.labels: Invalid value: "": ${keyName}`,
    ]);
  });

  test('with owners that are none is refused', () => {
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' };
    const path = 'metadata.ownerReferences';
    expect(said({ ownerReferences: [{ apiVersion: '', kind: '', name: '', uid: '' }] })).toEqual([
      `${path}.apiVersion: Invalid value: "": version must not be empty`,
      `${path}.kind: Invalid value: "": must not be empty`,
      `${path}.name: Invalid value: "": must not be empty`,
      `${path}.uid: Invalid value: "": must not be empty`,
    ]);
    expect(
      said({
        ownerReferences: [
          { ...owner, apiVersion: 'a/b/c' },
          { ...owner, apiVersion: 'apps/' },
        ],
      }),
    ).toHaveLength(2);
    expect(said({ ownerReferences: [{ uid: 'u', kind: 'Event', name: 'p', apiVersion: 'v1' }] })).toEqual([
      `${path}: Invalid value: {"apiVersion":"v1","kind":"Event","name":"p","uid":"u"}: /v1, Kind=Event is disallowed from being an owner`,
    ]);
    const controllers = ['a', 'b'].map((name) => ({ ...owner, name, controller: true }));
    expect(said({ ownerReferences: controllers })).toEqual([
      `${path}: Invalid value: ${JSON.stringify(controllers)}: Only one reference can have Controller set to true. Found "true" in references for Pod/a and Pod/b`,
    ]);
  });

  test('with managers that are none is refused', () => {
    const entry = { operation: 'Erase', fieldsType: 'FieldsV2', subresource: 's'.repeat(257) } as unknown as ManagedFieldsEntry;
    expect(said({ managedFields: [{ operation: 'Apply' }, { ...entry, manager: `${'m'.repeat(129)}\n` }, {}] })).toEqual([
      'metadata.managedFields[1].operation: Invalid value: "Erase": must be `Apply` or `Update`',
      'metadata.managedFields[1].fieldsType: Invalid value: "FieldsV2": must be `FieldsV1`',
      'metadata.managedFields[1].manager: Too long: may not be more than 128 bytes',
      `metadata.managedFields[1].manager: Invalid value: "${'m'.repeat(129)}\\n": invalid character U+000A (at position 129)`,
      'metadata.managedFields[1].subresource: Too long: may not be more than 256 bytes',
      'metadata.managedFields[2].operation: Invalid value: "": must be `Apply` or `Update`',
    ]);
  });

  test.each([
    [{ leaseDurationSeconds: 0 }, 'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    [{ leaseDurationSeconds: -5 }, 'spec.leaseDurationSeconds: Invalid value: -5: must be greater than 0'],
    [{ leaseTransitions: -1 }, 'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0'],
    [{ strategy: 'Mine' }, 'spec.strategy.strategy: Unsupported value: "Mine": supported values: "OldestEmulationVersion"'],
    [{ strategy: 'a b/c' }, `spec.strategy.strategy: Invalid value: "a b/c": prefix part ${subdomain}`],
    [{ preferredHolder: 'p' }, 'spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined'],
  ])('with the spec %j is refused', (spec, message) => {
    expect(said({}, spec)).toEqual([message]);
  });

  test('may have a strategy of somebody else, and prefer nobody', () => {
    expect(said({}, { strategy: 'example.com/mine', preferredHolder: 'p' })).toEqual([]);
    expect(said({}, { preferredHolder: '' })).toEqual([]);
  });

  test('is refused with all that is wrong', () => {
    const causes = validateCreate(lease({ name: '' }, { leaseDurationSeconds: 0 }));
    expect(causes).toEqual([
      { field: 'metadata.name', reason: 'FieldValueRequired', message: 'Required value: name or generateName is required' },
      { field: 'spec.leaseDurationSeconds', reason: 'FieldValueInvalid', message: 'Invalid value: 0: must be greater than 0' },
    ]);
    expect(leaseInvalid('', causes).message).toBe(
      'Lease.coordination.k8s.io "" is invalid: [metadata.name: Required value: name or generateName is required, spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0]',
    );
  });
});

describe('a changed lease', () => {
  const before: ObjectMeta = {
    uid: 'u',
    resourceVersion: '5',
    generation: 2,
    creationTimestamp: '2024-01-02T03:04:05Z',
    finalizers: ['f'],
  };
  const update = (next: ObjectMeta, old: ObjectMeta = before) =>
    validateUpdate(lease({ ...before, ...next }), lease(old)).map(({ field, message }) => `${field}: ${message}`);

  test('may differ in what is the client’s', () => {
    const spec = { holderIdentity: 'other', leaseDurationSeconds: 5 };
    const next = lease({ ...before, resourceVersion: '4', generation: 3, labels: { a: 'b' }, finalizers: [] }, spec);
    expect(validateUpdate(next, lease(before))).toEqual([]);
  });

  test.each([
    [{ name: 'b' }, 'metadata.name: Invalid value: "b": field is immutable'],
    [{ namespace: 'other' }, 'metadata.namespace: Invalid value: "other": field is immutable'],
    [{ uid: 'v' }, 'metadata.uid: Invalid value: "v": field is immutable'],
    [
      { creationTimestamp: '2020-01-01T00:00:00Z' },
      'metadata.creationTimestamp: Invalid value: "2020-01-01T00:00:00Z": field is immutable',
    ],
    [
      { deletionTimestamp: '2020-01-01T00:00:00Z' },
      'metadata.deletionTimestamp: Invalid value: "2020-01-01T00:00:00Z": field is immutable',
    ],
    [{ deletionGracePeriodSeconds: 0 }, 'metadata.deletionGracePeriodSeconds: Invalid value: 0: field is immutable'],
    [{ generation: 1 }, 'metadata.generation: Invalid value: 1: must not be decremented'],
    [{ resourceVersion: '' }, 'metadata.resourceVersion: Invalid value: "": must be specified for an update'],
  ])('may not differ by %j', (next, message) => {
    expect(update(next)).toEqual([message, message]);
  });

  test('may not lose what is immutable', () => {
    const deleting = { ...before, deletionTimestamp: '2024-01-02T03:04:06Z', deletionGracePeriodSeconds: 0 };
    expect(new Set(update({}, deleting))).toEqual(
      new Set([
        'metadata.deletionTimestamp: Invalid value: null: field is immutable',
        'metadata.deletionGracePeriodSeconds: Invalid value: null: field is immutable',
      ]),
    );
  });

  test('may lose finalizers while it is deleted, but get no more', () => {
    const deleting = { ...before, deletionTimestamp: '2024-01-02T03:04:06Z' };
    expect(update({ ...deleting, finalizers: [] }, deleting)).toEqual([]);
    const message =
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"b", "c"}';
    expect(update({ ...deleting, finalizers: ['f', 'c', 'b', 'c'] }, deleting)).toEqual([message, message]);
    expect(update({ finalizers: ['f', 'c'] })).toEqual([]);
  });

  test('with a bad label is refused three times, and said so once', () => {
    const causes = validateUpdate(lease({ ...before, labels: { k: '!' } }), lease(before));
    expect(causes.map(({ field }) => field)).toEqual(['metadata.labels', 'metadata.labels', 'metadata.labels']);
    expect(leaseInvalid('a', causes).message).toBe(
      `Lease.coordination.k8s.io "a" is invalid: metadata.labels: Invalid value: "!": ${labelValue}`,
    );
  });

  test('with a bad spec is refused once', () => {
    const causes = validateUpdate(lease(before, { leaseDurationSeconds: 0 }), lease(before));
    expect(causes.map(({ message }) => message)).toEqual(['Invalid value: 0: must be greater than 0']);
  });
});

describe('the name of a field manager', () => {
  test.each(['', 'kubectl', 'näme with spaces', 'm'.repeat(128)])('may be %j', (manager) => {
    expect(fieldManagerCauses('fieldManager', manager)).toEqual([]);
  });

  test('may not be too long or unprintable', () => {
    expect(fieldManagerCauses('fieldManager', 'é\u0000').map(({ message }) => message)).toEqual([
      'Invalid value: "é\\x00": invalid character U+0000 (at position 2)',
    ]);
    expect(fieldManagerCauses('fieldManager', 'é'.repeat(65)).map(({ message }) => message)).toEqual([
      'Too long: may not be more than 128 bytes',
    ]);
  });
});
