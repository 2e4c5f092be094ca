import { parseOptions, startServer } from '@leasehold/server';
import { expect, onTestFinished, test } from 'vitest';
import { raw } from './http-support.js';
import { heldBy, leases, one } from './lease-world.js';

/** Leases over HTTP, from a server as it is started. */

async function serve(...flags: string[]): Promise<{ url: string; port: number }> {
  const all = ['--listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0', '--store', 'memory:', ...flags];
  const request = parseOptions(all, {});
  if (request.kind !== 'serve') throw new Error('asked for help');
  const server = await startServer(request.options);
  onTestFinished(() => server.drain());
  const port = server.http?.port ?? 0;
  const url = `http://127.0.0.1:${port}`;
  const created = await post(url, { metadata: { name: 'example' }, spec: heldBy('a', 60) });
  expect(created.status).toBe(201);
  return { url, port };
}

function post(url: string, lease: object): Promise<Response> {
  return fetch(`${url}${leases}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(lease),
  });
}

test.each([
  ['off', 200],
  ['on', 409],
])('a living lease is taken with --kubernetes-strict %s: %d', async (strict, status) => {
  const { url } = await serve('--kubernetes-strict', strict);
  const headers = { 'content-type': 'application/merge-patch+json' };
  const body = JSON.stringify({ spec: { holderIdentity: 'b' } });
  expect((await fetch(`${url}${one}`, { method: 'PATCH', headers, body })).status).toBe(status);
});

test('a generated name ends with five letters or digits', async () => {
  const { url } = await serve();
  const created = (await (await post(url, { metadata: { generateName: 'gen-' } })).json()) as { metadata: { name: string } };
  expect(created.metadata.name).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});

test('a deletion whose preconditions come as another request is not made', async () => {
  const { url, port } = await serve();
  const answer = await raw(port, `DELETE ${one} HTTP/1.1\r\nhost: x\r\n\r\n{"preconditions":{"uid":"x"}}`);
  expect(answer).toBe('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
  expect((await fetch(`${url}${one}`)).status).toBe(200);
});
