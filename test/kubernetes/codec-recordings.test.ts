import { describe, expect, test } from 'vitest';
import { decodeLease, type FieldValidation } from '../../server/dist/kubernetes/codec/decode.js';
import { encode } from '../../server/dist/kubernetes/codec/encode.js';
import { warningHeader } from '../../server/dist/kubernetes/codec/warnings.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { leaseInvalid, StatusError, type Status } from '../../server/dist/kubernetes/status.js';
import { validateCreate } from '../../server/dist/kubernetes/validation.js';
import { bodyOf, recordedCases, statusOf, type Step } from './recordings.js';

/** What a recorded body amounts to: a lease with the header for its warnings, or a refusal. */
function outcomeOf(step: Step): { object: LeaseObject; warning: string } | Status {
  const validation = new URL(step.path, 'http://x').searchParams.get('fieldValidation') as FieldValidation | null;
  try {
    const { object, warnings } = decodeLease(bodyOf(step), step.headers?.['content-type'], validation ?? 'Warn');
    const causes = validateCreate(complete(object));
    if (causes.length > 0) return leaseInvalid(object.metadata.name ?? '', causes).status;
    return { object, warning: warningHeader(warnings) };
  } catch (cause) {
    if (cause instanceof StatusError) return cause.status;
    throw cause;
  }
}

/** As the server fills it in before validation; the fields of coordinated elections are dropped where those are not enabled. */
function complete(lease: LeaseObject): LeaseObject {
  const { generateName, name = generateName === undefined ? '' : `${generateName}abcde` } = lease.metadata;
  const { strategy, preferredHolder, ...spec } = lease.spec ?? {};
  return { ...lease, metadata: { ...lease.metadata, name, namespace: 'ns' }, spec };
}

const writes = recordedCases().flatMap(({ name, steps }) =>
  steps
    .filter(({ method, path }) => (method === 'POST' || method === 'PUT') && /\/leases(\/[^/]*)?$/.test(path.split('?')[0]!))
    .map((step) => ({ name, step })),
);

describe('a recorded body', () => {
  const accepted = writes.filter(({ step }) => step.expect.status < 300);
  const refused = writes.filter(
    ({ name, step }) => [400, 415, 422].includes(step.expect.status) && !/another namespace|bad dryRun/.test(name),
  );

  test('is there', () => {
    expect(accepted.length).toBeGreaterThan(100);
    expect(refused.length).toBeGreaterThan(20);
  });

  test.each(accepted)('that was taken is taken: $name', ({ step }) => {
    const outcome = outcomeOf(step);
    const { metadata, spec } = step.expect.body as LeaseObject;
    expect(outcome).toHaveProperty('object');
    const { object, warning } = outcome as { object: LeaseObject; warning: string };
    expect(complete(object).spec).toEqual(spec);
    expect(object.metadata.labels).toEqual(metadata.labels);
    expect(object.metadata.annotations).toEqual(metadata.annotations);
    expect(object.metadata.finalizers).toEqual(metadata.finalizers);
    expect(warning).toBe(step.expect.warning ?? '');
  });

  test.each(refused)('that was refused is refused with the same words: $name', ({ step }) => {
    expect(outcomeOf(step)).toEqual(statusOf(step));
  });
});

describe('a recorded answer in YAML', () => {
  const [{ step }] = recordedCases()
    .flatMap(({ steps }) => steps.map((each) => ({ step: each })))
    .filter(({ step: each }) => each.expect.contentType === 'application/yaml') as [{ step: Step }];

  test('is what is written here', () => {
    const lease: LeaseObject = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: 'a',
        namespace: '<ns>',
        creationTimestamp: '2024-01-02T03:04:05Z',
        resourceVersion: '1',
        uid: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
        managedFields: [
          {
            manager: 'unknown',
            operation: 'Update',
            apiVersion: 'coordination.k8s.io/v1',
            time: '2024-01-02T03:04:05Z',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': { 'f:holderIdentity': {}, 'f:leaseDurationSeconds': {} } },
          },
        ],
      },
      spec: { holderIdentity: 'h', leaseDurationSeconds: 15 },
    };
    const { body } = encode(lease, { format: 'yaml', pretty: false });
    const varying = /(uid: |resourceVersion: |time: |creationTimestamp: )"?[\w:.-]+"?/g;
    expect((body as string).replace(varying, '$1<varies>')).toBe(step.expect.body);
  });
});
