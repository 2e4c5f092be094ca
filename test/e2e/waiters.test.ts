import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { ServerProcess } from '../support/server-process.js';
import { acquire, acquireRequest, grantOf, release, seconds, wireClient, type Acquiring } from '../support/wire.js';

const name = 'wanted';
const waiters = 1_000;
const connections = 20;
const perConnection = waiters / connections;

/** Who waits in a process of its own, which is killed: the last 150. The rest waits here, and of them every fourth gives up. */
const inChild = 150;
const givesUp = (index: number): boolean => index < waiters - inChild && index % 4 === 3;

it('grants each of 1,000 waiters exactly once, in order; a third dies while waiting, and none of the dead wins', async () => {
  const server = await ServerProcess.start();
  const clients = Array.from({ length: connections }, () => wireClient(server.address));
  const clientOf = (index: number) => clients[Math.floor(index / perConnection) % connections] ?? wireClient(server.address);
  let token = await grantOf(acquire(clientOf(0), acquireRequest({ name, holder: 'first' })));

  const granted: number[] = [];
  let grants = 0;
  const waiting: Acquiring[] = [];
  const enqueue = async (index: number): Promise<void> => {
    const acquiring = acquire(clientOf(index), acquireRequest({ name, holder: `waiter-${index}`, wait: seconds(3600) }));
    acquiring.answer.then(
      ({ outcome }) => {
        grants++;
        if (outcome?.$case === 'granted') {
          granted.push(index);
        }
      },
      () => undefined,
    );
    waiting[index] = acquiring;
    // One connection keeps the order in which calls are made; between connections, the server has to have read the last one.
    if (index % perConnection === perConnection - 1) {
      await queued(index);
    }
  };
  /** The server answers a later call of the same connection only after it has read the earlier ones. */
  const queued = async (index: number): Promise<void> => {
    await acquire(clientOf(index), acquireRequest({ name, holder: `probe-${index}` })).answer;
  };
  for (let index = 0; index < waiters - inChild; index++) {
    await enqueue(index);
  }

  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('./waiter-child.mjs', import.meta.url)),
      server.address,
      name,
      String(waiters - inChild),
      String(inChild),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await once(child.stdout, 'data');
  await sleep(500);
  child.kill('SIGKILL');
  await once(child, 'exit');
  let cancelled = 0;
  for (const [index, acquiring] of waiting.entries()) {
    if (givesUp(index)) {
      acquiring.cancel();
      // Bulk cancels are paced: a server takes a burst of them on one connection for an attack.
      cancelled++;
      if (cancelled % 50 === 0) {
        await sleep(20);
      }
    }
  }
  // Whoever is dead is known to be dead once a later call of its connection was answered.
  await Promise.all(clients.map((_, index) => queued(index * perConnection)));

  const living = Array.from({ length: waiters - inChild }, (_, index) => index).filter((index) => !givesUp(index));
  for (const expected of living) {
    await release(clientOf(0), name, token);
    const acquiring = waiting[expected];
    if (acquiring === undefined) {
      throw new Error(`Nobody waits at ${expected}`);
    }
    const next = await grantOf(acquiring);
    expect(next).toBeGreaterThan(token);
    token = next;
  }
  expect(granted).toEqual(living);
  expect(grants).toBe(living.length);
  expect(waiters - living.length).toBeGreaterThan(waiters / 3);
  const { lease } = await release(clientOf(0), name, token);
  expect(lease?.holder).toBe('');
}, 120_000);
