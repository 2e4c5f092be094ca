import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openEtcdStore } from '../../server/dist/store/etcd/index.js';
import { CertificateAuthority } from '../support/certificates.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';
import { create, recordOf } from './changes.js';
import { loaded } from './contract.js';

describe.skipIf(withoutEtcd !== '')(`an etcd behind TLS${withoutEtcd}`, () => {
  it('is opened by who shows a certificate, and trusts the one that it shows', async () => {
    const etcd = await EtcdProcess.start();
    onTestFinished(() => etcd.dispose());
    const authority = new CertificateAuthority('test');
    const endpoint = await encrypted(etcd, authority);
    const [ca, own] = [Buffer.from(authority.cert), authority.issue('leasehold')];
    const tls = { ca, cert: Buffer.from(own.cert), key: Buffer.from(own.key) };
    const open = (shown: Partial<typeof tls>) =>
      openEtcdStore({
        ...{ endpoints: [endpoint], clock: systemClock, ttlMs: 10_000, answerMs: 2000 },
        tls: { ca: undefined, cert: undefined, key: undefined, ...shown },
      });
    const store = await open(tls);
    const [created] = await store.commit([create('a')]);
    await store.close();
    await expect(open({ ca })).rejects.toThrow(/etcd Status/);
    await expect(open({ ...tls, ca: Buffer.from(new CertificateAuthority('other').cert) })).rejects.toThrow(/etcd Status/);
    const again = await open(tls);
    onTestFinished(() => again.close());
    expect((await loaded(again)).records.get('default/a')).toEqual(recordOf(created));
  });
});

/** Ends the encryption in front of an etcd, as a proxy in front of its members would. */
async function encrypted(etcd: EtcdProcess, authority: CertificateAuthority): Promise<string> {
  const { cert, key } = authority.issue('127.0.0.1');
  const options = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] };
  const server = createServer(options, (near) => {
    const far = connect(Number(new URL(etcd.endpoint).port), '127.0.0.1');
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
