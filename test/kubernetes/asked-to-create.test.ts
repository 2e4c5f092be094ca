import { describe, expect, test } from 'vitest';
import { allowAll, type Action, type Authorizer } from '../../server/dist/kubernetes/access/authorizer.js';
import { LeaseWorld, one } from './lease-world.js';

const applied = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'example' },
  spec: { holderIdentity: 'a' },
};
const writes = [
  ['PUT', one, { metadata: { name: 'example' } }, {}, 'update'],
  ['PUT', `${one}?dryRun=All`, { metadata: { name: 'example' } }, {}, 'update'],
  ['PATCH', `${one}?fieldManager=m`, applied, { 'content-type': 'application/apply-patch+yaml' }, 'patch'],
  ['PATCH', `${one}?fieldManager=m&dryRun=All`, applied, { 'content-type': 'application/apply-patch+yaml' }, 'patch'],
] as const;

describe.each(writes)('%s %s', (...[method, url, body, headers, verb]) => {
  const start = async (): Promise<{ api: LeaseWorld; asked: Action[] }> => {
    const asked: Action[] = [];
    const authorizer: Authorizer = {
      ...allowAll,
      authorize(_user, action) {
        asked.push(action);
        return { allowed: action.verb !== 'create', reason: 'rules' };
      },
    };
    return { api: await LeaseWorld.start({ authorizer }), asked };
  };
  const target = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', subresource: '' };
  const example = { ...target, namespace: 'default', name: 'example' };

  test('creates only what its sender may create', async () => {
    const { api, asked } = await start();
    const { revision } = api.world.coordinator;
    expect(await api.ask(method, url, { body, headers })).toMatchObject({
      code: 403,
      status: { reason: 'Forbidden', message: expect.stringContaining('cannot create resource "leases"') as unknown },
    });
    expect(asked).toEqual([
      { verb, ...example },
      { verb: 'create', ...example },
    ]);
    expect(api.world.coordinator.revision).toBe(revision);
  });

  test('changes what is there without that', async () => {
    const { api, asked } = await start();
    await api.world.do({ kind: 'create', namespace: 'default', name: 'example', metadata: {} });
    const { resourceVersion } = api.world.lease.record;
    const versioned = { ...body, metadata: { name: 'example', resourceVersion: String(resourceVersion) } };
    expect((await api.ask(method, url, { body: versioned, headers })).code).toBe(200);
    expect(asked).toEqual([{ verb, ...example }]);
  });
});
