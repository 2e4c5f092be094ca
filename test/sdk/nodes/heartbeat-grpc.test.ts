import { UnavailableError } from '@leasehold/sdk';
import { expect, it } from 'vitest';
import { FaultProxy } from '../../support/fault-proxy.js';
import { clientOf, eventually, serve, storeFile } from '../support/server.js';
import { Diary, named, namespace } from './world.js';

/** Long enough for a machine that has other things to do. */
const timings = { durationMs: 20_000, beatIntervalMs: 1_000 };

it('keeps 2,000 nodes over one connection, through cuts and a restart of the server, each under its first token', async () => {
  const store = await storeFile();
  const first = await serve(store);
  const network = await FaultProxy.to(first.port);
  const client = clientOf(network.address);
  const diary = new Diary();
  const agent = client.heartbeatNodes({ nodes: named(2_000), ...timings, ...diary.hooks });
  await agent.ready();
  // One for heartbeats, one for calls.
  expect(network.connections).toBe(2);
  const leases = agent.nodes.map((node) => agent.lease(node)!);
  const tokens = leases.map(({ fencingToken }) => fencingToken);
  const isRenewed = (): boolean => leases.every(({ remainingMs }) => remainingMs > timings.durationMs * 0.9);

  network.cut();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await eventually(isRenewed);
  await first.drain();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(isRenewed()).toBe(false);
  await serve(store, first.port);
  await eventually(isRenewed);

  expect(diary.lost).toEqual([]);
  expect(agent.nodes.map((node) => agent.lease(node)?.fencingToken)).toEqual(tokens);
  await agent.stop({ timeoutMs: 20_000 });
  expect(await clientOf(first.address).get('node-2000', { namespace })).toMatchObject({ state: 'AVAILABLE' });
}, 90_000);

it('gives up waiting for a server that is not there, and is ready once it comes', async () => {
  const gone = await serve();
  await gone.drain();
  const client = clientOf(gone.address, { timeoutMs: 500 });
  const diary = new Diary();
  const agent = client.heartbeatNodes({ nodes: named(100), ...timings, ...diary.hooks });
  await expect(agent.ready({ timeoutMs: 1_500 })).rejects.toThrow(UnavailableError);
  expect(diary.errors.length).toBeGreaterThan(0);
  await serve('memory:', gone.port);
  await agent.ready();
  expect(agent.held).toBe(100);
});
