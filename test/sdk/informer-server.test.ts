import { WatchExpiredError, type Client } from '@leasehold/sdk';
import { expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.js';
import { recordOf, shown } from './support/informers.js';
import { clientOf, eventually, serve, storeFile } from './support/server.js';

/** Changes one lease so often. */
async function churn(client: Client, name: string, times: number): Promise<void> {
  for (let done = 0; done < times; done += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => client.update(name, { annotations: { v: String(done + index) } })),
    );
  }
}

async function isCompacted(client: Client, fromRevision: bigint): Promise<boolean> {
  const watch = client.watch({ fromRevision });
  try {
    // The first message says where the watch starts; whether the history reaches back shows before.
    for await (const { revision } of watch) return revision < fromRevision;
    return false;
  } catch (error) {
    return error instanceof WatchExpiredError;
  } finally {
    watch.close();
  }
}

it('lists again when the server has compacted the history that an informer missed, and tells the differences', async () => {
  const store = await storeFile();
  const options = ['--history-max', '1000'];
  let server = await serve(store, 0, options);
  const proxy = await FaultProxy.to(server.port);
  const client = clientOf(server.address);
  for (const name of ['kept', 'changed', 'gone', 'anew', 'busy']) await client.create(name, { labels: { app: 'foo' } });

  const cache = clientOf(proxy.address).informer({ indexLabels: ['app'] });
  const told: string[] = [];
  let resyncs = 0;
  cache.on('change', (change) => told.push(shown(change)));
  cache.on('resync', () => (resyncs += 1));
  await cache.waitForSync();
  const { resourceVersion } = await client.update('kept', { labels: { app: 'foo', tier: 'web' } });
  await eventually(() => told.length === 6);
  told.length = 0;

  proxy.refuse();
  proxy.cut();
  await client.update('changed', { labels: { app: 'bar' } });
  await client.delete('gone');
  await client.delete('anew');
  await client.create('anew', { labels: { app: 'foo' } });
  await client.create('new', { labels: { app: 'foo' } });
  await churn(client, 'busy', 1800);
  // What the server has in memory reaches further back than the history that it keeps.
  await server.drain();
  server = await serve(store, server.port, options);
  await eventually(() => isCompacted(client, resourceVersion));
  expect(told).toEqual([]);

  proxy.restore();
  await eventually(() => resyncs === 1);
  expect(told.sort()).toEqual([
    ...['add anew LISTED', 'add new LISTED', 'delete anew LISTED', 'delete gone LISTED'],
    ...['update busy LISTED', 'update changed LISTED'],
  ]);
  const leases: string[] = [];
  for await (const lease of client.list()) leases.push(recordOf(lease));
  expect([...cache].map(recordOf).sort()).toEqual(leases.sort());
  expect(
    cache
      .byLabel('app', 'foo')
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['anew', 'busy', 'kept', 'new']);

  await client.delete('new');
  await eventually(() => cache.get('new') === undefined);
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
