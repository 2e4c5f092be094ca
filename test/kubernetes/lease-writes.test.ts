import { beforeEach, describe, expect, test } from 'vitest';
import { decodeLease } from '../../server/dist/kubernetes/codec/decode.js';
import { encode } from '../../server/dist/kubernetes/codec/encode.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { changed, heldBy, leases, LeaseWorld, merge, one } from './lease-world.js';

let api: LeaseWorld;

beforeEach(async () => {
  api = await LeaseWorld.start();
});

const modified =
  'Operation cannot be fulfilled on leases.coordination.k8s.io "example": the object has been modified; please apply your changes to the latest version and try again';

describe('a creation', () => {
  test('of a name that is taken is 409', async () => {
    await api.create();
    const again = await api.ask('POST', leases, { body: { metadata: { name: 'example' } } });
    expect(again).toMatchObject({
      code: 409,
      status: {
        reason: 'AlreadyExists',
        message: 'leases.coordination.k8s.io "example" already exists',
        details: { name: 'example', group: 'coordination.k8s.io', kind: 'leases' },
      },
    });
  });

  test('of a name that is being deleted says so', async () => {
    await api.create({}, { finalizers: ['example.com/f'] });
    await api.ask('DELETE', one);
    const again = await api.ask('POST', leases, { body: { metadata: { name: 'example' } } });
    expect(again.status.message).toBe('object is being deleted: leases.coordination.k8s.io "example" already exists');
  });

  test('under a generated name takes another one when that is taken', async () => {
    api.suffixes.push('aaaaa', 'aaaaa', 'bbbbb');
    const post = (): ReturnType<LeaseWorld['ask']> => api.ask('POST', leases, { body: { metadata: { generateName: 'gen-' } } });
    expect((await post()).lease.metadata).toMatchObject({ name: 'gen-aaaaa', generateName: 'gen-' });
    expect((await post()).lease.metadata.name).toBe('gen-bbbbb');
  });

  test('under a generated name is given up after 8 of them', async () => {
    const post = (): ReturnType<LeaseWorld['ask']> => api.ask('POST', leases, { body: { metadata: { generateName: 'gen-' } } });
    api.suffixes.push(...Array.from({ length: 9 }, () => 'aaaaa'), 'bbbbb');
    expect((await post()).code).toBe(201);
    expect(await post()).toMatchObject({
      code: 409,
      headers: { 'retry-after': '1' },
      status: {
        reason: 'AlreadyExists',
        message:
          'leases.coordination.k8s.io "gen-aaaaa" already exists, the server was not able to generate a unique name for the object',
      },
    });
    expect((await post()).lease.metadata.name).toBe('gen-bbbbb');
  });

  test('under a long generated name stays within 63 characters', async () => {
    const { lease } = await api.ask('POST', leases, { body: { metadata: { generateName: 'g'.repeat(100) } } });
    expect(lease.metadata.name).toBe(`${'g'.repeat(58)}zzzzz`);
  });

  test('in a namespace that there cannot be is 404', async () => {
    const answer = await api.ask('POST', leases.replace('default', 'No_Such'), { body: { metadata: { name: 'a' } } });
    expect(answer).toMatchObject({ code: 404, status: { message: 'namespaces "No_Such" not found' } });
  });

  test('that is dry makes nothing, and shows what would be', async () => {
    const answer = await api.ask('POST', `${leases}?dryRun=All`, { body: { metadata: { name: 'example' }, spec: heldBy('a') } });
    expect(answer).toMatchObject({ code: 201, lease: { spec: heldBy('a'), metadata: { name: 'example' } } });
    expect(answer.lease.metadata).not.toHaveProperty('resourceVersion');
    expect((await api.ask('GET', one)).code).toBe(404);
  });

  test('names each owner once, and warns about those who came twice', async () => {
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' };
    const metadata = {
      name: 'example',
      ownerReferences: [owner, { ...owner, name: 'other' }, { uid: 'u', name: 'n', kind: 'Node', apiVersion: 'v1' }],
    };
    const answer = await api.ask('POST', leases, { body: { metadata } });
    expect(answer.lease.metadata.ownerReferences).toEqual([owner, { ...owner, name: 'other' }]);
    expect(answer.headers['warning']).toMatch(/^299 - "\.metadata\.ownerReferences contains duplicate entries; .* observed: u"$/);
  });

  test('with more than can be kept is 422 that names the field', async () => {
    const labels = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`l${index}`, '']));
    const answer = await api.ask('POST', leases, { body: { metadata: { name: 'example', labels } } });
    expect(answer).toMatchObject({
      code: 422,
      status: {
        details: { causes: [{ field: 'metadata.labels', message: 'Invalid labels: must have at most 64 entries, got 65' }] },
      },
    });
  });
});

describe('a body', () => {
  test.each(['json', 'yaml', 'protobuf'] as const)('is taken in %s, and answered in kind', async (format) => {
    const object = { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', metadata: { name: 'example' }, spec: heldBy('a') };
    const { contentType, body } = encode(object, { format, pretty: false });
    const headers = { 'content-type': contentType, accept: contentType };
    const created = await api.ask('POST', leases, { headers, body });
    expect(created).toMatchObject({ code: 201, contentType });
    const { object: lease } = decodeLease(created.bytes, contentType, 'Strict');
    // Of itself the server says nothing in YAML, which is for files.
    const { annotations, ...metadata } = (await api.get()).metadata;
    expect(lease.metadata).toEqual(format === 'yaml' ? metadata : { ...metadata, annotations });
    const renewed = changed(lease, { spec: { renewTime: '2027-01-01T00:00:00.000001Z' } }) as LeaseObject;
    const put = await api.ask('PUT', one, { headers, body: encode(renewed, { format, pretty: false }).body });
    expect(put).toMatchObject({ code: 200, contentType });
    expect((await api.get()).spec?.renewTime).toBe('2027-01-01T00:00:00.000001Z');
  });
});

describe('who writes', () => {
  test.each([
    [leases, { 'user-agent': 'kubectl/v1.32.0 (linux/amd64)' }, 'kubectl'],
    [`${leases}?fieldManager=me`, { 'user-agent': 'kubectl/v1.32.0' }, 'me'],
    [leases, {}, 'unknown'],
  ])('is told by %s with %o', async (url, headers, manager) => {
    const { lease } = await api.ask('POST', url, { headers, body: { metadata: { name: 'example' }, spec: heldBy('a') } });
    expect(lease.metadata.managedFields).toMatchObject([{ manager, operation: 'Update' }]);
  });

  test.each([
    ['fieldManager', 'm'.repeat(129), 'Too long: may not be more than 128 bytes'],
    ['fieldManager', 'a\u0007', 'Invalid value: "a\\a": invalid character U+0007 (at position 1)'],
    ['fieldValidation', 'Loose', 'Unsupported value: "Loose": supported values: "", "Ignore", "Strict", "Warn"'],
    ['dryRun', '', 'Unsupported value: [""]: supported values: "All"'],
  ])('has to be told well: %s=%j', async (field, value, message) => {
    const query = new URLSearchParams({ [field]: value }).toString();
    for (const [method, path, kind, headers] of [
      ['POST', leases, 'CreateOptions', {}],
      ['PUT', one, 'UpdateOptions', {}],
      ['PATCH', one, 'PatchOptions', merge],
    ] as const) {
      const answer = await api.ask(method, `${path}?${query}`, { headers, body: {} });
      expect(answer).toMatchObject({ code: 422, status: { details: { kind, causes: [{ field, message }] } } });
    }
  });
});

describe('an update', () => {
  test('that names no version is 422', async () => {
    const lease = await api.create();
    const answer = await api.ask('PUT', one, { body: changed(lease, { metadata: { resourceVersion: '' } }) });
    expect(answer).toMatchObject({
      code: 422,
      status: {
        message:
          'leases.coordination.k8s.io "example" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      },
    });
  });

  test('that somebody else was faster than is 409, also when both were read at once', async () => {
    const lease = await api.create(heldBy('a'));
    const put = (holderIdentity: string): ReturnType<LeaseWorld['ask']> =>
      api.ask('PUT', one, { body: changed(lease, { spec: { holderIdentity } }) });
    const [first, second] = await Promise.all([put('b'), put('c')]);
    expect(first.code).toBe(200);
    expect(second).toMatchObject({ code: 409, status: { reason: 'Conflict', message: modified } });
    expect((await api.get()).spec?.holderIdentity).toBe('b');
  });

  test('of what is not there creates it once: the second of two at once meets a conflict or a missing version', async () => {
    const put = (): ReturnType<LeaseWorld['ask']> => api.ask('PUT', one, { body: { metadata: { name: 'example' } } });
    const [first, second] = await Promise.all([put(), put()]);
    expect([first.code, second.code]).toEqual([201, 422]);
  });

  test('of what is not there, but was said to be another one, is 409', async () => {
    const answer = await api.ask('PUT', one, { body: { metadata: { name: 'example', uid: 'x' } } });
    expect(answer).toMatchObject({ code: 409, status: { reason: 'Conflict' } });
    expect(answer.status.message).toMatch(/UID in precondition: x, UID in object meta: $/);
  });

  test('of another name, or of none, is 400', async () => {
    const put = async (metadata: object): Promise<string | undefined> =>
      (await api.ask('PUT', one, { body: { metadata } })).status.message;
    expect(await put({ name: 'other' })).toBe('the name of the object (other) does not match the name on the URL (example)');
    expect(await put({})).toBe('the name of the object (example based on URL) was undeterminable: name must be provided');
  });

  test('cannot set what only the server says', async () => {
    const lease = await api.create(heldBy('a'));
    const metadata = { generation: 5, selfLink: '/x', creationTimestamp: '2020-01-01T00:00:00Z', labels: { a: 'b' } };
    const { lease: put } = await api.ask('PUT', one, { body: changed(lease, { metadata }) });
    expect(put.metadata).toEqual({
      ...lease.metadata,
      labels: { a: 'b' },
      resourceVersion: expect.not.stringMatching(`^${lease.metadata.resourceVersion}$`) as string,
      managedFields: [expect.objectContaining({ manager: 'unknown' })],
    });
  });

  test('cannot delete by a deletionTimestamp', async () => {
    const lease = await api.create();
    const answer = await api.ask('PUT', one, {
      body: changed(lease, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
    });
    expect(answer).toMatchObject({ code: 422, status: { details: { causes: [{ field: 'metadata.deletionTimestamp' }, {}] } } });
  });

  test('that says the same in another order keeps the version', async () => {
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' };
    const lease = await api.create(heldBy('a'), { ownerReferences: [owner], labels: { a: '1', b: '2' } });
    const other = { ownerReferences: [{ uid: 'u', name: 'n', kind: 'Node', apiVersion: 'v1' }], labels: { b: '2', a: '1' } };
    await api.world.clock.advance(5000);
    const { lease: put } = await api.ask('PUT', one, { body: changed(lease, { metadata: other }) });
    expect(put.metadata.resourceVersion).toBe(lease.metadata.resourceVersion);
  });

  test('that says again what is not kept, keeps the version', async () => {
    const spec = { ...heldBy('a'), strategy: 'OldestEmulationVersion' };
    const lease = await api.create(spec);
    expect(lease.spec).toEqual(heldBy('a'));
    await api.world.clock.advance(5000);
    const { code, lease: put } = await api.ask('PUT', one, { body: changed(lease, { spec }) });
    expect(code).toBe(200);
    expect(put.metadata.resourceVersion).toBe(lease.metadata.resourceVersion);
  });
});

describe('a patch', () => {
  test('that names no version is made again until it fits: none of many at once is lost', async () => {
    await api.create(heldBy('a'));
    const labels = Array.from({ length: 20 }, (_, index) => `l${index}`);
    const patch = (label: string): ReturnType<LeaseWorld['ask']> =>
      api.ask('PATCH', one, { headers: merge, body: { metadata: { labels: { [label]: '1' } } } });
    const answers = await Promise.all(labels.map(patch));
    expect(answers.map(({ code }) => code)).toEqual(labels.map(() => 200));
    expect(Object.keys((await api.get()).metadata.labels ?? {}).sort()).toEqual(labels.sort());
  });

  test('that names a version is not made again', async () => {
    const { metadata } = await api.create();
    const patch = (label: string): ReturnType<LeaseWorld['ask']> =>
      api.ask('PATCH', one, {
        headers: merge,
        body: { metadata: { resourceVersion: metadata.resourceVersion, labels: { [label]: '1' } } },
      });
    const answers = await Promise.all([patch('a'), patch('b')]);
    expect(answers.map(({ code }) => code)).toEqual([200, 409]);
    expect(answers[1].status.message).toBe(modified);
  });

  test('that is applied creates what is not there once', async () => {
    const apply = (manager: string): ReturnType<LeaseWorld['ask']> =>
      api.ask('PATCH', `${one}?fieldManager=${manager}`, {
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: `{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: example, labels: {${manager}: x}}}`,
      });
    const answers = await Promise.all([apply('a'), apply('b')]);
    expect(answers.map(({ code }) => code)).toEqual([201, 200]);
    expect((await api.get()).metadata.labels).toEqual({ a: 'x', b: 'x' });
  });

  test.each([
    [
      'application/apply-patch+yaml',
      '',
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    ],
    [
      'application/merge-patch+json',
      '?force=true',
      422,
      'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    ],
    [
      ...['application/merge-patch+json, application/json', '', 415],
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml',
    ],
    ['application/json', '', 415, '415: Unsupported Media Type'],
    ['application/merge-patch+json; charset=utf-8', '', 404, 'leases.coordination.k8s.io "example" not found'],
  ] as [string, string, number, string][])('%s%s is refused with its reason', async (type, query, code, message) => {
    const answer = await api.ask('PATCH', `${one}${query}`, { headers: { 'content-type': type }, body: '{' });
    expect(answer).toMatchObject({ code, status: { message } });
  });

  test('that is applied with a time is in no conflict with one that has other digits of the same time', async () => {
    const apply = (manager: string, time: string): ReturnType<LeaseWorld['ask']> =>
      api.ask('PATCH', `${one}?fieldManager=${manager}`, {
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: `{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: example}, spec: {renewTime: "${time}"}}`,
      });
    expect((await apply('a', '2023-12-02T10:00:00Z')).code).toBe(201);
    expect((await apply('b', '2023-12-02T10:00:00Z')).code).toBe(200);
    expect((await apply('c', '2023-12-02T10:00:00.000Z')).code).toBe(200);
    const { metadata, spec } = await api.get();
    expect(spec).toEqual({ renewTime: '2023-12-02T10:00:00.000000Z' });
    expect(metadata.managedFields?.map(({ manager }) => manager).sort()).toEqual(['a', 'b', 'c']);
    expect((await apply('d', '2023-12-02T10:00:00.5Z')).code).toBe(409);
  });

  test('that is applied to another incarnation than there is none of is 409', async () => {
    const answer = await api.ask('PATCH', `${one}?fieldManager=m`, {
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: '{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: example, uid: x}}',
    });
    expect(answer.status.message).toBe(
      'Operation cannot be fulfilled on leases.coordination.k8s.io "example": uid mismatch: the provided object specified uid x, and no existing object was found',
    );
  });

  test('that is applied with a time that is none is refused as kube-apiserver does', async () => {
    const answer = await api.ask('PATCH', `${one}?fieldManager=m`, {
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: '{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: example}, spec: {renewTime: soon}}',
    });
    expect(answer.code).toBe(500);
    expect(answer.status.message).toMatch(/^failed to convert new object \(\/example; .*: parsing time "soon" as /);
  });

  test('takes times with any digits of a second, in all four kinds', async () => {
    await api.create();
    const renewTime = '2026-05-06T07:08:09.123+02:00';
    for (const [type, body] of [
      ['application/merge-patch+json', { spec: { renewTime } }],
      ['application/strategic-merge-patch+json', { spec: { renewTime } }],
      ['application/json-patch+json', [{ op: 'add', path: '/spec/renewTime', value: renewTime }]],
      [
        'application/apply-patch+yaml',
        { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'example' }, spec: { renewTime } },
      ],
    ] as const) {
      await api.ask('PATCH', one, { headers: merge, body: { spec: { renewTime: null } } });
      const { lease } = await api.ask('PATCH', `${one}?fieldManager=m`, { headers: { 'content-type': type }, body });
      expect(lease.spec?.renewTime).toBe('2026-05-06T05:08:09.123000Z');
    }
  });

  test.each(['Warn', 'Strict', 'Ignore'])('with fields that are none or come twice, validation %s', async (validation) => {
    await api.create();
    const body = '{"spec":{"holder":"x"},"metadata":{"labels":{"a":"b","a":"c"}}}';
    const answer = await api.ask('PATCH', `${one}?fieldValidation=${validation}`, { headers: merge, body });
    const twice = 'duplicate field "metadata.labels.a"';
    const none = 'unknown field "spec.holder"';
    if (validation === 'Strict') {
      expect(answer.code).toBe(422);
      expect(answer.status.message).toContain(`strict decoding error: ${twice}, ${none}`);
    } else {
      expect(answer).toMatchObject({ code: 200, lease: { metadata: { labels: { a: 'c' } } } });
      const quoted = [twice, none].map((text) => `299 - "${text.replaceAll('"', '\\"')}"`).join(', ');
      expect(answer.headers['warning']).toBe(validation === 'Warn' ? quoted : undefined);
    }
  });
});
