import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, test } from 'vitest';
import { json, leaseOf, leases, merge, tellsMemory, Victim } from './support.js';

/** Clients that ask for much and read little: what they are owed is bounded, and others do not notice. */
const victim = Victim.ofThisFile(['--drain-timeout', '3s']);

/** A hundred leases of 100 KB: a list of them is some 10 MB. */
const names = Array.from({ length: 100 }, (_, index) => `large-${String(index).padStart(3, '0')}`);
const large = 100_000;

beforeAll(async () => {
  for (const name of names) {
    const body = leaseOf({ name, annotations: { large: 'x'.repeat(large) } });
    expect((await victim.ask({ method: 'POST', path: leases, headers: json, body })).code).toBe(201);
  }
}, 60_000);

/** Sends a request, and reads nothing of what comes. */
function send(path: string, times = 1): Socket {
  const socket = victim.connect();
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(times));
  return socket;
}

function relabel(name: string, value: string) {
  const body = JSON.stringify({ metadata: { labels: { value } } });
  return victim.ask({ method: 'PATCH', path: `${leases}/${name}`, headers: merge, body });
}

/** Reads a watch: what comes of it, event by event, as `TYPE name value`. Resolves once it is open. */
async function reading(socket: Socket): Promise<string[]> {
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    createInterface(socket).on('line', (line) => {
      resolve();
      if (!line.startsWith('{')) return;
      const { type, object } = JSON.parse(line) as Seen;
      seen.push(`${type} ${object.metadata.name} ${object.metadata.labels?.value ?? ''}`.trim());
    });
    socket.resume();
  });
  return seen;
}

interface Seen {
  readonly type: string;
  readonly object: { readonly metadata: { readonly name: string; readonly labels?: { readonly value?: string } } };
}

describe.runIf(tellsMemory)('memory stays bounded', () => {
  test('however many lists are asked for and not read; those that find no room are told to come again', async () => {
    const slow = Array.from({ length: 80 }, () => send(leases));
    await expect.poll(async () => (await victim.ask({ path: leases })).code, { timeout: 60_000, interval: 500 }).toBe(429);
    expect((await victim.ask({ path: leases })).headers['retry-after']).toBe('1');
    expect(await victim.residentMiB()).toBeLessThan(1500);
    // What is short is answered.
    expect((await victim.ask({ path: `${leases}?limit=1` })).code).toBe(200);
    await victim.expectAlive();
    slow.forEach((socket) => socket.destroy());
    await expect.poll(async () => (await victim.ask({ path: leases })).code, { timeout: 30_000 }).toBe(200);
  }, 120_000);

  test('however many lists are asked for at once on one connection', async () => {
    const before = await victim.residentMiB();
    const slow = send(leases, 90);
    await Promise.all(Array.from({ length: 50 }, () => victim.ask({ path: '/livez' })));
    expect(await victim.residentMiB()).toBeLessThan(before + 300);
    slow.destroy();
    await victim.expectAlive();
  }, 60_000);

  test('however many watchers do not read, and whoever reads in the end has missed nothing', async () => {
    const before = await victim.residentMiB();
    const slow = Array.from({ length: 100 }, () => send(`${leases}?watch=1`));
    for (let round = 1; round <= 3; round += 1) await Promise.all(names.map((name) => relabel(name, String(round))));
    // Each of them is owed 40 MB by now.
    expect(await victim.residentMiB()).toBeLessThan(before + 1000);
    const seen = await reading(slow[0]!);
    const last = new Map<string, string>();
    await expect
      .poll(
        () => {
          seen.splice(0).forEach((event) => {
            const [type, name, value] = event.split(' ');
            expect(type === 'ADDED').toBe(!last.has(name!));
            last.set(name!, value ?? '');
          });
          return names.every((name) => last.get(name) === '3');
        },
        { timeout: 60_000 },
      )
      .toBe(true);
    slow.forEach((socket) => socket.destroy());
    await victim.expectAlive();
  }, 120_000);
});

test('a thousand watchers are told of the same changes in the same order', async () => {
  const watchers = await Promise.all(
    Array.from({ length: 1000 }, () => reading(send(`${leases}?watch=1&labelSelector=value%3Dnew`))),
  );
  await Promise.all(names.slice(0, 30).map((name) => relabel(name, 'new')));
  await expect.poll(() => watchers.every((seen) => seen.length >= 30), { timeout: 60_000 }).toBe(true);
  const [first, ...others] = watchers;
  expect(new Set(first)).toEqual(new Set(names.slice(0, 30).map((name) => `ADDED ${name} new`)));
  for (const other of others) expect(other).toEqual(first);
  await victim.expectAlive();
}, 120_000);

test('a shutdown does not wait for those who do not read', async () => {
  const slow = [...Array.from({ length: 20 }, () => send(`${leases}?watch=1`)), ...Array.from({ length: 5 }, () => send(leases))];
  const reader = await reading(send(`${leases}?watch=1&labelSelector=value%3Dlast`));
  await relabel(names[0]!, 'last');
  await expect.poll(() => reader).toEqual([`ADDED ${names[0]!} last`]);
  const closed = Promise.all(slow.map((socket) => once(socket.resume(), 'close')));
  expect(await victim.server.stop()).toBe(0);
  await closed;
  expect(victim.faults).toEqual([]);
  await victim.start();
}, 60_000);
