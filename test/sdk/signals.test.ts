import { getEventListeners } from 'node:events';
import { TestServer } from '@leasehold/sdk/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { underSignals } from '../../sdk/dist/signals.js';

/** How many signals made by `AbortSignal.any` a signal remembers. */
function dependants(signal: AbortSignal): number {
  const kept = Object.getOwnPropertySymbols(signal).find(({ description }) => description === 'kDependantSignals');
  return kept === undefined ? 0 : ((signal as unknown as Record<symbol, Set<unknown> | undefined>)[kept]?.size ?? 0);
}

describe('under several signals', () => {
  it('a task is told by the first that aborts, with its reason', async () => {
    const [one, two] = [new AbortController(), new AbortController()];
    const told = underSignals([undefined, one.signal, two.signal], async (signal) => {
      two.abort('two');
      one.abort('one');
      return signal.reason as unknown;
    });
    expect(await told).toBe('two');
  });

  it('a task is told at once by one that has aborted before', async () => {
    const told = underSignals([AbortSignal.abort('before')], async (signal) => signal.reason as unknown);
    expect(await told).toBe('before');
  });

  it('nothing stays behind, however the task ends', async () => {
    const { signal } = new AbortController();
    await underSignals([signal], () => Promise.resolve());
    await expect(underSignals([signal], () => Promise.reject(new Error('thrown')))).rejects.toThrow('thrown');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

it("acquires and elections leave nothing behind on a caller's signal", async () => {
  expect(dependants(AbortSignal.any([new AbortController().signal]))).toBe(0);
  const server = await TestServer.start();
  onTestFinished(() => server.close());
  const client = server.client();
  const { signal } = new AbortController();
  const seen = AbortSignal.any([signal]);
  expect(dependants(signal)).toBe(1);
  const { granted } = await client.acquire('x', { signal });
  await client.reattach('x', { fencingToken: granted!.fencingToken, signal });
  await granted!.release();
  await client.elect('y', {}, () => Promise.resolve(), { signal });
  expect([dependants(signal), getEventListeners(signal, 'abort').length]).toEqual([1, 0]);
  expect(seen.aborted).toBe(false);
});
