import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openEtcdStore } from '../../server/dist/store/etcd/index.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';
import { create } from './changes.js';
import { follow } from './follow.js';

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

  it.each(['simple', 'jwt'])('goes on when a user is added, which ends tokens: %s', async (kind) => {
    const etcd = await EtcdProcess.start(['--auth-token', kind === 'jwt' ? await jwt() : kind]);
    onTestFinished(() => etcd.dispose());
    const call = await enableAuth(etcd, 'root', 'secret');
    const credentials = { name: 'root', password: 'secret' };
    const store = await openEtcdStore({ endpoints: [etcd.endpoint], clock: systemClock, credentials });
    onTestFinished(() => store.close());
    const heard = await follow(store);
    const { token } = (await call('Authenticate', credentials)) as { token: string };
    await call('UserAdd', { name: 'somebody-else', password: 'x' }, token);
    expect(await store.commit([create('a')])).toHaveLength(1);
    expect(await store.shared!.catchUp()).toBeGreaterThan(0n);
    const other = await openEtcdStore({ endpoints: [etcd.endpoint], clock: systemClock, credentials });
    onTestFinished(() => other.close());
    await follow(other);
    const [created] = await other.commit([create('b')]);
    await expect.poll(() => heard.changes).toEqual([created]);
  });
});

/** The flag's value, with a key of its own. */
async function jwt(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'leasehold-jwt-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await writeFile(join(folder, 'public.pem'), publicKey);
  await writeFile(join(folder, 'private.pem'), privateKey);
  return `jwt,pub-key=${join(folder, 'public.pem')},priv-key=${join(folder, 'private.pem')},sign-method=RS256,ttl=10m`;
}

type AuthCall = (method: string, request: object, token?: string) => Promise<unknown>;

async function enableAuth({ endpoint }: EtcdProcess, name: string, password: string): Promise<AuthCall> {
  const client = new grpc.Client(new URL(endpoint).host, grpc.credentials.createInsecure());
  onTestFinished(() => client.close());
  const call: AuthCall = (method, request, token) => {
    const { path, requestSerialize, responseDeserialize } = service[method]!;
    const metadata = new grpc.Metadata();
    if (token !== undefined) metadata.set('token', token);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  };
  await call('UserAdd', { name, password });
  await call('RoleAdd', { name: 'root' });
  await call('UserGrantRole', { user: name, role: 'root' });
  await call('AuthEnable', {});
  return call;
}

const text = (id: number) => ({ type: 'string', id });
const method = (requestType: string, responseType = 'Answer') => ({ requestType, responseType, comment: '' });
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
            Authenticate: method('UserAddRequest', 'Token'),
          },
        },
        UserAddRequest: { fields: { name: text(1), password: text(2) } },
        RoleAddRequest: { fields: { name: text(1) } },
        UserGrantRoleRequest: { fields: { user: text(1), role: text(2) } },
        Answer: { fields: {} },
        Token: { fields: { token: text(2) } },
      },
    },
  },
});
const service = loaded['etcdserverpb.Auth'] as grpc.ServiceDefinition;
