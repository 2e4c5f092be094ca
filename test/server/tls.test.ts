import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient, type Client, type ClientOptions } from '@leasehold/sdk';
import { parseOptions, serve as serveProcess, startServer, type RunningServer } from '@leasehold/server';
import { pino } from 'pino';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openStore } from '../../server/dist/store/open-store.js';
import { CertificateAuthority, type Certificate } from '../support/certificates.js';

const authority = new CertificateAuthority('Authority');
const stranger = new CertificateAuthority('Stranger');

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leasehold-tls-'));
  return () => rm(directory, { recursive: true, force: true });
});

describe('a server with a certificate', () => {
  test('serves calls, waits, watches and heartbeats over TLS', async () => {
    const server = await serve(await files(authority.issue('127.0.0.1')));
    const client = dial(server.address, { tls: { ca: authority.cert } });
    const watch = client.watch();
    await watch.ready();
    const lease = (await client.acquire('a', { waitMs: 1000, durationMs: 5000 })).granted;
    for await (const { type } of watch) {
      expect(type).toBe('ACQUIRED');
      break;
    }
    lease?.assertHeld();
    expect((await client.get('a')).holder).toBe(client.holder);
  });

  test('is not spoken to by whoever does not trust who signed it, and the error says so', async () => {
    const server = await serve(await files(authority.issue('127.0.0.1')));
    const client = dial(server.address, { tls: { ca: stranger.cert }, timeoutMs: 700 });
    await expect(client.get('a')).rejects.toMatchObject({
      name: 'UnavailableError',
      message: expect.stringMatching(/certificate/) as string,
    });
    await expect(dial(server.address, { tls: true, timeoutMs: 700 }).get('a')).rejects.toThrow(/certificate/);
  });

  test('is not spoken to under another name than that of its certificate, unless the client says which', async () => {
    const server = await serve(await files(authority.issue('leases.test')));
    const wrong = dial(server.address, { tls: { ca: authority.cert }, timeoutMs: 700 });
    await expect(wrong.get('a')).rejects.toThrow(/127\.0\.0\.1/);
    const right = dial(server.address, { tls: { ca: authority.cert, serverName: 'leases.test' } });
    await right.create('a');
    const other = dial(server.address, { tls: { ca: authority.cert, serverName: 'other.test' }, timeoutMs: 700 });
    await expect(other.get('a')).rejects.toThrow(/other\.test/);
  });

  test('speaks with nobody in the clear, nor does a server without one speak TLS', async () => {
    const secured = await serve(await files(authority.issue('127.0.0.1')));
    await expect(dial(secured.address, { timeoutMs: 700 }).create('a')).rejects.toMatchObject({ name: 'UnavailableError' });
    const open = await serve([]);
    const client = dial(open.address, { tls: { ca: authority.cert }, timeoutMs: 700 });
    await expect(client.create('a')).rejects.toMatchObject({ name: 'UnavailableError' });
  });

  test('asks clients for theirs, where it is told to', async () => {
    const flags = [...(await files(authority.issue('127.0.0.1'))), '--tls-client-ca', await file('ca.pem', authority.cert)];
    const server = await serve(flags);
    const known = authority.issue('agent');
    await dial(server.address, { tls: { ca: authority.cert, cert: known.cert, key: Buffer.from(known.key) } }).create('a');
    const forged = stranger.issue('agent');
    for (const shown of [{}, { cert: forged.cert, key: forged.key }]) {
      const client = dial(server.address, { tls: { ca: authority.cert, ...shown }, timeoutMs: 700 });
      await expect(client.create('b')).rejects.toMatchObject({ name: 'UnavailableError' });
    }
    await expect(dial(server.address, { tls: { ca: authority.cert, ...known } }).get('b')).rejects.toThrow(/NOT_FOUND/);
  });
});

describe('the health check of the image', () => {
  test('finds a server with a certificate healthy, whatever that is for, and one that has ended not', async () => {
    const flags = await files(authority.issue('leases.test'));
    const server = await serve(flags);
    const check = (): Promise<unknown> => {
      const env = { ...process.env, LEASEHOLD_TLS_CERT: flags[1] };
      return promisify(execFile)(process.execPath, ['deploy/healthcheck.mjs', server.address], { env });
    };
    await check();
    await server.drain();
    await expect(check()).rejects.toMatchObject({ code: 1 });
  });
});

describe('a server does not start', () => {
  const good = authority.issue('127.0.0.1');
  const other = authority.issue('127.0.0.1');
  const cases: [string, Partial<Record<'cert' | 'key' | 'ca', string>>, string][] = [
    ['a certificate that is not there', {}, '--tls-cert: must be a file that can be read (ENOENT), got'],
    ['a key that is not there', { cert: good.cert }, '--tls-key: must be a file that can be read (ENOENT), got'],
    ['something else as a certificate', { cert: good.key, key: good.key }, '--tls-cert: must hold a certificate in PEM, got'],
    [
      'something else as a key',
      { cert: good.cert, key: good.cert },
      '--tls-key: must hold a private key in PEM, without a passphrase, got',
    ],
    ['another key', { cert: good.cert, key: other.key }, '--tls-key: must be the key of the certificate in --tls-cert, got'],
    ['something else as an authority', { ...good, ca: good.key }, '--tls-client-ca: must hold a certificate in PEM, got'],
  ];

  test.each(cases)('with %s, and says which file and why', async (_, texts, message) => {
    for (const [name, text] of Object.entries(texts)) await file(`${name}.pem`, text);
    const flags = ['cert', 'key'].flatMap((name) => [`--tls-${name}`, join(directory, `${name}.pem`)]);
    if ('ca' in texts) flags.push('--tls-client-ca', join(directory, 'ca.pem'));
    const stderr: string[] = [];
    const host = {
      env: {},
      stdout: { write: () => true },
      stderr: { write: (text: string) => stderr.push(text) },
      on: () => undefined,
    };
    expect(await serveProcess(['--store', 'memory:', '--listen', '127.0.0.1:0', '--log-level', 'silent', ...flags], host)).toBe(
      2,
    );
    expect(stderr.join('')).toContain(`leasehold serve: Invalid ${message} "${directory}`);
    expect(stderr.join('')).not.toContain('PRIVATE KEY');
  });
});

describe('a store in etcd is not opened', () => {
  const good = authority.issue('127.0.0.1');
  const other = authority.issue('127.0.0.1');
  test.each([
    ['something else as an authority', { ca: good.key }, '--etcd-ca: must hold a certificate in PEM, got'],
    ['something else as a certificate', { cert: good.key, key: good.key }, '--etcd-cert: must hold a certificate in PEM, got'],
    ['another key', { cert: good.cert, key: other.key }, '--etcd-key: must be the key of the certificate in --etcd-cert, got'],
  ])('with %s, and the message says which file and why', async (_, texts, message) => {
    const flags: string[] = [];
    for (const [name, text] of Object.entries(texts)) {
      await file(`${name}.pem`, text);
      flags.push(`--etcd-${name}`, join(directory, `${name}.pem`));
    }
    const request = parseOptions(['--store', 'etcd:https://127.0.0.1:1', ...flags], {});
    if (request.kind === 'help') throw new Error('asked for help');
    const opening = openStore(request.options, { clock: systemClock, log: { warn: () => undefined } });
    await expect(opening).rejects.toThrow(`Invalid ${message} "${directory}`);
  });
});

describe('a server warns', () => {
  test.each([
    [['--listen', '0.0.0.0:0'], 1],
    [['--listen', '127.0.0.1:0'], 0],
    [['--listen', 'localhost:0'], 0],
  ])('of %j without TLS: %d times', async (flags, times) => {
    const warnings: string[] = [];
    await serve(flags, warnings);
    expect(warnings.filter((line) => line.includes('not encrypted'))).toHaveLength(times);
  });

  test('of nothing with a certificate', async () => {
    const warnings: string[] = [];
    await serve(['--listen', '0.0.0.0:0', ...(await files(authority.issue('127.0.0.1')))], warnings);
    expect(warnings).toEqual([]);
  });
});

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

async function files({ cert, key }: Certificate): Promise<string[]> {
  return ['--tls-cert', await file('cert.pem', cert), '--tls-key', await file('key.pem', key)];
}

async function serve(flags: readonly string[], warnings: string[] = []): Promise<RunningServer> {
  const listen = flags.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const request = parseOptions(['--store', 'memory:', '--identity-lease', 'off', ...listen, ...flags], {
    LEASEHOLD_HTTP_LISTEN: 'off',
  });
  if (request.kind !== 'serve') throw new Error('asked for help');
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
  const server = await startServer(request.options, { log });
  onTestFinished(() => server.drain());
  return server;
}

function dial(address: string, options: ClientOptions): Client {
  const client = createClient({ endpoints: [address], ...options });
  onTestFinished(() => client.close());
  return client;
}
