import { UnavailableError } from '@leasehold/sdk';
import { expect, it } from 'vitest';
import { FaultProxy } from '../../support/fault-proxy.js';
import { clientOf, eventually, serve, storeFile } from '../support/server.js';
import { Diary, named, namespace } from './world.js';

/** Long enough for a machine that has other things to do. */
const timings = { durationMs: 30_000, beatIntervalMs: 2_000 };
const patience = 60_000;

it('keeps 2,000 nodes over one connection, through cuts and a restart of the server, each under its first token', async () => {
  const store = await storeFile();
  const first = await serve(store);
  const network = await FaultProxy.to(first.port);
  const client = clientOf(network.address);
  const diary = new Diary();
  const agent = client.heartbeatNodes({ nodes: named(2_000), ...timings, ...diary.hooks });
  await agent.ready({ timeoutMs: patience });
  // One for heartbeats, one for calls.
  expect(network.connections).toBe(2);
  const tokensOf = (): unknown[] => agent.nodes.map((node) => agent.lease(node)?.fencingToken);
  const tokens = tokensOf();
  // Some of each message; a look at a clock is not cheap.
  const some = agent.nodes.filter((_, index) => index % 100 === 0).map((node) => agent.lease(node)!);
  /** Resolves once they were renewed by a beat that was sent after this. */
  const renewed = async (): Promise<void> => {
    const since = performance.now();
    const isNew = (remainingMs: number): boolean => remainingMs > timings.durationMs * 0.98 - (performance.now() - since);
    await eventually(() => some.every(({ remainingMs }) => isNew(remainingMs)), patience);
  };

  network.cut();
  await renewed();
  await first.drain();
  await serve(store, first.port);
  await renewed();

  expect(diary.lost).toEqual([]);
  expect(tokensOf()).toEqual(tokens);
  await agent.stop({ timeoutMs: patience });
  expect(await clientOf(first.address).get('node-2000', { namespace })).toMatchObject({ state: 'AVAILABLE' });
}, 180_000);

it('gives up waiting for a server that is not there, and is ready once it comes', async () => {
  const gone = await serve();
  await gone.drain();
  const client = clientOf(gone.address, { timeoutMs: 500 });
  const diary = new Diary();
  const agent = client.heartbeatNodes({ nodes: named(100), ...timings, ...diary.hooks });
  await expect(agent.ready({ timeoutMs: 1_500 })).rejects.toThrow(UnavailableError);
  expect(diary.errors.length).toBeGreaterThan(0);
  await serve('memory:', gone.port);
  await agent.ready({ timeoutMs: patience });
  expect(agent.held).toBe(100);
});
