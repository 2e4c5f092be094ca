import grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openEtcdStore } from '../../server/dist/store/etcd/index.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';
import { create } from './changes.js';

describe.skipIf(withoutEtcd !== '')(`an etcd that asks who one is${withoutEtcd}`, () => {
  it('is opened by name and password, and by nobody else', async () => {
    const etcd = await EtcdProcess.start(['--auth-token', 'simple', '--auth-token-ttl', '1']);
    onTestFinished(() => etcd.dispose());
    await enableAuth(etcd, 'root', 'secret');
    const open = (password?: string) =>
      openEtcdStore({
        ...{ endpoints: [etcd.endpoint], clock: systemClock, ttlMs: 10_000 },
        credentials: password === undefined ? undefined : { name: 'root', password },
      });
    await expect(open()).rejects.toThrow('user name is empty');
    await expect(open('wrong')).rejects.toThrow(/authentication failed, invalid user ID or password/);
    const store = await open('secret');
    onTestFinished(() => store.close());
    await store.commit([create('a')]);
    // A token is forgotten; the next call gets another one.
    await etcd.kill();
    await etcd.start();
    await store.commit([create('b')]);
  });
});

async function enableAuth({ endpoint }: EtcdProcess, name: string, password: string): Promise<void> {
  const client = new grpc.Client(new URL(endpoint).host, grpc.credentials.createInsecure());
  onTestFinished(() => client.close());
  const call = (method: string, request: object): Promise<unknown> => {
    const { path, requestSerialize, responseDeserialize } = service[method]!;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  };
  await call('UserAdd', { name, password });
  await call('RoleAdd', { name: 'root' });
  await call('UserGrantRole', { user: name, role: 'root' });
  await call('AuthEnable', {});
}

const text = (id: number) => ({ type: 'string', id });
const method = (requestType: string) => ({ requestType, responseType: 'Answer', comment: '' });
const loaded = fromJSON({
  nested: {
    etcdserverpb: {
      nested: {
        Auth: {
          methods: {
            UserAdd: method('UserAddRequest'),
            RoleAdd: method('RoleAddRequest'),
            UserGrantRole: method('UserGrantRoleRequest'),
            AuthEnable: method('Answer'),
          },
        },
        UserAddRequest: { fields: { name: text(1), password: text(2) } },
        RoleAddRequest: { fields: { name: text(1) } },
        UserGrantRoleRequest: { fields: { user: text(1), role: text(2) } },
        Answer: { fields: {} },
      },
    },
  },
});
const service = loaded['etcdserverpb.Auth'] as grpc.ServiceDefinition;
