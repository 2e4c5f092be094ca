import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BodyReader, ClientGone } from '../../server/dist/kubernetes/http/body.js';
import type { ApiAnswer, ApiRequest } from '../../server/dist/kubernetes/request.js';
import { badRequest, StatusError } from '../../server/dist/kubernetes/status.js';
import { FakeClock } from '@leasehold/sdk/testing';
import {
  closing,
  deferred,
  open,
  openWebSocket,
  raw,
  send,
  sendHttp2,
  serve,
  serveStream,
  serveTls,
  text,
} from './http-support.js';

const MiB = 1024 ** 2;

describe('a request', () => {
  test('arrives whole: method, path, query, headers, body and the instant it was read', async () => {
    const clock = new FakeClock();
    const seen: ApiRequest[] = [];
    const { port } = await serve(
      async (request) => {
        seen.push(request);
        return text('done');
      },
      { clock },
    );
    const answer = await send(port, {
      method: 'PUT',
      path: '/apis/a%20b/c%2Fd/?x=1&y=a%20b&y=c+d',
      headers: { 'content-type': 'application/json', 'x-twice': ['one', 'two'] },
      body: '{"a":1}',
    });
    expect(answer).toMatchObject({ status: 200, body: 'done' });
    const [request] = seen;
    expect(request?.method).toBe('PUT');
    expect(request?.path).toBe('/apis/a b/c/d');
    expect([...(request?.query ?? [])]).toEqual([
      ['x', '1'],
      ['y', 'a b'],
      ['y', 'c d'],
    ]);
    expect(request?.header('content-type')).toBe('application/json');
    expect(request?.header('x-twice')).toBe('one, two');
    expect(request?.header('x-none')).toBeUndefined();
    expect(Buffer.from(request?.body ?? []).toString()).toBe('{"a":1}');
    expect(request?.readAtMs).toBe(clock.monotonicMs());
  });

  test.each([
    ['/version/', '/version', ''],
    ['/version?', '/version', ''],
    ['/version?&a=b', '/version', 'a=b'],
    ['/', '/', ''],
    ['/?a', '/', 'a='],
    ['http://elsewhere:80/version?a=b', '/version', 'a=b'],
    ['//version', '//version', ''],
    ['/x?a=%zz', '/x', 'a=%25zz'],
  ])('to %s is for %s', async (url, path, query) => {
    let seen: ApiRequest | undefined;
    const { port } = await serve(async (request) => {
      seen = request;
      return text('');
    });
    expect((await send(port, { path: url })).status).toBe(200);
    expect(seen?.path).toBe(path);
    expect(String(seen?.query)).toBe(query);
  });

  test('whose path is not percent-encoded UTF-8 is 400', async () => {
    const { port } = await serve(async () => text('served'));
    for (const path of ['/%', '/%zz', '/%ff']) {
      expect(await send(port, { path })).toMatchObject({ status: 400, json: { kind: 'Status', code: 400 } });
    }
  });

  test('has its body whatever its type is said to be, or whether any is', async () => {
    const { port } = await serve(async (request) => text(Buffer.from(request.body).toString()));
    for (const contentType of [undefined, 'application/json; charset=utf-8', 'application/vnd.kubernetes.protobuf', 'text/csv']) {
      const headers = contentType === undefined ? {} : { 'content-type': contentType };
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        expect(await send(port, { method, path: '/', headers, body: 'a,b' })).toMatchObject({ status: 200, body: 'a,b' });
      }
    }
  });

  test('may say in chunks what it has to say, and may have a body of none', async () => {
    const { port } = await serve(async (request) => text(`${request.body.length}`));
    const chunked = await send(port, { method: 'PATCH', path: '/', headers: { 'transfer-encoding': 'chunked' }, body: 'abc' });
    expect(chunked.body).toBe('3');
    expect((await send(port, { method: 'DELETE', path: '/' })).body).toBe('0');
    expect((await send(port, { method: 'GET', path: '/', headers: { 'content-type': 'application/json' } })).body).toBe('0');
  });

  test.each(['', ';', 'application/json; charset'])('of the content type %j is for the API to judge', async (type) => {
    const { port } = await serve(async ({ header, body }) => text(`${header('content-type')} ${body.length}`));
    const answer = await send(port, { method: 'POST', path: '/', headers: { 'content-type': type }, body: '{}' });
    expect(answer).toMatchObject({ status: 200, body: `${type} 2` });
  });

  test.each([
    ['with a length', {}],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('of 3 MiB is taken, and one byte more is 413: %s', async (_how, headers) => {
    const { port } = await serve(async (request) => text(`${request.body.length}`));
    const post = (bytes: number) => send(port, { method: 'POST', path: '/', headers, body: 'x'.repeat(bytes) });
    expect((await post(3 * MiB)).body).toBe(`${3 * MiB}`);
    expect(await post(3 * MiB + 1)).toMatchObject({
      status: 413,
      json: {
        ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 413 },
        ...{ reason: 'RequestEntityTooLarge', message: 'Request entity too large: limit is 3145728' },
      },
    });
    expect((await post(9 * MiB)).status).toBe(413);
    expect((await post(1)).body).toBe('1');
  });

  test('that never gets to its end is 504 after a minute, and holds no memory of others', async () => {
    const clock = new FakeClock();
    const { port } = await serve(async () => text('served'), { clock });
    const slow = httpRequest({ port, host: '127.0.0.1', method: 'POST', path: '/', headers: { 'content-length': 10 } });
    slow.write('12345');
    const answered = once(slow, 'response') as Promise<[IncomingMessage]>;
    await expect.poll(() => clock.timers).toBe(1);
    await clock.advance(60_000);
    const [response] = await answered;
    expect(response.statusCode).toBe(504);
    slow.destroy();
  });

  test('too large for a header is 431, and what is no HTTP is 400, as plain text', async () => {
    const { port } = await serve(async () => text('served'));
    const long = await raw(port, `GET /?${'x'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(long).toMatch(/^HTTP\/1\.1 431 .*431 Request Header Fields Too Large$/s);
    expect((await send(port, { path: `/?${'x'.repeat(60_000)}` })).status).toBe(200);
    expect(await raw(port, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  });

  test('in the middle of which the client leaves reaches nobody', async () => {
    let reached = 0;
    const { port } = await serve(async () => {
      reached++;
      return text('');
    });
    const socket = connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc');
    await sleep(50);
    socket.destroy();
    await send(port, { path: '/' });
    expect(reached).toBe(1);
  });

  test('with a body of which it does not say how long it is reaches nobody: it would mean something else without', async () => {
    let reached = 0;
    const { port } = await serve(async () => {
      reached++;
      return text('');
    });
    expect(await raw(port, 'DELETE / HTTP/1.1\r\nHost: a\r\n\r\n{"dryRun":["All"]}')).toMatch(/^HTTP\/1\.1 400 /);
    await send(port, { path: '/' });
    expect(reached).toBe(1);
  });

  test('knows when its client has gone', async () => {
    const gone = deferred();
    const arrived = deferred();
    const { port } = await serve(async ({ signal }) => {
      signal.addEventListener('abort', () => gone.resolve(undefined));
      arrived.resolve(undefined);
      await gone.promise;
      return text('');
    });
    const request = httpRequest({ port, host: '127.0.0.1', path: '/' }).on('error', () => {});
    request.end();
    await arrived.promise;
    request.destroy();
    await gone.promise;
  });

  test('of a client that offers another protocol than WebSocket is an ordinary one, body and all', async () => {
    const { port } = await serve(async (request) => text(Buffer.from(request.body).toString()));
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' };
    expect(await send(port, { method: 'POST', path: '/', headers, body: 'abc' })).toMatchObject({ status: 200, body: 'abc' });
    expect(await send(port, { path: '/', headers })).toMatchObject({ status: 200 });
  });
});

describe('bodies', () => {
  test('that are read at the same time share a bound: past it, they are 429 to be tried again', async () => {
    const reader = new BodyReader(new FakeClock(), { bytesMax: 10, allBytesMax: 12, shortBytes: 0, timeoutMs: 1000 });
    const [first, second, third] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const whole = reader.read(first);
    first.write('12345678');
    const refused = reader.read(second);
    second.end('12345');
    await expect(refused).rejects.toMatchObject({ status: { code: 429, details: { retryAfterSeconds: 1 } } });
    // What was refused, and what has been read, counts no more.
    first.end();
    expect(Buffer.from(await whole).toString()).toBe('12345678');
    third.end('123456789');
    expect(Buffer.from(await reader.read(third)).toString()).toBe('123456789');
  });

  test('that end too early are nobody’s, and count no more', async () => {
    const reader = new BodyReader(new FakeClock(), { bytesMax: 10, allBytesMax: 10, shortBytes: 0, timeoutMs: 1000 });
    const cut = new PassThrough();
    const read = reader.read(cut);
    cut.write('12345678');
    await nextTurn();
    cut.destroy(new Error('reset'));
    await expect(read).rejects.toBeInstanceOf(ClientGone);
    const next = new PassThrough();
    next.end('1234567890');
    expect((await reader.read(next)).length).toBe(10);
  });
});

describe('an answer', () => {
  test('has the status, headers, type and body it was given', async () => {
    const bytes = Uint8Array.from([107, 56, 115, 0, 255]);
    const { port } = await serve(async () => ({
      code: 201,
      headers: { etag: '"x"' },
      contentType: 'application/x',
      body: bytes,
    }));
    const answer = await send(port, { path: '/' });
    expect(answer).toMatchObject({
      status: 201,
      headers: { etag: '"x"', 'content-type': 'application/x', 'content-length': '5' },
    });
    expect(answer.bytes).toEqual(Buffer.from(bytes));
  });

  test('of an error is a Status; 429 and 503 say when to come back, and others where they know', async () => {
    const refusals: Record<string, StatusError> = {
      '/bad': badRequest('no'),
      '/busy': new StatusError(429, 'TooManyRequests', 'later', { details: { retryAfterSeconds: 7 } }),
      '/away': new StatusError(503, 'ServiceUnavailable', 'away'),
      '/early': new StatusError(504, 'Timeout', 'early', { details: { retryAfterSeconds: 1 } }),
    };
    const { port } = await serve(async ({ path }) => {
      throw refusals[path]!;
    });
    for (const [path, code, retryAfter] of [
      ['/bad', 400, undefined],
      ['/busy', 429, '7'],
      ['/away', 503, '1'],
      ['/early', 504, '1'],
    ] as const) {
      const answer = await send(port, { path });
      expect(answer).toMatchObject({
        status: code,
        json: refusals[path]?.status,
        headers: { 'content-type': 'application/json' },
      });
      expect(answer.headers['retry-after']).toBe(retryAfter);
    }
  });

  test.each([
    ['application/vnd.kubernetes.protobuf,application/json', 'application/vnd.kubernetes.protobuf', /^k8s\0\n/],
    ['application/yaml', 'application/yaml', /^apiVersion: v1\n/],
    ['application/json;as=Table;g=meta.k8s.io;v=v1,application/json', 'application/json', /^{\s*"/],
    // The failure matters more than the form.
    ['image/png', 'application/json', /^{\s*"/],
  ])('of an error is in the format that was asked for: %s', async (accept, contentType, beginning) => {
    const { port } = await serve(async () => {
      throw badRequest('no');
    });
    for (const [method, path, code] of [
      ['GET', '/', 400],
      ['POST', '/%ff', 400],
      ['POST', '/', 413],
    ] as const) {
      const body = code === 413 ? { body: 'x'.repeat(4 * MiB) } : {};
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { accept }, ...body });
      expect({ status: answer.status, type: answer.headers.get('content-type') }).toEqual({ status: code, type: contentType });
      expect(await answer.text()).toMatch(beginning);
    }
  });

  test('to what fails unexpectedly is 500 without a word about it, which is in the log', async () => {
    const { port, logged } = await serve(async () => {
      throw new Error('the secret');
    });
    const answer = await send(port, { path: '/' });
    expect(answer).toMatchObject({ status: 500, json: { kind: 'Status', reason: 'InternalError', code: 500 } });
    expect(answer.body).not.toContain('secret');
    expect(logged).toEqual([{ err: expect.objectContaining({ message: 'the secret' }) as Error }]);
    expect((await send(port, { path: '/' })).status).toBe(500);
  });

  test('of 304 has no body and no type', async () => {
    const { port } = await serve(async () => ({
      code: 304,
      headers: { etag: '"x"' },
      contentType: 'application/json',
      body: '',
    }));
    const answer = await send(port, { path: '/' });
    expect(answer).toMatchObject({ status: 304, body: '', headers: { etag: '"x"' } });
    expect(answer.headers['content-type']).toBeUndefined();
  });

  test('to HEAD has no body, and methods nobody knows reach the API', async () => {
    const { port } = await serve(async ({ method }) => text(method));
    expect(await send(port, { method: 'HEAD', path: '/' })).toMatchObject({ status: 200, body: '' });
    for (const method of ['OPTIONS', 'TRACE', 'PROPFIND']) {
      expect(await send(port, { method, path: '/' })).toMatchObject({ status: 200, body: method });
    }
  });

  test('of one megabyte arrives whole over HTTP/2', async () => {
    const { port, authority } = await serveTls(async () => text('x'.repeat(MiB)));
    const answer = await sendHttp2(port, authority, { ':path': '/' });
    expect(answer.body.length).toBe(MiB);
  });
});

describe('a shutdown', () => {
  test('lets a request under way end, ends streams in order, and refuses new connections', async () => {
    const go = deferred();
    const arrived = deferred();
    const { port, server } = await serve(async ({ path }, openStream) => {
      if (path === '/stream') {
        const stream = openStream();
        stream.start({ contentType: 'application/json' });
        stream.write('last\n');
        return undefined;
      }
      arrived.resolve(undefined);
      await go.promise;
      return text('done');
    });
    const { response, chunks } = await open(port, '/stream');
    const { webSocket, messages } = await openWebSocket(port, {}, '/stream');
    const slow = send(port, { path: '/slow' });
    await arrived.promise;
    const down = server.shutdown(5000);
    await once(response, 'end');
    expect(response.complete).toBe(true);
    expect(chunks.join('')).toBe('last\n');
    await once(webSocket, 'close');
    expect(messages).toEqual(['last\n']);
    await expect(send(port, { path: '/' })).rejects.toThrow(/ECONNREFUSED/);
    go.resolve(undefined);
    expect(await slow).toMatchObject({ status: 200, body: 'done' });
    await down;
  });

  test('does not wait for connections that are idle or never ask', async () => {
    const { port, server } = await serve(async () => text('done'));
    const idle = connect(port, '127.0.0.1');
    idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(idle, 'data');
    const silent = connect(port, '127.0.0.1');
    await once(silent, 'connect');
    const closed = Promise.all([once(idle, 'close'), once(silent, 'close')]);
    idle.resume();
    silent.resume();
    await server.shutdown(100);
    await closed;
  });

  test('cuts what is left when its time is over', async () => {
    const clock = new FakeClock();
    const arrived = deferred();
    const { port, server } = await serve(
      async () => {
        arrived.resolve(undefined);
        return new Promise<ApiAnswer>(() => {});
      },
      { clock },
    );
    const failed = expect(send(port, { path: '/' })).rejects.toThrow();
    await arrived.promise;
    let over = false;
    const down = server.shutdown(500).then(() => (over = true));
    await expect.poll(() => clock.timers).toBe(1);
    await clock.advance(499);
    expect(over).toBe(false);
    await clock.advance(1);
    await failed;
    await down;
  });

  test('closes HTTP/2 connections too', async () => {
    // Time stands still: nothing is cut.
    const { port, server, authority } = await serveTls(async () => text('done'), { clock: new FakeClock() });
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: authority.cert });
    await once(session, 'connect');
    const closed = once(session, 'close');
    await server.shutdown(5000);
    await closed;
  });

  test('at once, when the store has failed: streams are cut', async () => {
    const { port, server } = await serveStream();
    const { response } = await open(port);
    const { webSocket } = await openWebSocket(port);
    const cut = Promise.all([closing(response), once(webSocket, 'close')]);
    server.abortStreams();
    const [, [code]] = (await cut) as [unknown, [number]];
    expect(response.complete).toBe(false);
    expect(code).toBe(1006);
    expect((await open(port)).response.statusCode).toBe(200);
  });
});

test('an address that is taken is said so', async () => {
  const { port } = await serve(async () => text(''));
  await expect(serve(async () => text(''), { listen: { host: '127.0.0.1', port } })).rejects.toThrow(
    new RegExp(`^Listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`),
  );
});

test('connections past the bound are closed', async () => {
  const { port } = await serve(async () => text('served'), { connectionsMax: 1 });
  const first = connect(port, '127.0.0.1');
  onTestFinished(() => void first.destroy());
  first.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(first, 'data');
  await expect(send(port, { path: '/' })).rejects.toThrow(/socket hang up|ECONNRESET/);
});
