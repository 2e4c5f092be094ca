import { LeaseError } from '@leasehold/core';
import { describe, expect, test } from 'vitest';
import type { Action, Authorizer } from '../../server/dist/kubernetes/access/authorizer.js';
import { leaseConflict } from '../../server/dist/kubernetes/status.js';
import { Api, recordingLeases, type Asked } from './api-support.js';
import { LeaseWorld, one } from './lease-world.js';

const group = '/apis/coordination.k8s.io/v1';
const item = `${group}/namespaces/team/leases/a`;
const collection = `${group}/namespaces/team/leases`;

describe('a request for leases', () => {
  test.each([
    ['GET', item, 'get', 'team', 'a'],
    ['PUT', item, 'update', 'team', 'a'],
    ['PATCH', item, 'patch', 'team', 'a'],
    ['DELETE', item, 'delete', 'team', 'a'],
    ['GET', collection, 'list', 'team', undefined],
    ['POST', collection, 'create', 'team', undefined],
    ['DELETE', collection, 'deleteCollection', 'team', undefined],
    ['GET', `${group}/leases`, 'list', undefined, undefined],
    ['GET', `${collection}?watch=1`, 'watch', 'team', undefined],
    ['GET', `${collection}?watch=true&resourceVersion=5`, 'watch', 'team', undefined],
    ['GET', `${group}/leases?watch`, 'watch', undefined, undefined],
    ['GET', `${collection}?watch=0`, 'list', 'team', undefined],
    ['GET', `${collection}?watch=False`, 'list', 'team', undefined],
    ['GET', `${group}/watch/leases`, 'watch', undefined, undefined],
    ['GET', `${group}/watch/namespaces/team/leases`, 'watch', 'team', undefined],
    ['GET', `${group}/watch/namespaces/team/leases/a`, 'watch', 'team', 'a'],
    // A single lease is read, whatever the query says.
    ['GET', `${item}?watch=1`, 'get', 'team', 'a'],
  ])('%s %s is %s', async (...[method, url, verb, namespace, name]) => {
    const asked: Asked[] = [];
    const api = new Api({ leases: recordingLeases(asked) });
    const answer = await api.ask(method, url);
    expect(asked).toEqual([{ verb, target: { namespace, name } }]);
    expect(answer.code).toBe(verb === 'watch' ? undefined : 200);
    expect(api.streams).toEqual(verb === 'watch' ? ['application/json'] : []);
  });

  test('in a namespace that is called like a part of a path is for that one', async () => {
    const asked: Asked[] = [];
    const api = new Api({ leases: recordingLeases(asked) });
    await api.ask('GET', `${group}/namespaces/leases/leases/leases`);
    await api.ask('GET', `${group}/namespaces/watch/leases`);
    expect(asked.map(({ target }) => target)).toEqual([
      { namespace: 'leases', name: 'leases' },
      { namespace: 'watch', name: undefined },
    ]);
  });

  test.each([
    ['POST', item, 'GET, PUT, PATCH, DELETE'],
    ['HEAD', item, 'GET, PUT, PATCH, DELETE'],
    ['PUT', collection, 'GET, POST, DELETE'],
    ['PATCH', collection, 'GET, POST, DELETE'],
    ['POST', `${group}/leases`, 'GET'],
    ['DELETE', `${group}/leases`, 'GET'],
    ['POST', `${group}/watch/leases`, 'GET'],
    ['POST', group, 'GET'],
    ['DELETE', '/api/v1/namespaces', 'GET, POST'],
    ['GET', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', 'POST'],
    ['constructor', item, 'GET, PUT, PATCH, DELETE'],
  ])('%s %s is not allowed', async (method, url, allow) => {
    const asked: Asked[] = [];
    const answer = await new Api({ leases: recordingLeases(asked) }).ask(method, url, { body: {} });
    expect(answer).toMatchObject({ code: 405, contentType: 'application/json', headers: { allow } });
    expect(answer.json).toEqual({
      ...{
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        reason: 'MethodNotAllowed',
        details: {},
        code: 405,
      },
      message: 'the server does not allow this method on the requested resource',
    });
    expect(asked).toEqual([]);
  });

  test('that the handlers refuse is refused as they say', async () => {
    const refusal = leaseConflict('a', 'no');
    const api = new Api({ leases: recordingLeases([], { get: () => Promise.reject(refusal) }) });
    expect(await api.ask('GET', item)).toMatchObject({ code: 409, json: refusal.status });
  });

  test.each([
    ['DRAINING', 503, 'ServiceUnavailable', '1'],
    ['STORE_UNAVAILABLE', 503, 'ServiceUnavailable', '1'],
    ['LIMIT_EXCEEDED', 429, 'TooManyRequests', '1'],
    ['INVALID_FIELD', 400, 'BadRequest', undefined],
  ] as const)('that the domain refuses with %s is %d', async (reason, code, status, retryAfter) => {
    const watch = (): Promise<never> => Promise.reject(new LeaseError(reason, 'why'));
    const answer = await new Api({ leases: recordingLeases([], { watch }) }).ask('GET', `${collection}?watch=1`);
    expect(answer).toMatchObject({ code, json: { reason: status, message: 'why' } });
    expect(answer.headers['retry-after']).toBe(retryAfter);
  });
});

describe('a path', () => {
  test.each([
    `${group}/namespaces/team/things`,
    `${group}/things`,
    `${collection}/a/status`,
    `${group}/namespaces//leases`,
    `${group}/namespaces/team`,
    '/apis/coordination.k8s.io/v2',
    '/apis/coordination.k8s.io/v1beta1/leases',
    '/api/v1/pods',
    '/api/v2',
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    '/version/more',
  ])('%s of an API that is unknown is a Status', async (url) => {
    const answer = await new Api().ask('GET', url);
    expect(answer).toMatchObject({ code: 404, contentType: 'application/json' });
    expect(answer.json).toEqual({
      ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason: 'NotFound', details: {}, code: 404 },
      message: 'the server could not find the requested resource',
    });
  });

  test.each(['/nothing', '/apis/apps/v1', '/apis/coordination.k8s.iox', '/metrics', '/openapi/v3/apis/apps/v1', ''])(
    '%s of nothing is plain text',
    async (url) => {
      expect(await new Api().ask('GET', url)).toMatchObject({
        ...{ code: 404, contentType: 'text/plain; charset=utf-8', text: '404 page not found\n' },
      });
    },
  );
});

describe('a timeout', () => {
  test.each(['5s', '0', '1h30m', '-1.5s', '+.5ms', ''])('of %j is heard', async (timeout) => {
    expect((await new Api().ask('GET', `/version?timeout=${encodeURIComponent(timeout)}`)).code).toBe(200);
  });

  test.each([
    ['x', 'invalid duration "x"'],
    ['5', 'missing unit in duration "5"'],
    ['5y', 'unknown unit "y" in duration "5y"'],
  ])('of %s is none', async (timeout, why) => {
    expect(await new Api().ask('GET', `/version?timeout=${timeout}`)).toMatchObject({
      ...{ code: 400, json: { reason: 'BadRequest', message: `invalid timeout specified in the request URL - time: ${why}` } },
    });
  });
});

describe('an authorizer', () => {
  const actions: Action[] = [];
  const refusing: Authorizer = {
    authorize: (_user, action) => {
      actions.push(action);
      return { allowed: false };
    },
    rulesFor: () => ({ resourceRules: [], nonResourceRules: [] }),
  };
  const lease = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', subresource: '' };

  test.each([
    ['GET', item, { ...lease, verb: 'get', namespace: 'team', name: 'a' }],
    ['DELETE', collection, { ...lease, verb: 'deletecollection', namespace: 'team', name: '' }],
    ['GET', `${group}/leases?watch=1`, { ...lease, verb: 'watch', namespace: '', name: '' }],
    ['GET', '/version', { verb: 'get', path: '/version' }],
    ['GET', '/api/v1/namespaces/team', { verb: 'get', ...core('namespaces'), namespace: '', name: 'team' }],
    ['GET', '/api/v1/namespaces/team/events', { verb: 'list', ...core('events'), namespace: 'team', name: '' }],
  ])('is asked about %s %s before it is answered', async (method, url, action) => {
    actions.length = 0;
    const asked: Asked[] = [];
    const answer = await new Api({ leases: recordingLeases(asked), authorizer: refusing }).ask(method, url);
    expect(answer.code).toBe(403);
    expect(actions).toEqual([action]);
    expect(asked).toEqual([]);
  });

  test('is asked about the creation, too, by an update that makes one of it', async () => {
    const verbs: string[] = [];
    const api = await LeaseWorld.start({
      authorizer: {
        ...refusing,
        authorize: (_user, action) => {
          verbs.push(action.verb);
          return { allowed: action.verb !== 'create' };
        },
      },
    });
    const apply = { 'content-type': 'application/apply-patch+yaml' };
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'example' }, spec: {} };
    const refused = { code: 403, status: { reason: 'Forbidden' } };
    expect(await api.ask('PUT', one, { body })).toMatchObject(refused);
    expect(await api.ask('PATCH', `${one}?fieldManager=m`, { headers: apply, body })).toMatchObject(refused);
    expect(verbs).toEqual(['update', 'create', 'patch', 'create']);
  });

  test('that refuses is quoted as Kubernetes does', async () => {
    const authorizer: Authorizer = { ...refusing, authorize: () => Promise.resolve({ allowed: false, reason: 'rules' }) };
    const api = new Api({ authorizer });
    expect((await api.ask('GET', item)).json).toEqual({
      ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason: 'Forbidden', code: 403 },
      message:
        'leases.coordination.k8s.io "a" is forbidden: User "system:anonymous" cannot get resource "leases" in API group ' +
        '"coordination.k8s.io" in the namespace "team": rules',
      details: { name: 'a', group: 'coordination.k8s.io', kind: 'leases' },
    });
    expect((await api.ask('GET', '/api/v1/namespaces')).json).toMatchObject({
      message:
        'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope: rules',
      details: { kind: 'namespaces' },
    });
    expect((await api.ask('GET', '/version')).json).toMatchObject({
      message: 'forbidden: User "system:anonymous" cannot get path "/version": rules',
    });
  });
});

describe('health', () => {
  test.each([
    ['/healthz', undefined, 200, 'ok'],
    ['/livez', undefined, 200, 'ok'],
    ['/readyz', undefined, 200, 'ok'],
    ['/readyz?verbose', undefined, 200, '[+]ping ok\n[+]store ok\n[+]shutdown ok\nreadyz check passed\n'],
    ['/livez?verbose=true', undefined, 200, '[+]ping ok\nlivez check passed\n'],
    ['/readyz/store', undefined, 200, 'ok'],
    ['/healthz', 'STORE_UNAVAILABLE', 500, '[+]ping ok\n[-]store failed: reason withheld\nhealthz check failed\n'],
    ['/livez', 'STORE_UNAVAILABLE', 200, 'ok'],
    ['/readyz', 'STORE_UNAVAILABLE', 500, '[+]ping ok\n[-]store failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n'],
    ['/readyz/store', 'STORE_UNAVAILABLE', 500, 'internal server error: store failed\n'],
    ['/readyz?exclude=store', 'STORE_UNAVAILABLE', 200, 'ok'],
    [
      '/readyz?verbose&exclude=store&exclude=ping',
      'STORE_UNAVAILABLE',
      ...[200, '[+]ping excluded: ok\n[+]store excluded: ok\n[+]shutdown ok\nreadyz check passed\n'],
    ],
    ['/readyz', 'DRAINING', 500, '[+]ping ok\n[+]store ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n'],
    ['/livez', 'DRAINING', 200, 'ok'],
    ['/livez/store', undefined, 404, '404 page not found\n'],
    ['/healthz/constructor', undefined, 404, '404 page not found\n'],
  ] as const)('%s with %s is %d', async (url, reason, code, text) => {
    const refusal = reason === undefined ? undefined : new LeaseError(reason, 'why');
    const api = new Api({ refusal: () => refusal });
    expect(await api.ask('GET', url)).toMatchObject({ code, text, contentType: 'text/plain; charset=utf-8' });
  });
});

function core(resource: string) {
  return { group: '', version: 'v1', resource, subresource: '' };
}
