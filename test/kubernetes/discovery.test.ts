import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Api } from './api-support.js';

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
/** As kubectl asks. */
const acceptAggregated = `${aggregated},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json`;

describe('discovery', () => {
  test.each([
    ['/apis/coordination.k8s.io', 'group'],
    ['/apis/coordination.k8s.io/v1', 'group-v1'],
    ['/apis', 'apis'],
  ])('answers %s as kube-apiserver does', async (path, recording) => {
    const answer = await new Api().ask('GET', path);
    expect(answer).toMatchObject({ code: 200, contentType: 'application/json' });
    expect(answer.json).toEqual(recorded(recording));
  });

  test('tells of the core group as kube-apiserver does, with nothing below namespaces', async () => {
    const api = new Api();
    const { resources, ...list } = recorded('api-v1') as { resources: { name: string }[] };
    const namespaces = resources.filter(({ name }) => name === 'namespaces');
    const answer = (await api.ask('GET', '/api/v1')).json as { resources: object[] };
    expect(answer).toMatchObject(list);
    expect(Object.keys(answer)).toEqual(['kind', 'groupVersion', 'resources']);
    expect(answer.resources).toMatchObject([
      { name: 'events', singularName: 'event', namespaced: true, kind: 'Event', verbs: ['create', 'list'], shortNames: ['ev'] },
      ...namespaces,
    ]);
  });

  test('tells where it is reached', async () => {
    const answer = await new Api().ask('GET', '/api', { headers: { host: '127.0.0.1:16443' } });
    expect(answer.json).toEqual(recorded('api'));
  });

  test('tells of the groups of reviews', async () => {
    const api = new Api();
    const review = (name: string, kind: string) => ({
      ...{ name, singularName: kind.toLowerCase(), namespaced: false, kind, verbs: ['create'] },
    });
    expect((await api.ask('GET', '/apis/authentication.k8s.io/v1')).json).toEqual({
      ...{ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'authentication.k8s.io/v1' },
      resources: [review('selfsubjectreviews', 'SelfSubjectReview')],
    });
    expect((await api.ask('GET', '/apis/authorization.k8s.io/v1')).json).toMatchObject({
      resources: [
        review('selfsubjectaccessreviews', 'SelfSubjectAccessReview'),
        review('selfsubjectrulesreviews', 'SelfSubjectRulesReview'),
      ],
    });
  });

  test('in one document is as kube-apiserver has it, as far as there is anything to tell of', async () => {
    const answer = await new Api().ask('GET', '/apis', { headers: { accept: acceptAggregated } });
    expect(answer).toMatchObject({ code: 200, contentType: aggregated, headers: { vary: 'Accept' } });
    const recording = recorded('apis.aggregated') as Aggregated;
    const offered = ['leases', 'selfsubjectreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews'];
    const items = recording.items.map((item) => ({
      ...item,
      versions: item.versions.map((version) => ({
        ...version,
        resources: version.resources.filter(({ resource }) => offered.includes(resource)),
      })),
    }));
    expect(answer.json).toEqual({ ...recording, items });
  });

  test('of the core group in one document has its resources', async () => {
    const answer = await new Api().ask('GET', '/api', { headers: { accept: acceptAggregated } });
    expect(answer.contentType).toBe(aggregated);
    const recording = recorded('api.aggregated') as Aggregated;
    const [events, namespaces] = recording.items[0]?.versions[0]?.resources ?? [];
    const { subresources, ...namespace } = namespaces ?? { resource: '' };
    const resources = [{ ...events, verbs: ['create', 'list'] }, namespace];
    expect(answer.json).toEqual({
      ...recording,
      items: [{ metadata: {}, versions: [{ version: 'v1', resources, freshness: 'Current' }] }],
    });
  });

  test.each([
    ['application/json', 'application/json', 'APIGroupList'],
    [undefined, 'application/json', 'APIGroupList'],
    ['*/*', 'application/json', 'APIGroupList'],
    [
      'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json',
      'application/json',
      'APIGroupList',
    ],
    [`${aggregated};profile=nopeer,application/json`, aggregated, 'APIGroupDiscoveryList'],
    ['application/vnd.kubernetes.protobuf,application/json', 'application/json', 'APIGroupList'],
  ])('for %s is %s', async (accept, contentType, kind) => {
    const answer = await new Api().ask('GET', '/apis', { headers: accept === undefined ? {} : { accept } });
    expect(answer).toMatchObject({ code: 200, contentType, json: { kind } });
  });

  test('is in YAML for those who ask for it, and nothing for those who take nothing there is', async () => {
    const api = new Api();
    const yaml = await api.ask('GET', '/apis/coordination.k8s.io', { headers: { accept: 'application/yaml' } });
    expect(yaml).toMatchObject({ code: 200, contentType: 'application/yaml' });
    expect(yaml.text).toContain('\nkind: APIGroup\nname: coordination.k8s.io\n');
    expect((await api.ask('GET', '/apis', { headers: { accept: 'image/png' } })).code).toBe(406);
  });

  test.each([
    ['/apis', acceptAggregated],
    ['/api', acceptAggregated],
    ['/openapi/v3', 'application/json, */*'],
    ['/openapi/v2', 'application/json'],
    ['/openapi/v3/apis/coordination.k8s.io/v1', 'application/json'],
  ])('does not send %s to who has it', async (path, accept) => {
    const api = new Api();
    const first = await api.ask('GET', path, { headers: { accept } });
    const etag = first.headers['etag'] ?? '';
    expect(etag).toMatch(/^"[0-9A-F]{128}"$/);
    for (const tags of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
      const again = await api.ask('GET', path, { headers: { accept, 'if-none-match': tags } });
      expect(again).toMatchObject({ code: 304, text: '', headers: { etag } });
    }
    expect((await api.ask('GET', path, { headers: { accept, 'if-none-match': '"x"' } })).code).toBe(200);
  });
});

describe('the version', () => {
  test('has what kube-apiserver says, and a form that clients can read', async () => {
    const answer = await new Api().ask('GET', '/version');
    expect(answer).toMatchObject({ code: 200, contentType: 'application/json' });
    const version = answer.json as Record<string, string>;
    expect(Object.keys(version)).toEqual(Object.keys(recorded('version') as object));
    expect(version).toMatchObject({ major: '1', minor: '36' });
    expect(version['gitVersion']).toMatch(/^v1\.36\.\d+\+leasehold$/);
  });

  test('is not the only path that is told of', async () => {
    const { paths } = (await new Api().ask('GET', '/')).json as { paths: string[] };
    expect(paths).toEqual([...paths].sort());
    const api = new Api();
    for (const path of paths) {
      expect(await api.ask('GET', path)).toMatchObject({ code: 200 });
    }
  });
});

describe('OpenAPI 3', () => {
  test('describes leases as kube-apiserver does, in other words', async () => {
    const answer = await new Api().ask('GET', '/openapi/v3/apis/coordination.k8s.io/v1');
    expect(answer).toMatchObject({ code: 200, contentType: 'application/json' });
    expect(withoutDescriptions(answer.json)).toEqual(recorded('openapi-v3-coordination-v1'));
  });

  test('has a description of everything that is described', async () => {
    for (const group of [
      'api/v1',
      'apis/coordination.k8s.io/v1',
      'apis/authorization.k8s.io/v1',
      'apis/authentication.k8s.io/v1',
    ]) {
      const { paths, components } = (await new Api().ask('GET', `/openapi/v3/${group}`)).json as OpenApi;
      expect(undescribed(components.schemas, isSchema)).toEqual([]);
      expect(undescribed(paths, isOperation)).toEqual([]);
      expect(Object.keys(paths).length).toBeGreaterThan(1);
      // What is referred to is there, and nothing else.
      const references = new Set(JSON.stringify([paths, components]).match(/(?<="#\/components\/schemas\/)[^"]+/g));
      expect([...references].sort()).toEqual(Object.keys(components.schemas));
    }
  });

  test('has an index that leads to every document, which then never changes', async () => {
    const api = new Api();
    const index = await api.ask('GET', '/openapi/v3', { headers: { accept: 'application/json, */*' } });
    const { paths } = index.json as { paths: Record<string, { serverRelativeURL: string }> };
    expect(Object.keys(paths)).toEqual([
      ...['api/v1', 'apis/authentication.k8s.io/v1', 'apis/authorization.k8s.io/v1', 'apis/coordination.k8s.io/v1'],
    ]);
    for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
      expect(serverRelativeURL).toMatch(new RegExp(`^/openapi/v3/${path}\\?hash=[0-9A-F]{128}$`));
      const answer = await api.ask('GET', serverRelativeURL, { headers: { accept: 'application/json' } });
      expect(answer).toMatchObject({
        code: 200,
        json: { openapi: '3.0.0' },
        headers: { etag: `"${serverRelativeURL.slice(-128)}"` },
      });
      expect(answer.headers['cache-control']).toContain('immutable');
      const old = await api.ask('GET', `/openapi/v3/${path}?hash=OLD`);
      expect(old).toMatchObject({ code: 301, headers: { location: serverRelativeURL } });
      expect((await api.ask('GET', `/openapi/v3/${path}`)).headers['cache-control']).toBe('no-cache, private');
    }
  });

  test('is not to be had in protobuf', async () => {
    const accept = 'application/com.github.proto-openapi.spec.v3@v1.0+protobuf';
    const answer = await new Api().ask('GET', '/openapi/v3/apis/coordination.k8s.io/v1', { headers: { accept } });
    expect(answer).toMatchObject({ code: 406, json: { reason: 'NotAcceptable' } });
  });
});

describe('OpenAPI 2', () => {
  test('describes the same as OpenAPI 3', async () => {
    const api = new Api();
    const answer = await api.ask('GET', '/openapi/v2', { headers: { accept: 'application/json' } });
    expect(answer).toMatchObject({ code: 200, contentType: 'application/json', json: { swagger: '2.0' } });
    const { paths, definitions } = answer.json as { paths: Record<string, object>; definitions: Record<string, OldSchema> };
    for (const group of [
      'api/v1',
      'apis/coordination.k8s.io/v1',
      'apis/authorization.k8s.io/v1',
      'apis/authentication.k8s.io/v1',
    ]) {
      const { paths: newer, components } = (await api.ask('GET', `/openapi/v3/${group}`)).json as OpenApi;
      for (const [path, operations] of Object.entries(newer)) {
        expect(Object.keys(paths[path] ?? {}).sort()).toEqual(Object.keys(operations).sort());
      }
      for (const [name, { properties, required }] of Object.entries(components.schemas)) {
        expect(Object.keys(definitions[name]?.properties ?? {})).toEqual(Object.keys(properties ?? {}));
        expect(definitions[name]?.required).toEqual(required);
      }
    }
    expect(definitions['io.k8s.api.coordination.v1.LeaseSpec']).toMatchObject({
      type: 'object',
      properties: {
        leaseDurationSeconds: { type: 'integer', format: 'int32' },
        renewTime: { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime' },
      },
    });
  });

  test('is to be had in protobuf, which is all that client-go asks for', async () => {
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    const answer = await new Api().ask('GET', '/openapi/v2', { headers: { accept } });
    expect(answer).toMatchObject({ code: 200, contentType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' });
    // openapi.v2.Document: swagger = 1.
    expect(Buffer.from(answer.body as Uint8Array).subarray(0, 5)).toEqual(Buffer.from('\x0a\x032.0'));
    expect((await new Api().ask('GET', '/openapi/v2', { headers: { accept: 'text/html' } })).code).toBe(406);
  });
});

interface Aggregated {
  readonly items: {
    readonly versions: { readonly resources: { readonly resource: string; readonly subresources?: object }[] }[];
  }[];
}

interface OldSchema {
  readonly properties?: object;
  readonly required?: string[];
}

interface OpenApi {
  readonly paths: Record<string, object>;
  readonly components: { readonly schemas: Record<string, OldSchema> };
}

function recorded(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`fixtures/discovery/${name}.json`, import.meta.url), 'utf8'));
}

function withoutDescriptions(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(withoutDescriptions);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const entries = Object.entries(value).filter(([key]) => key !== 'description');
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutDescriptions(inner)]));
}

/** The paths of what ought to have a description and has none. */
function undescribed(value: unknown, ought: (value: object, path: string) => boolean, path = ''): string[] {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  const description = 'description' in value ? value.description : '';
  const own = ought(value, path) && (typeof description !== 'string' || description === '') ? [path] : [];
  return [...own, ...Object.entries(value).flatMap(([key, inner]) => undescribed(inner, ought, `${path}/${key}`))];
}

function isSchema(_value: object, path: string): boolean {
  return /^\/[^/]+$|\/properties\/[^/]+$/.test(path);
}

function isOperation(value: object): boolean {
  return 'operationId' in value || ('in' in value && 'name' in value);
}
