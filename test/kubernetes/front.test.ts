import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseOptions, startServer, type RunningServer, type ServerParts } from '@leasehold/server';
import { pino } from 'pino';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { CertificateAuthority, type Certificate } from '../support/certificates.js';

const authority = new CertificateAuthority('Authority');
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leasehold-http-'));
  return () => rm(directory, { recursive: true, force: true });
});

describe('a server', () => {
  test('serves the Kubernetes API beside gRPC, until it has drained', async () => {
    const server = await serve([]);
    const url = `http://${server.http?.address}`;
    expect(await (await fetch(`${url}/readyz`)).text()).toBe('ok');
    expect(await (await fetch(`${url}/api/v1/namespaces`)).json()).toMatchObject({ kind: 'NamespaceList' });
    await server.drain();
    await expect(fetch(`${url}/readyz`)).rejects.toThrow();
  });

  test('lists the namespaces that have leases, for as long as they have', async () => {
    const { http } = await serve([]);
    const api = `http://${http?.address}`;
    const names = async (): Promise<string[]> => {
      const { items } = (await (await fetch(`${api}/api/v1/namespaces`)).json()) as { items: { metadata: { name: string } }[] };
      return items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('team'));
    };
    for (const namespace of ['team-b', 'team-a']) {
      expect((await write(api, namespace, 'a')).status).toBe(201);
    }
    expect(await names()).toEqual(['team-a', 'team-b']);
    await fetch(`${api}${leases('team-b')}/a`, { method: 'DELETE' });
    expect(await names()).toEqual(['team-a']);
  });

  test('ends its watches in order when it drains', async () => {
    const server = await serve([]);
    const api = `http://${server.http?.address}`;
    const watch = await fetch(`${api}${leases('team')}?watch=1`);
    const webSocket = new WebSocket(`ws://${server.http?.address}${leases('team')}?watch=1`);
    const messages: string[] = [];
    webSocket.on('message', (data: Buffer) => messages.push(data.toString()));
    await once(webSocket, 'open');
    await write(api, 'team', 'a');
    await expect.poll(() => messages.length).toBe(1);
    const closed = once(webSocket, 'close') as Promise<[number]>;
    await server.drain();
    // Rejects if the end is not a proper one.
    const events = (await watch.text()).trim().split('\n');
    expect(events.map((event) => (JSON.parse(event) as { type: string }).type)).toEqual(['ADDED']);
    expect((await closed)[0]).toBe(1000);
  });

  test('serves no HTTP when told so', async () => {
    expect((await serve(['--http-listen', 'off'])).http).toBeUndefined();
  });

  test('does not start where one of its addresses is taken, and lets go of the other', async () => {
    const first = await serve([]);
    const taken = first.http?.address ?? '';
    await expect(serve(['--http-listen', taken])).rejects.toThrow(`Listen on ${taken}: `);
    await first.drain();
    const second = await serve(['--listen', first.address, '--http-listen', taken]);
    expect(second.http?.address).toBe(taken);
  });

  test('serves HTTPS with a certificate', async () => {
    const server = await serve(await files(authority.issue('127.0.0.1')));
    const { port } = server.http ?? { port: 0 };
    const [response] = (await once(
      httpsRequest({ port, host: '127.0.0.1', path: '/livez', ca: authority.cert, agent: false }).end(),
      'response',
    )) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
  });

  test('does not start with files that are not what they should be', async () => {
    const { cert, key } = authority.issue('127.0.0.1');
    const other = authority.issue('127.0.0.1');
    for (const [pair, message] of [
      [{ cert: 'x', key }, /^Invalid --http-tls-cert: must hold a certificate in PEM, got /],
      [{ cert, key: 'x' }, /^Invalid --http-tls-key: must hold a private key in PEM, without a passphrase, got /],
      [{ cert, key: other.key }, /^Invalid --http-tls-key: must be the key of the certificate in --http-tls-cert, got /],
    ] as const) {
      await expect(serve(await files(pair))).rejects.toThrow(message);
    }
    const missing = ['--http-tls-cert', join(directory, 'none'), '--http-tls-key', join(directory, 'none')];
    await expect(serve(missing)).rejects.toThrow(/^Invalid --http-tls-cert: must be a file that can be read \(ENOENT\), got /);
    const clientCa = [...(await files({ cert, key })), '--http-tls-client-ca', join(directory, 'key.pem')];
    await expect(serve(clientCa)).rejects.toThrow(/^Invalid --http-tls-client-ca: must hold a certificate in PEM/);
  });

  test('warns when it can be reached from elsewhere and is not encrypted', async () => {
    const warnings: string[] = [];
    const write = (line: string): void => {
      const { level, msg } = JSON.parse(line) as { level: number; msg: string };
      if (level === 40) {
        warnings.push(msg);
      }
    };
    await serve(['--http-listen', '0.0.0.0:0'], { log: pino({ level: 'warn' }, { write }) });
    expect(warnings).toEqual([expect.stringContaining('--http-tls-cert')]);
    await serve(['--http-listen', '127.0.0.1:0'], { log: pino({ level: 'warn' }, { write }) });
    expect(warnings).toHaveLength(1);
  });

  test.each([
    [['--http-tls-cert', 'a'], 'Invalid --http-tls-key: must be given together with --http-tls-cert, got "none"'],
    [['--http-tls-key', 'a'], 'Invalid --http-tls-cert: must be given together with --http-tls-key, got "none"'],
    [
      ['--http-tls-client-ca', 'a'],
      'Invalid --http-tls-client-ca: must be given together with --http-tls-cert and --http-tls-key',
    ],
    [['--http-listen', '7401'], 'Invalid --http-listen: must be HOST:PORT'],
  ])('%j is refused', (args, message) => {
    expect(() => parseOptions(args, {})).toThrow(message);
  });
});

async function serve(flags: readonly string[], parts: ServerParts = {}): Promise<RunningServer> {
  const variables = { LEASEHOLD_LISTEN: '127.0.0.1:0', LEASEHOLD_HTTP_LISTEN: '127.0.0.1:0', LEASEHOLD_STORE: 'memory:' };
  const request = parseOptions(flags, variables);
  if (request.kind !== 'serve') {
    throw new Error('asked for help');
  }
  const server = await startServer(request.options, parts);
  onTestFinished(() => server.drain().catch(() => undefined));
  return server;
}

function leases(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}

function write(api: string, namespace: string, name: string): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${api}${leases(namespace)}`, { method: 'POST', headers, body: JSON.stringify({ metadata: { name } }) });
}

/** Writes a certificate down, and returns the options that name it. */
async function files({ cert, key }: Certificate): Promise<string[]> {
  const paths = [join(directory, 'cert.pem'), join(directory, 'key.pem')] as const;
  await writeFile(paths[0], cert);
  await writeFile(paths[1], key);
  return ['--http-tls-cert', paths[0], '--http-tls-key', paths[1]];
}
