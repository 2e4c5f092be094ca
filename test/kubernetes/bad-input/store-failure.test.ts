import { once } from 'node:events';
import { MemoryStore, OutcomeUnknownError, type Store } from '@leasehold/core';
import { parseOptions, startServer } from '@leasehold/server';
import { expect, onTestFinished, test } from 'vitest';
import { MemoryDisk } from '../../../core/dist/store/memory.js';
import { deferred, open, send, type Received } from '../http-support.js';
import { leases, one } from './support.js';

/** A server on a store whose commits fail, and that cannot be opened again until it is let. */
async function start() {
  const disk = new MemoryDisk();
  const state = { failing: false, opening: Promise.resolve(undefined) };
  const openStore = async (): Promise<Store> => {
    await state.opening;
    const store = new MemoryStore({ wallMs: () => Date.now(), disk });
    return {
      ...{ load: (take) => store.load(take), history: (after, limit) => store.history(after, limit), close: () => store.close() },
      ...{ leaveNote: (note) => store.leaveNote(note), takeNote: () => store.takeNote() },
      commit: (changes) => (state.failing ? Promise.reject(new OutcomeUnknownError('the disk lies')) : store.commit(changes)),
    } satisfies Store;
  };
  const variables = { LEASEHOLD_LISTEN: '127.0.0.1:0', LEASEHOLD_HTTP_LISTEN: '127.0.0.1:0', LEASEHOLD_STORE: 'memory:' };
  const request = parseOptions(['--identity-lease', 'off'], variables);
  if (request.kind !== 'serve') throw new Error('asked for help');
  const server = await startServer(request.options, { openStore });
  onTestFinished(() => server.drain().catch(() => undefined));
  return { state, port: server.http!.port };
}

test('while its store is away a server answers 503 with a time to come again, ends its watches, and then goes on', async () => {
  const { state, port } = await start();
  const headers = { 'content-type': 'application/json' };
  const post = (name: string): Promise<Received> =>
    send(port, { method: 'POST', path: leases, headers, body: JSON.stringify({ metadata: { name } }) });
  expect((await post('one')).status).toBe(201);
  const { response } = await open(port, `${leases}?watch=1`);
  const cut = once(
    response.on('error', () => {}),
    'close',
  );

  const opened = deferred();
  state.opening = opened.promise;
  state.failing = true;
  expect(await post('two')).toMatchObject({
    status: 503,
    json: { reason: 'ServiceUnavailable' },
    headers: { 'retry-after': '1' },
  });
  await cut;
  const merge = { 'content-type': 'application/merge-patch+json' };
  for (const asked of [
    { method: 'GET', path: one },
    { method: 'GET', path: leases },
    { method: 'GET', path: `${leases}?watch=1` },
    { method: 'GET', path: '/api/v1/namespaces' },
    { method: 'POST', path: leases, headers, body: '{"metadata":{"name":"x"}}' },
    { method: 'PUT', path: one, headers, body: '{"metadata":{"name":"one"}}' },
    { method: 'PATCH', path: one, headers: merge, body: '{}' },
    { method: 'DELETE', path: one },
    { method: 'DELETE', path: leases },
  ]) {
    const refused = {
      status: 503,
      json: { kind: 'Status', code: 503, reason: 'ServiceUnavailable' },
      headers: { 'retry-after': '1' },
    };
    expect(await send(port, asked), `${asked.method} ${asked.path}`).toMatchObject(refused);
  }
  // What has nothing to do with leases is as ever, and so is what says how the server is.
  expect((await send(port, { path: '/version' })).status).toBe(200);
  expect((await send(port, { path: '/livez' })).status).toBe(200);
  expect((await send(port, { path: '/readyz' })).status).toBe(500);

  state.failing = false;
  opened.resolve(undefined);
  await expect.poll(async () => (await send(port, { path: one })).status, { timeout: 20_000 }).toBe(200);
  expect((await post('two')).status).toBe(201);
});
