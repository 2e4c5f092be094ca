import { describe, expect, test } from 'vitest';
import type { Action, Authorizer } from '../../server/dist/kubernetes/access/authorizer.js';
import { Api } from './api-support.js';

const access = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const rules = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
const subject = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const protobuf = 'application/vnd.kubernetes.protobuf';
/** As kubectl 1.32 sent them. */
const canGetLeases =
  'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSUQoQCgASABoAIgAqADIAOABCABIzCjEKB2RlZmF1bHQSA2dldBoTY29vcmRpbmF0aW9uLms4cy5pbyIAKgZsZWFzZXMyADoAGggIABIAGgAgABoAIgA=';
const whoAmI = 'azhzAAotChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESEVNlbGZTdWJqZWN0UmV2aWV3EhoKEAoAEgAaACIAKgAyADgAQgASBgoECgASABoAIgA=';

describe('a review of access', () => {
  test('is answered as kube-apiserver does', async () => {
    const api = new Api();
    const resourceAttributes = { namespace: 'ns', verb: 'get', group: 'coordination.k8s.io', resource: 'leases' };
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
    const answer = await api.ask('POST', access, { headers: { 'content-type': 'application/json' }, body });
    const owned = { '.': {}, 'f:group': {}, 'f:namespace': {}, 'f:resource': {}, 'f:verb': {} };
    expect(answer).toMatchObject({ code: 201, contentType: 'application/json' });
    expect(answer.json).toEqual({
      ...body,
      metadata: {
        managedFields: [
          {
            ...{ manager: 'unknown', operation: 'Update', apiVersion: 'authorization.k8s.io/v1', fieldsType: 'FieldsV1' },
            ...{ time: seconds(api.clock.wallMs()), fieldsV1: { 'f:spec': { 'f:resourceAttributes': owned } } },
          },
        ],
      },
      status: { allowed: true },
    });
  });

  test('in protobuf is answered in protobuf, and names whoever asks as the owner of the fields', async () => {
    const headers = { 'content-type': protobuf, accept: `${protobuf},application/json`, 'user-agent': 'kubectl/v1.32.4 (linux)' };
    const answer = await new Api().ask('POST', access, { headers, body: Buffer.from(canGetLeases, 'base64') });
    expect(answer).toMatchObject({ code: 201, contentType: protobuf });
    const review = readFields(readFields(Buffer.from(answer.body as Uint8Array).subarray(4)).get(2)?.[0]);
    const status = readFields(review.get(3)?.[0]);
    expect(status.get(1)).toEqual([1]);
    const manager = readFields(readFields(review.get(1)?.[0]).get(17)?.[0]).get(1);
    expect(String(manager)).toBe('kubectl');
  });

  test('of a path is asked as such', async () => {
    const seen: Action[] = [];
    const authorizer = refusing((action) => seen.push(action));
    const body = { spec: { nonResourceAttributes: { path: '/healthz', verb: 'get' } } };
    const answer = await new Api({ authorizer }).ask('POST', access, { body });
    expect(answer).toMatchObject({ code: 201, json: { status: { allowed: false, reason: 'none of it' } } });
    expect(seen).toEqual([{ verb: 'get', path: '/healthz' }]);
  });

  test('names everything that is asked, and says what is not said', async () => {
    const seen: Action[] = [];
    const authorizer = refusing((action) => seen.push(action));
    const api = new Api({ authorizer });
    const all = { namespace: 'n', verb: 'get', group: 'g', version: 'v1', resource: 'r', subresource: 'status', name: 'a' };
    await api.ask('POST', access, { body: { spec: { resourceAttributes: all } } });
    await api.ask('POST', access, { body: { spec: { resourceAttributes: { verb: 'list', resource: 'r' } } } });
    const nothing = { namespace: '', group: '', version: '', subresource: '', name: '' };
    expect(seen).toEqual([all, { ...nothing, verb: 'list', resource: 'r' }]);
  });

  test.each([
    [{ spec: {} }, 'spec.resourceAttributes', 'exactly one of nonResourceAttributes or resourceAttributes must be specified'],
    [
      { spec: { resourceAttributes: { verb: 'get' }, nonResourceAttributes: { path: '/' } } },
      'spec.nonResourceAttributes',
      'cannot be specified in combination with resourceAttributes',
    ],
  ])('%j is invalid', async (body, field, why) => {
    const answer = await new Api().ask('POST', access, { body });
    expect(answer).toMatchObject({
      code: 422,
      json: {
        reason: 'Invalid',
        details: {
          group: 'authorization.k8s.io',
          kind: 'SelfSubjectAccessReview',
          causes: [{ field, reason: 'FieldValueInvalid' }],
        },
        message: expect.stringContaining(why) as string,
      },
    });
  });

  test('that cannot be read is refused, and a field nobody knows is warned of', async () => {
    const api = new Api();
    expect((await api.ask('POST', access, { body: [] })).code).toBe(400);
    expect((await api.ask('POST', access, { body: { kind: 'Lease' } })).code).toBe(400);
    expect((await api.ask('POST', access, { headers: { 'content-type': 'text/csv' }, body: {} })).code).toBe(415);
    const body = { spec: { resourceAttributes: { verb: 'get' }, extra: 1 } };
    const warned = await api.ask('POST', access, { body });
    expect(warned).toMatchObject({ code: 201, headers: { warning: '299 - "unknown field \\"spec.extra\\""' } });
    expect((await api.ask('POST', `${access}?fieldValidation=Strict`, { body })).code).toBe(400);
    expect((await api.ask('POST', `${access}?fieldValidation=Ignore`, { body })).headers).toEqual({});
  });
});

describe('a review of rules', () => {
  test('says that everything is allowed', async () => {
    const body = { spec: { namespace: 'ns' } };
    expect((await new Api().ask('POST', rules, { body })).json).toMatchObject({
      ...{ kind: 'SelfSubjectRulesReview', apiVersion: 'authorization.k8s.io/v1', spec: { namespace: 'ns' } },
      metadata: { managedFields: [{ fieldsV1: { 'f:spec': { 'f:namespace': {} } } }] },
      status: {
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        incomplete: false,
      },
    });
  });

  test('needs a namespace', async () => {
    const answer = await new Api().ask('POST', rules, { body: { spec: {} } });
    expect(answer).toMatchObject({ code: 400, json: { message: 'no namespace on request' } });
  });
});

describe('a review of the user', () => {
  test('says who that is: nobody in particular', async () => {
    const api = new Api();
    const headers = { 'content-type': protobuf, accept: 'application/json' };
    const answer = await api.ask('POST', subject, { headers, body: Buffer.from(whoAmI, 'base64') });
    expect(answer).toMatchObject({ code: 201, contentType: 'application/json' });
    expect(answer.json).toEqual({
      ...{ kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1' },
      metadata: { creationTimestamp: seconds(api.clock.wallMs()) },
      status: { userInfo: { username: 'system:anonymous', groups: ['system:unauthenticated'] } },
    });
  });
});

describe('namespaces', () => {
  const api = new Api({ namespaces: ['team-b', 'kube-system', 'team-a'] });
  const all = ['default', 'kube-node-lease', 'kube-system', 'team-a', 'team-b'];
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

  test('are those that have leases, and those that are always there', async () => {
    const answer = await api.ask('GET', '/api/v1/namespaces');
    expect(answer).toMatchObject({
      ...{ code: 200, contentType: 'application/json' },
      json: { kind: 'NamespaceList', apiVersion: 'v1', metadata: { resourceVersion: '7' } },
    });
    const { items } = answer.json as { items: { metadata: { name: string } }[] };
    expect(items.map(({ metadata }) => metadata.name)).toEqual(all);
    expect(items[3]).toEqual({
      metadata: { name: 'team-a', resourceVersion: '7', labels: { 'kubernetes.io/metadata.name': 'team-a' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
  });

  test.each([
    ['labelSelector=kubernetes.io/metadata.name%3Dteam-a', ['team-a']],
    ['labelSelector=kubernetes.io/metadata.name+in+(team-a,default)', ['default', 'team-a']],
    ['labelSelector=other', []],
    ['fieldSelector=metadata.name%3Dteam-b', ['team-b']],
    ['fieldSelector=metadata.name%3D%3Dteam-b,metadata.name%3Dteam-b', ['team-b']],
    ['fieldSelector=metadata.name%3Dteam-b,metadata.name!%3Dteam-b', []],
    ['fieldSelector=metadata.name!%3Dteam-b', all.slice(0, 4)],
    ['fieldSelector=', all],
  ])('are selected by %s', async (query, names) => {
    const { items } = (await api.ask('GET', `/api/v1/namespaces?${query}`)).json as { items: { metadata: { name: string } }[] };
    expect(items.map(({ metadata }) => metadata.name)).toEqual(names);
  });

  test.each(['fieldSelector=spec.x%3D1', 'fieldSelector=nonsense', 'labelSelector=a=b=c'])(
    '%s selects nothing',
    async (query) => {
      expect((await api.ask('GET', `/api/v1/namespaces?${query}`)).code).toBe(400);
    },
  );

  test('are lines for kubectl', async () => {
    const answer = await api.ask('GET', '/api/v1/namespaces?labelSelector=kubernetes.io/metadata.name=team-a', {
      headers: { accept: table },
    });
    expect(answer.json).toMatchObject({
      ...{ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '7' } },
      columnDefinitions: [{ name: 'Name', format: 'name' }, { name: 'Status' }, { name: 'Age' }],
      rows: [
        { cells: ['team-a', 'Active', '<unknown>'], object: { kind: 'PartialObjectMetadata', metadata: { name: 'team-a' } } },
      ],
    });
    for (const [include, object] of [
      ['None', null],
      ['Object', expect.objectContaining({ kind: 'Namespace', status: { phase: 'Active' } }) as object],
    ] as const) {
      const one = await api.ask('GET', `/api/v1/namespaces/team-a?includeObject=${include}`, { headers: { accept: table } });
      expect(one.json).toMatchObject({ kind: 'Table', rows: [{ object }] });
    }
  });

  test('can be had as metadata alone, and in protobuf', async () => {
    const partial = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
    const one = await api.ask('GET', '/api/v1/namespaces/team-a', { headers: { accept: partial } });
    expect(one.json).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'team-a' } });
    expect(one.json).not.toHaveProperty('status');
    const list = await api.ask('GET', '/api/v1/namespaces', {
      headers: { accept: partial.replace('Metadata;', 'MetadataList;') },
    });
    expect(list.json).toMatchObject({ kind: 'PartialObjectMetadataList', metadata: { resourceVersion: '7' } });
    expect((await api.ask('GET', '/api/v1/namespaces', { headers: { accept: partial } })).code).toBe(406);
    const binary = await api.ask('GET', '/api/v1/namespaces/team-a', { headers: { accept: protobuf } });
    expect(binary).toMatchObject({ code: 200, contentType: protobuf });
    const list2 = await api.ask('GET', '/api/v1/namespaces', { headers: { accept: protobuf } });
    const items = readFields(readFields(Buffer.from(list2.body as Uint8Array).subarray(4)).get(2)?.[0]).get(2);
    expect(items?.map((item) => String(readFields(readFields(item).get(1)?.[0]).get(1)))).toEqual(all);
  });

  test('are there for every name there could be, and for no other', async () => {
    expect(await api.ask('GET', '/api/v1/namespaces/anything')).toMatchObject({
      ...{ code: 200, json: { kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'anything' } } },
    });
    for (const name of ['An_thing', 'a.b', 'x'.repeat(64)]) {
      expect(await api.ask('GET', `/api/v1/namespaces/${name}`)).toMatchObject({
        ...{ code: 404, json: { message: `namespaces "${name}" not found`, details: { name, kind: 'namespaces' } } },
      });
    }
  });

  test('can be created, which changes nothing, unless they could not be there', async () => {
    const create = (body: object, query = '') => api.ask('POST', `/api/v1/namespaces${query}`, { body });
    expect(await create({ metadata: { name: 'new' } })).toMatchObject({
      code: 201,
      json: { kind: 'Namespace', metadata: { name: 'new' } },
    });
    expect(await create({ metadata: { name: 'New' } })).toMatchObject({
      code: 422,
      json: {
        message: expect.stringMatching(/^Namespace "New" is invalid: metadata\.name: Invalid value: "New": /) as string,
        details: { name: 'New', kind: 'Namespace' },
      },
    });
    expect(await create({ metadata: {} })).toMatchObject({
      ...{
        code: 422,
        json: { message: 'Namespace "" is invalid: metadata.name: Required value: name or generateName is required' },
      },
    });
    expect((await create({ metadata: { name: 'new' }, wat: 1 })).headers).toHaveProperty('warning');
    expect((await create({ metadata: { name: 'new' }, wat: 1 }, '?fieldValidation=Strict')).code).toBe(400);
  });
});

describe('events', () => {
  test.each(['/api/v1/events', '/api/v1/namespaces/team/events?fieldSelector=involvedObject.name%3Da'])(
    'of %s are none',
    async (url) => {
      expect((await new Api().ask('GET', url)).json).toEqual({
        ...{ kind: 'EventList', apiVersion: 'v1', metadata: { resourceVersion: '7' }, items: [] },
      });
    },
  );
});

function refusing(onAsked: (action: Action) => void): Authorizer {
  return {
    // The request itself is allowed.
    authorize(_user, action) {
      const isReview = 'resource' in action && action.resource.endsWith('reviews');
      if (!isReview) {
        onAsked(action);
      }
      return isReview ? { allowed: true } : { allowed: false, reason: 'none of it' };
    },
    rulesFor: () => ({ resourceRules: [], nonResourceRules: [] }),
  };
}

/** RFC 3339 in whole seconds. */
function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+/, '');
}

/** The fields of a message by number, without knowing what it is: numbers and bytes. */
function readFields(message: Uint8Array | number | undefined): Map<number, (Uint8Array | number)[]> {
  const bytes = Buffer.from(message as Uint8Array);
  const fields = new Map<number, (Uint8Array | number)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) {
        return value;
      }
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = tag >> 3;
    const value = varint();
    const isBytes = (tag & 7) === 2;
    fields.set(number, [...(fields.get(number) ?? []), isBytes ? bytes.subarray(at, at + value) : value]);
    at += isBytes ? value : 0;
  }
  return fields;
}
