import type { LeaseCoordinator } from '@leasehold/core';
import { settle } from '@leasehold/sdk/testing';
import { describe, expect, test } from 'vitest';
import { allowAll, type Authorizer } from '../../server/dist/kubernetes/access/authorizer.js';
import { KubernetesApi } from '../../server/dist/kubernetes/api.js';
import { errorAnswer } from '../../server/dist/kubernetes/http/error-answer.js';
import { namespaceRoutes } from '../../server/dist/kubernetes/namespaces/routes.js';
import type { ApiRequest } from '../../server/dist/kubernetes/request.js';
import { acquire, remove, World } from '../core/world.js';
import { WatchClient } from './watch-support.js';

const all = '/api/v1/namespaces';
const always = ['default', 'kube-node-lease', 'kube-system'];
const table = 'application/json;as=Table;g=meta.k8s.io;v=v1';

/** A namespace as every answer has it. */
function namespace(name: string, revision: bigint): object {
  return {
    kind: 'Namespace',
    apiVersion: 'v1',
    metadata: { name, resourceVersion: String(revision), labels: { 'kubernetes.io/metadata.name': name } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
}

describe('a write of a namespace', () => {
  const manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', labels: { a: 'b' } } };
  const patch = (type: string) => ({ 'content-type': `application/${type}` });

  test.each([
    ['POST', all, {}, manifest, 201],
    ['PUT', `${all}/team`, {}, manifest, 200],
    ['PUT', `${all}/team?dryRun=All`, {}, manifest, 200],
    ['PATCH', `${all}/team`, patch('merge-patch+json'), { metadata: { labels: { a: null } } }, 200],
    ['PATCH', `${all}/team`, patch('strategic-merge-patch+json'), { metadata: { annotations: { a: 'b' } } }, 200],
    ['PATCH', `${all}/team`, patch('json-patch+json'), [{ op: 'add', path: '/metadata/labels/a', value: 'b' }], 200],
    ['PATCH', `${all}/team?fieldManager=m`, patch('apply-patch+yaml'), manifest, 200],
    ['PATCH', `${all}/team?fieldManager=m&dryRun=All&force=true`, patch('apply-patch+yaml'), manifest, 200],
    ['PATCH', `${all}/team?fieldManager=m`, patch('apply-patch+yaml'), { apiVersion: 'v1', kind: 'Namespace' }, 200],
    ['PUT', `${all}/team/status`, {}, manifest, 200],
    ['PATCH', `${all}/team/status`, patch('merge-patch+json'), {}, 200],
    ['PUT', `${all}/team/finalize`, {}, manifest, 200],
    ['GET', `${all}/team/status`, {}, undefined, 200],
  ])('%s %s %o shows it and changes nothing', async (...[method, url, headers, body, code]) => {
    const world = await World.start();
    const { revision } = world.coordinator;
    const shown = { code, json: namespace('team', revision) };
    expect(await ask(world, method, url, { headers, body })).toMatchObject(shown);
    expect(await ask(world, method, url, { headers, body })).toMatchObject(shown);
    expect(world.coordinator.revision).toBe(revision);
    expect(await namesIn(world)).toEqual(always);
  });

  test.each([
    ['POST', all, {}, { metadata: {} }, 422, /metadata.name: Required value/],
    ['POST', all, {}, { metadata: { name: 'No_Name' } }, 422, /metadata.name: Invalid value: "No_Name"/],
    ['PUT', `${all}/team`, {}, { metadata: { name: 'other' } }, 400, /does not match the name on the URL \(team\)$/],
    ['PUT', `${all}/team`, {}, { ...manifest, kind: 'Lease' }, 400, /^Lease in version "v1" cannot be handled as a Namespace/],
    ['PUT', `${all}/No_Name`, {}, { metadata: { name: 'No_Name' } }, 404, /^namespaces "No_Name" not found$/],
    ['PATCH', `${all}/No_Name`, patch('merge-patch+json'), {}, 404, /^namespaces "No_Name" not found$/],
    ['PATCH', `${all}/team`, patch('merge-patch+json'), '{', 400, /^error decoding patch: /],
    ['PATCH', `${all}/team`, patch('merge-patch+json'), [], 400, /is an object$/],
    ['PATCH', `${all}/team`, patch('json-patch+json'), {}, 400, /is an array$/],
    ['PATCH', `${all}/team`, patch('json'), {}, 415, /Unsupported Media Type/],
    ['PATCH', `${all}/team`, patch('apply-patch+yaml'), manifest, 422, /fieldManager: Required value/],
    ['PATCH', `${all}/x?fieldManager=m`, patch('apply-patch+yaml'), manifest, 400, /does not match the name on the URL \(x\)$/],
    ['PUT', `${all}/team?dryRun=Some`, {}, manifest, 422, /dryRun: Unsupported value/],
    ['DELETE', `${all}/No_Name`, {}, undefined, 404, /^namespaces "No_Name" not found$/],
    ['DELETE', `${all}/default`, {}, undefined, 403, /^namespaces "default" is forbidden: this namespace may not be deleted$/],
    ['DELETE', `${all}/team?propagationPolicy=x`, {}, undefined, 422, /propagationPolicy: Unsupported value/],
  ])('%s %s %o of %o is %i', async (...[method, url, headers, body, code, message]) => {
    const answer = await ask(await World.start(), method, url, { headers, body });
    expect(answer).toMatchObject({ code, json: { message: expect.stringMatching(message) as unknown } });
  });

  test('warns of fields that there are not', async () => {
    const body = { ...manifest, speck: {} };
    const answer = await ask(await World.start(), 'PUT', `${all}/team`, { body });
    expect(answer).toMatchObject({ code: 200, headers: { warning: '299 - "unknown field \\"speck\\""' } });
  });

  test('is asked for by its verb', async () => {
    const asked: unknown[] = [];
    const authorizer: Authorizer = { ...allowAll, authorize: (_user, action) => ({ allowed: asked.push(action) > 0 }) };
    const world = await World.start();
    for (const method of ['PUT', 'PATCH', 'DELETE']) await ask(world, method, `${all}/team`, { authorizer });
    await ask(world, 'GET', `${all}?watch=1&timeoutSeconds=-1`, { authorizer });
    await ask(world, 'GET', `/api/v1/watch/namespaces/team?timeoutSeconds=-1`, { authorizer });
    await ask(world, 'PUT', `${all}/team/finalize`, { authorizer });
    const namespaces = { group: '', version: 'v1', resource: 'namespaces', namespace: '', subresource: '' };
    expect(asked).toEqual([
      ...['update', 'patch', 'delete'].map((verb) => ({ verb, name: 'team', ...namespaces })),
      { verb: 'watch', name: '', ...namespaces },
      { verb: 'watch', name: 'team', ...namespaces },
      { verb: 'update', name: 'team', ...namespaces, subresource: 'finalize' },
    ]);
  });
});

describe('a namespace', () => {
  test('is deleted only while it has no leases', async () => {
    const world = await World.start();
    const gone = { code: 200, json: { kind: 'Status', status: 'Success', details: { name: 'team', kind: 'namespaces' } } };
    expect(await ask(world, 'DELETE', `${all}/team`)).toMatchObject(gone);
    await grant(world, 'team', 'a');
    expect(await ask(world, 'DELETE', `${all}/team`)).toMatchObject({
      code: 409,
      json: {
        reason: 'Conflict',
        message: 'Operation cannot be fulfilled on namespaces "team": it has leases, and is gone when they are deleted',
        details: { name: 'team', kind: 'namespaces' },
      },
    });
    expect(await namesIn(world)).toEqual([...always, 'team']);
    await drop(world, 'team', 'a');
    expect(await ask(world, 'DELETE', `${all}/team`)).toMatchObject(gone);
  });

  test.each([
    ['fieldSelector=metadata.name%3Dteam', ['team']],
    ['fieldSelector=status.phase%3DActive', [...always, 'team']],
    ['fieldSelector=status.phase!%3DActive', []],
    ['labelSelector=kubernetes.io/metadata.name%3Dteam', ['team']],
    ['limit=1', [...always, 'team']],
  ])('is listed with %s', async (query, names) => {
    const world = await World.start();
    await grant(world, 'team', 'a');
    expect(await namesIn(world, query)).toEqual(names);
  });

  test.each([
    ['fieldSelector=metadata.namespace%3Dx', 400, 'field label not supported: metadata.namespace'],
    ['sendInitialEvents=true', 422, 'sendInitialEvents is forbidden for list'],
    ['resourceVersion=x', 400, 'invalid resource version'],
    ['resourceVersion=99999999999999999', 504, 'Too large resource version'],
  ])('is not listed with %s', async (query, code, message) => {
    const world = await World.start();
    const answered = ask(world, 'GET', `${all}?${query}`);
    await world.clock.advance(10_000);
    expect(await answered).toMatchObject({ code, json: { message: expect.stringContaining(message) as unknown } });
  });
});

describe('a watch of namespaces', () => {
  test('begins with what there is, and tells of the first and the last lease of each', async () => {
    const world = await World.start();
    await grant(world, 'team', 'a');
    const { revision } = world.coordinator;
    const client = await watch(world, 'watch=1');
    expect(client.events).toEqual([...always, 'team'].map((name) => ({ type: 'ADDED', object: namespace(name, revision) })));
    await grant(world, 'team', 'b');
    const added = await grant(world, 'crew', 'a');
    await drop(world, 'team', 'a');
    await drop(world, 'team', 'b');
    const dropped = world.coordinator.revision;
    await grant(world, 'default', 'a');
    await drop(world, 'default', 'a');
    expect(client.events.slice(4)).toEqual([
      { type: 'ADDED', object: namespace('crew', added) },
      { type: 'DELETED', object: namespace('team', dropped) },
    ]);
  });

  test('goes on from a version, with what there was by then', async () => {
    const world = await World.start();
    await grant(world, 'team', 'a');
    const { revision } = world.coordinator;
    await grant(world, 'team', 'b');
    await grant(world, 'crew', 'a');
    await drop(world, 'team', 'a');
    await drop(world, 'team', 'b');
    const client = await watch(world, `watch=1&resourceVersion=${revision}`);
    await drop(world, 'crew', 'a');
    expect(client.seen).toEqual(['ADDED crew', 'DELETED team', 'DELETED crew']);
  });

  test.each([
    ['watch=1&fieldSelector=metadata.name%3Dteam', all],
    ['watch=1&labelSelector=kubernetes.io/metadata.name%3Dteam', all],
    ['', '/api/v1/watch/namespaces/team'],
  ])('of one (%s) tells of no others', async (query, path) => {
    const world = await World.start();
    const client = await watch(world, query, { path });
    for (const name of ['crew', 'team']) await grant(world, name, 'a');
    for (const name of ['crew', 'team']) await drop(world, name, 'a');
    expect(client.seen).toEqual(['ADDED team', 'DELETED team']);
  });

  test('marks the end of what there was, and sends bookmarks', async () => {
    const world = await World.start();
    const client = await watch(
      world,
      'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name%3Ddefault',
    );
    const bookmark = (annotations: object = {}): object => {
      const metadata = { resourceVersion: String(world.coordinator.revision), ...annotations };
      return { type: 'BOOKMARK', object: { kind: 'Namespace', apiVersion: 'v1', metadata, spec: {}, status: {} } };
    };
    const marked = bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } });
    expect(client.events).toEqual([{ type: 'ADDED', object: namespace('default', world.coordinator.revision) }, marked]);
    await grant(world, 'elsewhere', 'a', 3_600_000);
    await world.clock.advance(60_000);
    expect(client.events.slice(2)).toEqual([bookmark()]);
  });

  test('is made of tables for those who ask for them, the first one with columns', async () => {
    const world = await World.start();
    const client = await watch(world, 'watch=1&fieldSelector=metadata.name%3Dteam', { accept: table });
    await grant(world, 'team', 'a');
    await drop(world, 'team', 'a');
    const tables = client.events.map(({ type, object }) => ({
      type,
      columns: object.columnDefinitions?.map(({ name }) => name) ?? null,
      cells: object.rows?.map(({ cells }) => cells),
    }));
    const cells = [['team', 'Active', '<unknown>']];
    expect(tables).toEqual([
      { type: 'ADDED', columns: ['Name', 'Status', 'Age'], cells },
      { type: 'DELETED', columns: null, cells },
    ]);
  });

  test('from a version that nobody knows any more ends with 410', async () => {
    const world = await World.start();
    await grant(world, 'team', 'a');
    const client = await watch(world, 'watch=1&resourceVersion=1');
    expect(client.events).toMatchObject([{ type: 'ERROR', object: { code: 410 } }]);
    expect(client.ended).toBe(true);
  });

  test('from a version ahead begins when it has come', async () => {
    const world = await World.start();
    const ahead = world.coordinator.revision + 1n;
    const client = await watch(world, `watch=1&resourceVersion=${ahead}`);
    expect(client.head).toBeDefined();
    await grant(world, 'team', 'a');
    await grant(world, 'crew', 'a');
    expect(client.seen).toEqual(['ADDED crew']);
  });

  test('is left by a client before it has begun', async () => {
    const world = await World.start();
    await grant(world, 'team', 'a');
    const client = new WatchClient();
    client.leave();
    await watch(world, `watch=1&resourceVersion=${world.coordinator.revision}`, { client });
    await drop(world, 'team', 'a');
    expect(client.chunks).toEqual([]);
  });
});

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly authorizer?: Authorizer;
  readonly client?: WatchClient;
}

async function ask(world: World, method: string, url: string, asked: Asked = {}): Promise<Answered> {
  const { headers = {}, body = '', authorizer = allowAll, client = new WatchClient() } = asked;
  const engine = { current: (): LeaseCoordinator => world.coordinator };
  const api = new KubernetesApi(namespaceRoutes({ engine, clock: world.clock }), authorizer);
  const [path = '', query = ''] = url.split('?');
  const request: ApiRequest = {
    ...{ method, path, query: new URLSearchParams(query), signal: client.signal, readAtMs: world.clock.monotonicMs() },
    header: (name) => headers[name],
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  };
  const log = {
    error({ err }: Readonly<Record<string, unknown>>): void {
      throw err;
    },
  };
  const answer = await api.answer(request, () => client).catch((error: unknown) => errorAnswer(error, log));
  const { code, headers: answered = {}, body: content = 'null' } = answer ?? {};
  return { code, headers: answered, json: JSON.parse(Buffer.from(content).toString()) as Answered['json'] };
}

interface Answered {
  /** `undefined`: it goes on as a stream. */
  readonly code: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: { readonly items?: readonly { readonly metadata: { readonly name: string } }[] } | null;
}

async function namesIn(world: World, query = ''): Promise<string[]> {
  const { json } = await ask(world, 'GET', `${all}?${query}`);
  return (json?.items ?? []).map(({ metadata }) => metadata.name);
}

interface WatchParts {
  readonly path?: string;
  readonly accept?: string;
  readonly client?: WatchClient;
}

async function watch(world: World, query: string, parts: WatchParts = {}): Promise<WatchClient> {
  const { path = all, accept = 'application/json', client = new WatchClient() } = parts;
  const answered = ask(world, 'GET', `${path}?${query}`, { headers: { accept }, client });
  await settle();
  await Promise.race([answered, settle()]);
  return client;
}

/** Makes a lease; the version of it. */
async function grant(world: World, namespace: string, name: string, durationMs = 10_000): Promise<bigint> {
  const answer = await world.do({ ...acquire('h', { durationMs }), namespace, name });
  if (answer.kind !== 'granted') throw new Error(`${name} is busy`);
  return answer.record.resourceVersion;
}

async function drop(world: World, namespace: string, name: string): Promise<void> {
  const { uid } = world.coordinator.get(namespace, name).record;
  await world.do({ ...remove({ uid, force: true }), namespace, name });
}
