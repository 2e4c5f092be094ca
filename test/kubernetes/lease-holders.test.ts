import { beforeEach, describe, expect, test } from 'vitest';
import { acquire, lease as name, release, renew, update } from '../core/world.js';
import { settle } from '@leasehold/sdk/testing';
import { changed, heldBy, leases, LeaseWorld, merge, one } from './lease-world.js';

/** Leases that both APIs work with. */

let api: LeaseWorld;

beforeEach(async () => {
  api = await LeaseWorld.start();
});

const patch = (body: object, query = ''): ReturnType<LeaseWorld['ask']> =>
  api.ask('PATCH', `${one}${query}`, { headers: merge, body });

describe('a lease that gRPC has granted', () => {
  test('is shown with what Kubernetes knows of leases, and with its state and token', async () => {
    const token = await api.world.grant('a', { labels: { app: 'x' }, annotations: { note: 'y' }, durationMs: 1500 });
    const now = '2027-01-15T08:16:40';
    expect(await api.get()).toEqual({
      kind: 'Lease',
      apiVersion: 'coordination.k8s.io/v1',
      metadata: {
        ...{ name: 'example', namespace: 'default', uid: 'uid-1', resourceVersion: String(token) },
        creationTimestamp: `${now}Z`,
        labels: { app: 'x' },
        annotations: { note: 'y', 'leasehold.dev/state': 'HELD', 'leasehold.dev/token': String(token) },
        managedFields: [
          {
            ...{ manager: 'leasehold', operation: 'Update', apiVersion: 'coordination.k8s.io/v1', time: `${now}Z` },
            fieldsType: 'FieldsV1',
            fieldsV1: {
              'f:metadata': { 'f:annotations': { '.': {}, 'f:note': {} }, 'f:labels': { '.': {}, 'f:app': {} } },
              'f:spec': {
                ...{ 'f:acquireTime': {}, 'f:holderIdentity': {}, 'f:leaseDurationSeconds': {} },
                ...{ 'f:leaseTransitions': {}, 'f:renewTime': {} },
              },
            },
          },
        ],
      },
      spec: {
        ...{ holderIdentity: 'a', leaseDurationSeconds: 2, leaseTransitions: 0 },
        ...{ acquireTime: `${now}.000000Z`, renewTime: `${now}.000000Z` },
      },
    });
  });

  test('cannot be written while it lives, in any field of its spec', async () => {
    const token = await api.world.grant('a');
    for (const spec of [
      { holderIdentity: 'b' },
      { holderIdentity: '' },
      { renewTime: '2027-01-01T00:00:00.000000Z' },
      { leaseTransitions: 3 },
    ]) {
      expect(await patch({ spec })).toMatchObject({
        code: 409,
        status: {
          reason: 'Conflict',
          details: { name: 'example', kind: 'leases', causes: [{ reason: 'LEASE_HELD' }] },
        },
      });
    }
    expect(api.world.lease.record).toMatchObject({ holder: 'a', fencingToken: token, resourceVersion: token });
  });

  test('has metadata that is free: its managers are told apart, and it is renewed as before', async () => {
    const token = await api.world.grant('a');
    const { code, lease } = await patch({ metadata: { labels: { app: 'x' } } }, '?fieldManager=me');
    expect(code).toBe(200);
    expect(lease.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['leasehold', 'me']);
    expect((await api.world.do(renew(api.world, 'a', token))).record.labels).toEqual({ app: 'x' });
  });

  test('keeps its version when it is put back as it is', async () => {
    await api.world.grant('a', { labels: { app: 'x' } });
    const lease = await api.get();
    await api.world.clock.advance(2000);
    const put = await api.ask('PUT', one, { body: lease });
    expect(put).toMatchObject({ code: 200, lease: { metadata: { resourceVersion: lease.metadata.resourceVersion } } });
    expect(api.world.lease.record.kubernetes).toBeUndefined();
  });

  test('is taken by a write once it has expired, as client-go does', async () => {
    const token = await api.world.grant('a');
    await api.world.clock.advance(10_000);
    const lease = await api.get();
    expect(lease).toMatchObject({
      metadata: { annotations: { 'leasehold.dev/state': 'EXPIRED' } },
      spec: { holderIdentity: 'a' },
    });
    const { lease: taken } = await api.ask('PUT', one, { body: changed(lease, { spec: heldBy('b', 15) }) });
    const now = taken.metadata.annotations?.['leasehold.dev/token'];
    expect(taken.metadata.annotations?.['leasehold.dev/state']).toBe('HELD');
    expect(BigInt(now ?? 0)).toBeGreaterThan(token);
    expect(taken.metadata.resourceVersion).toBe(now);
    await expect(api.world.do(renew(api.world, 'a', token))).rejects.toMatchObject({ reason: 'LEASE_LOST' });
  });

  test('meets a conflict with its manager when its holder is applied', async () => {
    await api.world.grant('a');
    const answer = await api.ask('PATCH', `${one}?fieldManager=me`, {
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'example' }, spec: { holderIdentity: 'b' } },
    });
    expect(answer.status.message).toBe(
      'Apply failed with 1 conflict: conflict with "leasehold" using coordination.k8s.io/v1: .spec.holderIdentity',
    );
  });
});

describe('a lease of Kubernetes', () => {
  test('goes to the last writer with a fresh version, but not in strict mode', async () => {
    await api.create(heldBy('a'));
    expect((await patch({ spec: { holderIdentity: 'b' } })).code).toBe(200);
    api = await LeaseWorld.start({ strict: true });
    await api.create(heldBy('a'));
    expect(await patch({ spec: { holderIdentity: 'b' } })).toMatchObject({ code: 409, status: { reason: 'Conflict' } });
    expect((await patch({ spec: { renewTime: '2027-01-01T00:00:00.000000Z' } })).code).toBe(200);
    await api.world.clock.advance(10_000);
    expect((await patch({ spec: { holderIdentity: 'b' } })).code).toBe(200);
  });

  test('counts its renewal from when the request had been read', async () => {
    await api.create(heldBy('a'));
    await api.world.clock.advance(4000);
    await patch({ spec: { renewTime: '2027-01-01T00:00:00.000000Z' } });
    expect(api.world.lease.remainingMs).toBe(10_000);
  });

  test('that is released with somebody in the queue of gRPC is shown as it is then: theirs', async () => {
    await api.create(heldBy('a'));
    const waiting = api.world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    await api.world.clock.advance(0);
    const { lease } = await patch({ spec: { holderIdentity: '' } });
    expect(await waiting).toMatchObject({ kind: 'granted' });
    expect(lease).toMatchObject({ spec: { holderIdentity: 'b' }, metadata: { annotations: { 'leasehold.dev/state': 'HELD' } } });
  });

  test('that gRPC holds and releases stays tracked', async () => {
    await api.create({}, { labels: { app: 'x' } });
    const token = await api.world.grant('b');
    await api.world.do(release(token));
    expect(await api.get()).toMatchObject({
      metadata: {
        labels: { app: 'x' },
        managedFields: [{ manager: 'unknown' }],
        annotations: { 'leasehold.dev/state': 'AVAILABLE' },
      },
      spec: { holderIdentity: '' },
    });
  });
});

describe("the server's annotations", () => {
  const own = { 'leasehold.dev/state': 'AVAILABLE', 'leasehold.dev/token': '0' };

  test('are never what clients write there, however they write', async () => {
    const lie = { 'leasehold.dev/token': '99', 'leasehold.dev/more': 'x' };
    const lease = await api.create({}, { annotations: { ...lie, note: 'a' } });
    expect(lease.metadata.annotations).toEqual({ note: 'a', ...own });
    expect(lease.metadata.managedFields).toMatchObject([
      { fieldsV1: { 'f:metadata': { 'f:annotations': { '.': {}, 'f:note': {} } } } },
    ]);
    const version = lease.metadata.resourceVersion;
    const put = await api.ask('PUT', one, { body: changed(lease, { metadata: { annotations: { note: 'a', ...lie } } }) });
    expect(put.lease.metadata).toMatchObject({ annotations: { note: 'a', ...own }, resourceVersion: version });
    const merged = await patch({ metadata: { annotations: lie } });
    expect(merged.lease.metadata).toMatchObject({ annotations: { note: 'a', ...own }, resourceVersion: version });
    const applied = await api.ask('PATCH', `${one}?fieldManager=me`, {
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'example', annotations: { ...lie, me: '1' } },
      },
    });
    expect(applied.lease.metadata.annotations).toEqual({ note: 'a', me: '1', ...own });
    expect(JSON.stringify(applied.lease.metadata.managedFields)).not.toContain('leasehold.dev');
  });

  test('are seen by patches', async () => {
    await api.create();
    const operations = (state: string): object[] => [
      { op: 'test', path: '/metadata/annotations/leasehold.dev~1state', value: state },
      { op: 'add', path: '/metadata/annotations/note', value: 'a' },
    ];
    const ask = (state: string): ReturnType<LeaseWorld['ask']> =>
      api.ask('PATCH', one, { headers: { 'content-type': 'application/json-patch+json' }, body: operations(state) });
    expect((await ask('HELD')).code).toBe(422);
    expect((await ask('AVAILABLE')).lease.metadata.annotations).toEqual({ note: 'a', ...own });
    expect((await patch({ metadata: { annotations: null } })).lease.metadata.annotations).toEqual(own);
  });

  test('leave alone what gRPC has written beside them', async () => {
    await api.create();
    await api.world.do(update({ annotations: { 'leasehold.dev/mine': 'x' } }));
    expect((await patch({ metadata: { annotations: null, labels: { a: 'b' } } })).lease.metadata.annotations).toEqual({
      'leasehold.dev/mine': 'x',
      ...own,
    });
    expect(api.world.lease.record.annotations).toEqual({ 'leasehold.dev/mine': 'x' });
  });
});

describe('a deletion', () => {
  const remove = (body?: object, query = ''): ReturnType<LeaseWorld['ask']> =>
    api.ask('DELETE', `${one}${query}`, body === undefined ? {} : { body });

  test('of a lease of Kubernetes frees the name at once, whoever holds it', async () => {
    const { metadata } = await api.create(heldBy('a'));
    expect(await remove()).toMatchObject({
      code: 200,
      status: {
        status: 'Success',
        details: { name: 'example', group: 'coordination.k8s.io', kind: 'leases', uid: metadata.uid },
      },
    });
    expect((await api.create(heldBy('b'))).metadata.uid).not.toBe(metadata.uid);
  });

  test.each(['Foreground', 'Background', 'Orphan'])('%s is not held up by finalizers of a garbage collector', async (policy) => {
    for (const finalizer of ['orphan', 'foregroundDeletion']) {
      await api.create(heldBy('a'), { finalizers: [finalizer] });
      expect((await remove(undefined, `?propagationPolicy=${policy}&dryRun=All`)).status).toMatchObject({ status: 'Success' });
      expect((await remove(undefined, `?propagationPolicy=${policy}`)).status).toMatchObject({ status: 'Success' });
      expect((await api.ask('GET', one)).code).toBe(404);
    }
    await api.create(heldBy('a'), { finalizers: ['orphan', 'example.com/f'] });
    expect((await remove(undefined, `?propagationPolicy=${policy}&dryRun=All`)).lease.metadata.finalizers).toEqual([
      'example.com/f',
    ]);
    expect((await remove(undefined, `?propagationPolicy=${policy}`)).lease.metadata.finalizers).toEqual(['example.com/f']);
    const body = { metadata: { finalizers: null } };
    expect((await api.ask('PATCH', one, { body, headers: merge })).code).toBe(200);
    expect((await api.ask('GET', one)).code).toBe(404);
  });

  test('of a living lease of gRPC keeps the name for as long as its holder may believe in it', async () => {
    await api.world.grant('a');
    await api.world.clock.advance(4000);
    expect((await remove()).code).toBe(200);
    const post = (): ReturnType<LeaseWorld['ask']> => api.ask('POST', leases, { body: { metadata: { name: 'example' } } });
    expect(await post()).toMatchObject({
      code: 409,
      status: {
        reason: 'Conflict',
        details: { causes: [{ reason: 'NAME_RESERVED', message: expect.stringMatching(/6000 ms left/) as string }] },
      },
    });
    await api.world.clock.advance(6000);
    expect((await post()).code).toBe(201);
  });

  test('does not free at once what gRPC has got meanwhile', async () => {
    await api.create(heldBy('a', 1));
    await api.world.clock.advance(1000);
    // It is read before the grant is committed, and deleted after it.
    api.world.store.shut();
    const granted = api.world.coordinator.submit(acquire('b'));
    const removed = remove();
    await settle();
    await api.world.store.open();
    expect(await granted).toMatchObject({ kind: 'granted' });
    expect((await removed).code).toBe(200);
    await expect(api.world.grant('c')).rejects.toThrow('busy');
  });

  test('has preconditions', async () => {
    const { metadata } = await api.create();
    const { uid = '', resourceVersion = '' } = metadata;
    for (const [preconditions, what] of [
      [
        { uid: 'x' },
        `the UID in the precondition (x) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
      ],
      [
        { uid, resourceVersion: '1' },
        `the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
      ],
    ] as const) {
      const refused = {
        code: 409,
        status: { reason: 'Conflict', message: `Operation cannot be fulfilled on Lease.coordination.k8s.io "example": ${what}` },
      };
      expect(await remove({ preconditions })).toMatchObject(refused);
      expect(await remove(undefined, `?${new URLSearchParams(Object.entries(preconditions)).toString()}`)).toMatchObject(refused);
    }
    expect((await remove({ preconditions: { uid, resourceVersion } })).code).toBe(200);
  });

  test('with finalizers only marks, and is over when the last of them goes', async () => {
    await api.create(heldBy('a'), { finalizers: ['example.com/f', 'example.com/g'] });
    const dry = await remove({ dryRun: ['All'] });
    expect(dry).toMatchObject({ code: 200, lease: { metadata: { deletionTimestamp: '2027-01-15T08:16:40Z' } } });
    expect((await api.get()).metadata).not.toHaveProperty('deletionTimestamp');
    expect(await remove({ orphanDependents: false })).toMatchObject({
      code: 202,
      lease: { metadata: { deletionGracePeriodSeconds: 0 } },
    });
    expect(await remove()).toMatchObject({ code: 200, lease: { kind: 'Lease' } });
    expect(await patch({ metadata: { finalizers: ['example.com/f', 'example.com/h'] } })).toMatchObject({ code: 422 });
    expect((await patch({ metadata: { finalizers: ['example.com/f'] } })).code).toBe(200);
    const marked = await api.get();
    const last = await patch({ metadata: { finalizers: [] } });
    expect(last).toMatchObject({ code: 200, lease: { metadata: { resourceVersion: marked.metadata.resourceVersion } } });
    expect((await api.ask('GET', one)).code).toBe(404);
  });

  test.each([
    [
      { propagationPolicy: 'Sideways' },
      'propagationPolicy: Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", "nil"',
    ],
    [
      { propagationPolicy: 'Orphan', orphanDependents: true },
      'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
    ],
    [{ dryRun: ['Some'] }, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'],
  ])('with %o is 422', async (options, problem) => {
    await api.create();
    const refused = { code: 422, status: { message: `DeleteOptions.meta.k8s.io "" is invalid: ${problem}` } };
    expect(await remove(options)).toMatchObject(refused);
    const query = new URLSearchParams(Object.entries(options).map(([key, value]): [string, string] => [key, String(value)]));
    expect(await remove(undefined, `?${query.toString()}`)).toMatchObject(refused);
  });

  test('takes the policies of those who have dependents, and a time to end', async () => {
    for (const propagationPolicy of ['Foreground', 'Background', 'Orphan']) {
      await api.create();
      expect((await remove({ propagationPolicy, gracePeriodSeconds: 30 })).code).toBe(200);
    }
    expect(await remove(undefined, '?gracePeriodSeconds=soon')).toMatchObject({ code: 400 });
  });

  test('of many takes those that are selected, and shows them as they were', async () => {
    for (const [lease, env] of [
      ['a', 'x'],
      ['b', 'y'],
      ['c', 'x'],
    ]) {
      await api.ask('POST', leases, { body: { metadata: { name: lease, labels: { env } }, spec: heldBy('h') } });
    }
    await api.world.grant('a', { labels: { env: 'x' } });
    const { code, list } = await api.ask('DELETE', `${leases}?labelSelector=env%3Dx`);
    expect(code).toBe(200);
    expect(list.items.map(({ metadata }) => metadata.name)).toEqual(['a', 'c', name.name]);
    expect((await api.ask('GET', leases)).list.items.map(({ metadata }) => metadata.name)).toEqual(['b']);
    await expect(api.world.grant('b')).rejects.toThrow('busy');
  });

  test('of many minds its preconditions, but not that somebody else was faster', async () => {
    for (const lease of ['a', 'b', 'c']) await api.ask('POST', leases, { body: { metadata: { name: lease } } });
    const refused = await api.ask('DELETE', leases, { body: { preconditions: { uid: 'x' } } });
    expect(refused.code).toBe(409);
    const answers = await Promise.all([api.ask('DELETE', leases), api.ask('DELETE', leases)]);
    expect(answers.map(({ code }) => code)).toEqual([200, 200]);
    expect((await api.ask('GET', leases)).list.items).toEqual([]);
  });

  test('of many goes as far as a limit', async () => {
    for (const lease of ['a', 'b', 'c']) await api.ask('POST', leases, { body: { metadata: { name: lease } } });
    const { list } = await api.ask('DELETE', `${leases}?limit=2`);
    expect(list.items).toHaveLength(2);
    expect((await api.ask('GET', leases)).list.items).toHaveLength(1);
  });
});

describe('a server that cannot answer', () => {
  test('says so with a time to come again', async () => {
    await api.create();
    const failure = new Error('disk');
    api.world.store.failNext = { error: failure, lands: false };
    const answers = [
      await patch({ metadata: { labels: { a: 'b' } } }),
      await patch({ metadata: { labels: { a: 'b' } } }),
      await api.ask('GET', one),
      await api.ask('GET', leases),
      await api.ask('DELETE', one),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ code: 503, status: { reason: 'ServiceUnavailable' }, headers: { 'retry-after': '1' } });
    }
  });
});
