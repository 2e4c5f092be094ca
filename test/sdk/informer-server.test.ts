import { WatchExpiredError, type Client } from '@leasehold/sdk';
import { expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.js';
import { recordOf, shown } from './support/informers.js';
import { clientOf, eventually, serve, storeFile } from './support/server.js';

/** So many changes of leases in another namespace, 300 at once: they fill the history. */
async function churn(client: Client, times: number): Promise<void> {
  const grants = Array.from({ length: 300 }, (_, index) => client.acquire(`busy-${index}`, { namespace: 'other' }));
  const renewals = (await Promise.all(grants)).map(({ granted }) => granted!);
  for (let done = 0; done < times; done += renewals.length) await client.renewBatch(renewals);
}

async function isCompacted(client: Client, fromRevision: bigint): Promise<boolean> {
  const watch = client.watch({ fromRevision });
  const first = await watch[Symbol.asyncIterator]()
    .next()
    .catch((error: unknown) => error);
  watch.close();
  return first instanceof WatchExpiredError;
}

it('lists again when the server has compacted the history that an informer missed, and tells the differences', async () => {
  const store = await storeFile();
  const options = ['--history-max', '1000'];
  let server = await serve(store, 0, options);
  const proxy = await FaultProxy.to(server.port);
  const client = clientOf(server.address);
  for (const name of ['kept', 'changed', 'gone', 'anew']) await client.create(name, { labels: { app: 'foo' } });

  const cache = clientOf(proxy.address).informer({ indexLabels: ['app'] });
  const told: string[] = [];
  let resyncs = 0;
  cache.on('change', (change) => told.push(shown(change)));
  cache.on('resync', () => (resyncs += 1));
  await cache.waitForSync();
  const { resourceVersion } = await client.update('kept', { labels: { app: 'foo', tier: 'web' } });
  await eventually(() => told.length === 5);
  told.length = 0;

  proxy.refuse();
  proxy.cut();
  await client.update('changed', { labels: { app: 'bar' } });
  await client.delete('gone');
  await client.delete('anew');
  await client.create('anew', { labels: { app: 'foo' } });
  await client.create('new', { labels: { app: 'foo' } });
  await churn(client, 1800);
  // What the server has in memory reaches further back than the history that it keeps.
  await server.drain();
  server = await serve(store, server.port, options);
  await eventually(() => isCompacted(client, resourceVersion));
  expect(told).toEqual([]);

  proxy.restore();
  await eventually(() => resyncs === 1);
  expect(told.sort()).toEqual([
    ...['add anew LISTED', 'add new LISTED', 'delete anew LISTED', 'delete gone LISTED'],
    ...['update changed LISTED'],
  ]);
  const leases: string[] = [];
  for await (const lease of client.list()) leases.push(recordOf(lease));
  expect([...cache].map(recordOf).sort()).toEqual(leases.sort());
  expect(
    cache
      .byLabel('app', 'foo')
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['anew', 'kept', 'new']);

  await client.delete('new');
  await eventually(() => cache.get('new') === undefined);
  await client.close({ release: false });
});

it('goes on over a restart of the server, and sees what happened just before it', async () => {
  const store = await storeFile();
  let server = await serve(store);
  const client = clientOf(server.address);
  const cache = clientOf(server.address).informer();
  const told: string[] = [];
  cache.on('change', (change) => told.push(shown(change)));
  await cache.waitForSync();
  await client.create('x');
  await server.drain();
  server = await serve(store, server.port);
  await client.create('y');
  await eventually(() => told.length === 2);
  expect(told).toEqual(['add x CREATED', 'add y CREATED']);
});
