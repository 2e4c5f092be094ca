import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client, type ClientOptions } from '@leasehold/sdk';
import { parseOptions, startServer, type RunningServer } from '@leasehold/server';
import { inject, onTestFinished } from 'vitest';
import type {} from './etcd-setup.js';

/** A server on a free port, or on the one given; it ends with the test. */
export async function serve(store = 'memory:', port = 0, options: readonly string[] = []): Promise<RunningServer> {
  const args = [
    '--listen',
    `127.0.0.1:${port}`,
    '--http-listen',
    'off',
    ...placeOf(store),
    '--identity-lease',
    'off',
    ...options,
  ];
  const request = parseOptions(args, {});
  if (request.kind !== 'serve') throw new Error('asked for help');
  const server = await startServer(request.options);
  onTestFinished(() => server.drain().catch(() => undefined));
  return server;
}

let places = 0;

/** In a run on etcd, keys of their own are what memory or a file is otherwise. */
function placeOf(store: string): readonly string[] {
  const etcd = inject('etcd');
  if (etcd === undefined) return ['--store', store];
  const place = store === 'memory:' ? `memory-${process.pid}-${++places}` : store.replace('sqlite:', '');
  return ['--store', `etcd:${etcd}`, '--etcd-prefix', `/${place}/`];
}

/** A store in a file that goes with the test. */
export async function storeFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'leasehold-sdk-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return `sqlite:${join(directory, 'leases.db')}`;
}

/** A client that is closed with the test. */
export function clientOf(address: string, options: ClientOptions = {}): Client {
  const client = createClient({ endpoints: [address], ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Waits for a condition that nothing announces. */
export async function eventually(condition: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`did not come true within ${withinMs} ms`);
    await sleep(10);
  }
}
