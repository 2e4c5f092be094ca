import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { badRequest } from '../../server/dist/kubernetes/status.js';
import { CertificateAuthority } from '../support/certificates.js';
import {
  closing,
  open,
  openWebSocket,
  raw,
  send,
  sendHttp2,
  serve,
  serveStream,
  serveStreamTls,
  serveTls,
  text,
  upgradeRefused,
} from './http-support.js';

const MiB = 1024 ** 2;

describe('a stream', () => {
  test('sends its headers before anything is written, then chunks as they come', async () => {
    const { port, stream } = await serveStream();
    const { response, chunks } = await open(port);
    expect(response).toMatchObject({ statusCode: 200, headers: { 'content-type': 'application/json', 'x-more': 'yes' } });
    expect((await stream).framed).toBe(false);
    (await stream).write('{"a":1}\n');
    await expect.poll(() => chunks.join('')).toBe('{"a":1}\n');
    (await stream).write(Buffer.from('{"b":2}\n'));
    (await stream).end();
    await once(response, 'end');
    expect(chunks.join('')).toBe('{"a":1}\n{"b":2}\n');
    expect(response.complete).toBe(true);
    // Whoever writes late does no harm.
    expect((await stream).write('more')).toBe(true);
    (await stream).end();
  });

  test('that is refused before it starts is refused as anything else', async () => {
    const { port } = await serve(async (_request, openStream) => {
      openStream();
      throw badRequest('no');
    });
    expect(await send(port, { path: '/' })).toMatchObject({ status: 400, json: { message: 'no' } });
  });

  test('that fails after it has started is cut, and logged', async () => {
    const { port, logged } = await serve(async (_request, openStream) => {
      openStream().start({ contentType: 'application/json' });
      throw new Error('broken');
    });
    const { response } = await open(port);
    await closing(response);
    expect(response.complete).toBe(false);
    expect(logged).toHaveLength(1);
  });

  test('slows down to the pace of its client', async () => {
    const { port, stream } = await serveStream();
    const { response, chunks } = await open(port);
    response.pause();
    let drained = 0;
    (await stream).onDrain(() => drained++);
    let written = 0;
    while ((await stream).write('x'.repeat(64 * 1024)) && written < 1000) {
      written++;
      await sleep(1);
    }
    expect(written).toBeLessThan(1000);
    expect(drained).toBe(0);
    response.resume();
    await expect.poll(() => drained).toBeGreaterThan(0);
    await expect.poll(() => chunks.join('').length).toBe((written + 1) * 64 * 1024);
  });

  test('is over for its request once the client leaves, and once the server ends it', async () => {
    for (const how of ['client', 'server'] as const) {
      const { port, stream, request } = await serveStream();
      const { response } = await open(port);
      const { signal } = await request;
      expect(signal.aborted).toBe(false);
      if (how === 'client') {
        response.destroy();
      } else {
        (await stream).end();
      }
      await expect.poll(() => signal.aborted).toBe(true);
    }
  });
});

describe('a WebSocket', () => {
  test('carries each chunk as a message: text as text, bytes as bytes; and ends normally', async () => {
    const { port, stream } = await serveStream();
    const { webSocket, messages } = await openWebSocket(port);
    expect((await stream).framed).toBe(true);
    (await stream).write('{"a":1}');
    (await stream).write(Buffer.from([1, 2]));
    (await stream).end();
    const [code] = (await once(webSocket, 'close')) as [number];
    expect(code).toBe(1000);
    expect(messages).toEqual(['{"a":1}', Buffer.from([1, 2])]);
    expect((await stream).write('late')).toBe(true);
  });

  test('is not opened for a request that is refused or has an ordinary answer', async () => {
    const { port } = await serve(async ({ path }) => {
      if (path === '/bad') {
        throw badRequest('no');
      }
      return text('plain');
    });
    const refused = await upgradeRefused(port, '/bad');
    expect(refused).toMatchObject({ status: 400, body: expect.stringContaining('"message":"no"') as string });
    expect(await upgradeRefused(port, '/')).toMatchObject({ status: 200, body: 'plain' });
  });

  test('is over for its request when its client leaves', async () => {
    const { port, request } = await serveStream();
    const { webSocket } = await openWebSocket(port);
    const { signal } = await request;
    expect(signal.aborted).toBe(false);
    webSocket.terminate();
    await expect.poll(() => signal.aborted).toBe(true);
  });

  test('is not opened for a page of another site', async () => {
    const { port } = await serveStream();
    expect(await upgradeRefused(port, '/', { origin: 'https://example.com' })).toMatchObject({ status: 403 });
    expect(await upgradeRefused(port, '/', { origin: 'null' })).toMatchObject({ status: 403 });
    await openWebSocket(port, { origin: 'http://127.0.0.1' });
  });

  test('that is badly asked for is refused', async () => {
    const { port } = await serveStream();
    const headers = 'Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 2\r\n';
    expect(await raw(port, `GET / HTTP/1.1\r\n${headers}\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('whose client talks much is cut off', async () => {
    const { port, request } = await serveStream();
    const { webSocket } = await openWebSocket(port);
    webSocket.send('x'.repeat(5000));
    await once(webSocket, 'close');
    await expect.poll(async () => (await request).signal.aborted).toBe(true);
  });
});

describe('with TLS', () => {
  test('requests, streams and WebSockets work over HTTP/1.1', async () => {
    const { port, authority, stream } = await serveStreamTls();
    const options = { port, host: '127.0.0.1', path: '/', ca: authority.cert, ALPNProtocols: ['http/1.1'] };
    const [response] = (await once(httpsRequest(options).end(), 'response')) as [IncomingMessage];
    expect(response).toMatchObject({ statusCode: 200, httpVersion: '1.1' });
    (await stream).write('abc');
    expect(String((await once(response, 'data'))[0])).toBe('abc');
    response.destroy();
    const webSocket = new WebSocket(`wss://127.0.0.1:${port}/`, { ca: authority.cert });
    await once(webSocket, 'open');
    webSocket.terminate();
  });

  test('requests with bodies and streams work over HTTP/2, many on one connection', async () => {
    const { port, authority } = await serveTls(async (request, openStream) => {
      if (request.method === 'POST') {
        return text(Buffer.from(request.body).toString());
      }
      const stream = openStream();
      stream.start({ contentType: 'application/json' });
      stream.write(`${request.path}\n`);
      return undefined;
    });
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: authority.cert });
    onTestFinished(() => session.destroy());
    const streams = await Promise.all(
      ['/a', '/b', '/c'].map(async (path) => {
        const stream = session.request({ ':path': path });
        const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
        expect(headers).toMatchObject({ ':status': 200, 'content-type': 'application/json' });
        expect(String((await once(stream, 'data'))[0])).toBe(`${path}\n`);
        return stream;
      }),
    );
    const answer = await sendHttp2(port, authority, { ':method': 'POST', ':path': '/' }, 'x'.repeat(MiB));
    expect(answer.body.length).toBe(MiB);
    const tooLarge = await sendHttp2(port, authority, { ':method': 'POST', ':path': '/' }, 'x'.repeat(4 * MiB));
    expect(tooLarge.status).toBe(413);
    streams.forEach((stream) => stream.close());
  });

  test('methods nobody knows do no harm over HTTP/2', async () => {
    const { port, authority, logged } = await serveTls(async ({ method }) => text(method));
    for (const [method, status] of [
      ['CONSTRUCTOR', 200],
      ['QUERY', 200],
      ['HEAD', 200],
    ] as const) {
      expect((await sendHttp2(port, authority, { ':method': method, ':path': '/' })).status).toBe(status);
    }
    expect(logged).toEqual([]);
  });

  test('a stream over HTTP/2 is over for its request when its client leaves, and then nobody can do harm', async () => {
    const { port, authority, stream, request } = await serveStreamTls();
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: authority.cert });
    onTestFinished(() => session.destroy());
    const first = session.request({ ':path': '/' });
    await once(first, 'response');
    const { signal } = await request;
    first.close();
    await expect.poll(() => signal.aborted).toBe(true);
    expect((await stream).write('late')).toBe(true);
    (await stream).end();
    // Whoever asks late hears it too.
    const late = await request;
    expect(late.signal.aborted).toBe(true);
    await once(session.request({ ':path': '/' }), 'response');
  });

  test('a stream over HTTP/2 can be cut, and the connection goes on', async () => {
    const { port, authority, server } = await serveStreamTls();
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: authority.cert });
    onTestFinished(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    await once(stream, 'response');
    const cut = new Promise((resolve) => stream.once('close', resolve));
    server.abortStreams();
    await cut;
    expect(stream.rstCode).not.toBe(0);
    expect(session.destroyed).toBe(false);
    await once(session.request({ ':path': '/' }), 'response');
  });

  test('whoever has to show a certificate and shows none is not spoken to', async () => {
    const authority = new CertificateAuthority('Clients');
    const { port, authority: ca } = await serveTls(async () => text('served'), { clientCa: authority.cert });
    const ask = (certificate: object): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const options = { port, host: '127.0.0.1', ca: ca.cert, agent: false as const, ...certificate };
        httpsRequest(options, resolve).on('error', reject).end();
      });
    expect((await ask(authority.issue('client'))).statusCode).toBe(200);
    await expect(ask({})).rejects.toThrow();
    await expect(ask(new CertificateAuthority('Other').issue('client'))).rejects.toThrow();
  });
});
