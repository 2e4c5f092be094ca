import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { leaseOf, leases, one, Victim } from './support.js';

const victim = Victim.ofThisFile();
const host = 'Host: a\r\n';
const close = 'Connection: close\r\n';

function request(method: string, path: string, { body, headers = '' }: { body?: string; headers?: string } = {}): string {
  const length = body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${method} ${path} HTTP/1.1\r\n${host}${headers}${length}\r\n${body ?? ''}`;
}

/** The codes of all answers in what came. */
function codes(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, code]) => Number(code));
}

const websocket =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

describe('what is no HTTP', () => {
  test.each<[string, string | Buffer]>([
    ['of a client of TLS', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x0d, 0x0a])],
    ['of a client of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['of a client of SSH', 'SSH-2.0-OpenSSH_9.0\r\n'],
    ['of zeros', Buffer.alloc(100_000)],
    ['of line ends', '\r\n'.repeat(50_000) + 'x\r\n\r\n'],
    ['in lines that end too early', 'GET /livez HTTP/1.1\nHost: a\n\n'],
    ['in a version of the future', `GET / HTTP/9.9\r\n${host}\r\n`],
    ['with a method in small letters', `get /livez HTTP/1.1\r\n${host}\r\n`],
    ['with a method of 70,000 letters', `${'A'.repeat(70_000)} / HTTP/1.1\r\n\r\n`],
    ['with a NUL in the URL', `GET /li\0vez HTTP/1.1\r\n${host}\r\n`],
    ['with a URL in bytes', `GET /\xe9 HTTP/1.1\r\n${host}\r\n`],
    ['with a NUL in a header', `GET /livez HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`],
    ['with a header that is folded', `GET /livez HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`],
    ['with a space before a colon', 'GET /livez HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['without a host', 'GET /livez HTTP/1.1\r\n\r\n'],
  ])('%s is 400, and the connection is closed', async (_, bytes) => {
    expect(codes(await victim.raw(bytes))).toEqual([400]);
    await victim.expectAlive();
  });

  test.each([
    ['3,000 headers are taken', 3_000, 200],
    ['30,000 headers are 431', 30_000, 431],
  ])('%s', async (_, count, code) => {
    const headers = Array.from({ length: count }, (__, index) => `x${index}: y\r\n`).join('');
    expect(codes(await victim.raw(request('GET', '/livez', { headers: `${headers}${close}` })))).toEqual([code]);
    await victim.expectAlive();
  });
});

describe('a request that may be two', () => {
  const hidden = request('DELETE', one, { headers: close });

  test.each<[string, string]>([
    [
      'has a length and is in chunks',
      `POST ${leases} HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    ['has two lengths', `POST ${leases} HTTP/1.1\r\n${host}Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}${hidden}`],
    ['has a length below 0', `POST ${leases} HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n${hidden}`],
    ['has a length with a plus', `POST ${leases} HTTP/1.1\r\n${host}Content-Length: +2\r\n\r\n{}${hidden}`],
    [
      'has a length beyond all numbers',
      `POST ${leases} HTTP/1.1\r\n${host}Content-Length: 18446744073709551617\r\n\r\n${hidden}`,
    ],
    ['has a length in hex', `POST ${leases} HTTP/1.1\r\n${host}Content-Length: 0x2\r\n\r\n{}${hidden}`],
    ['is in chunks of a kind', `POST ${leases} HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`],
    [
      'is in chunks that are not last',
      `POST ${leases} HTTP/1.1\r\n${host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    ['has a chunk of no length', `POST ${leases} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n${hidden}`],
    [
      'has a chunk beyond all numbers',
      `POST ${leases} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n${hidden}`,
    ],
    [
      'has a chunk that is longer than it says',
      `POST ${leases} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'has an extension of a chunk of 20,000 bytes',
      `POST ${leases} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n${hidden}`,
    ],
    ['has two hosts', `GET ${leases} HTTP/1.1\r\nHost: a\r\nHost: b\r\n${close}\r\n`],
    ['says nothing of its body', `DELETE ${one} HTTP/1.1\r\n${host}\r\n{"dryRun":["All"]}`],
  ])('because it %s is 400, and what is behind it is not heard', async (_, bytes) => {
    await victim.ask({
      method: 'POST',
      path: leases,
      headers: { 'content-type': 'application/json' },
      body: leaseOf({ name: 'one' }),
    });
    expect(codes(await victim.raw(bytes))).toEqual([400]);
    expect((await victim.ask({ path: one })).code).toBe(200);
    await victim.expectAlive();
  });

  test('because it asks for an upgrade is one: a deletion with a body means what it says', async () => {
    await victim.ask({
      method: 'POST',
      path: leases,
      headers: { 'content-type': 'application/json' },
      body: leaseOf({ name: 'one' }),
    });
    for (const method of ['DELETE', 'PUT', 'POST']) {
      const body = method === 'DELETE' ? '{"dryRun":["All"]}' : leaseOf({ name: 'one' });
      const path = `${method === 'POST' ? leases : one}?dryRun=All`;
      const text = await victim.raw(request(method, method === 'DELETE' ? one : path, { body, headers: websocket }), (got) =>
        got.endsWith('}\n'),
      );
      expect(codes(text)).toEqual([{ DELETE: 200, PUT: 422, POST: 409 }[method]]);
    }
    expect((await victim.ask({ path: one })).code).toBe(200);
  });
});

describe('requests one behind the other', () => {
  const create = request('POST', leases, { body: leaseOf({ name: 'piped' }) });
  const path = `${leases}/piped`;

  test('are made in their order, and so are their answers', async () => {
    const gone = request('GET', path, { headers: close });
    const text = await victim.raw(create + request('GET', path) + request('DELETE', path) + gone);
    expect(codes(text)).toEqual([201, 200, 200, 404]);
  });

  test('in pieces are made in their order as well', async () => {
    const socket = victim.connect();
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString()));
    for (const piece of (create + request('GET', path) + request('DELETE', path, { headers: close })).match(/[^]{1,50}/g) ?? []) {
      socket.write(piece);
      await sleep(1);
    }
    await once(socket, 'close');
    expect(codes(text)).toEqual([201, 200, 200]);
  });

  test('behind a watch wait for its end', async () => {
    const watch = request('GET', `${leases}?watch=1&timeoutSeconds=1`);
    const text = await victim.raw(watch + create + request('DELETE', path, { headers: close }));
    expect(codes(text)).toEqual([200, 201, 200]);
    // The watch was over by then.
    expect(text.slice(0, text.indexOf('HTTP/1.1 201'))).not.toContain('piped');
  });

  test('behind a watch by the hundred are cut off', async () => {
    const text = await victim.raw(request('GET', `${leases}?watch=1`) + request('GET', '/livez').repeat(500));
    expect(codes(text).length).toBeLessThanOrEqual(1);
    await victim.expectAlive();
  });

  test('that are none in the middle of a watch cut it, and no answer to them gets into it', async () => {
    const socket = victim.connect();
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString()));
    socket.write(request('GET', `${leases}?watch=1`));
    await expect.poll(() => text).toContain('200 OK');
    socket.write('nonsense\r\n\r\n');
    await once(socket, 'close');
    expect(codes(text)).toEqual([200]);
    await victim.expectAlive();
  });
});

describe('a client that leaves', () => {
  test('its side of the connection is answered, and then closed', async () => {
    const socket = victim.connect();
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString()));
    socket.end(request('GET', '/livez'));
    await once(socket, 'close');
    expect(codes(text)).toEqual([200]);
  });

  test('in the middle of a body has written nothing', async () => {
    const body = leaseOf({ name: 'half' });
    for (const cut of [1, 20, body.length - 1]) {
      const socket = victim.connect();
      const whole = request('POST', leases, { body });
      socket.end(whole.slice(0, whole.length - cut));
      socket.resume();
      await once(socket, 'close');
    }
    expect((await victim.ask({ path: `${leases}/half` })).code).toBe(404);
    await victim.expectAlive();
  });

  test('at any moment does no harm', async () => {
    const body = leaseOf({ name: 'left' });
    const whole = request('POST', leases, { body }) + request('GET', `${leases}?watch=1`);
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const socket = victim.connect();
        socket.write(whole.slice(0, Math.ceil((whole.length * (index + 1)) / 100)));
        await sleep(index % 10);
        if (index % 2 === 0) socket.destroy();
        else socket.resetAndDestroy();
      }),
    );
    await victim.ask({ method: 'DELETE', path: `${leases}/left` });
    await victim.expectAlive();
  });
});

describe('a WebSocket', () => {
  const watch = `${leases}?watch=1&timeoutSeconds=60`;

  test.each<[string, string, number]>([
    ['without a key', websocket.replace(/Sec-WebSocket-Key.*\r\n/, ''), 400],
    ['with a key that is none', websocket.replace('dGhlIHNhbXBsZSBub25jZQ==', 'x'), 400],
    ['of a version that there is none of', websocket.replace('13', '99'), 400],
    ['of another site', `${websocket}Origin: http://evil.example\r\n`, 403],
    ['of a site that is none', `${websocket}Origin: null\r\n`, 403],
    ['of protocols that are none', `${websocket}Sec-WebSocket-Protocol: ,,\r\n`, 400],
  ])('%s is refused', async (_, headers, code) => {
    expect(codes(await victim.raw(request('GET', watch, { headers })))).toEqual([code]);
    await victim.expectAlive();
  });

  test('to what is no watch is an ordinary request', async () => {
    expect(codes(await victim.raw(request('GET', '/livez', { headers: websocket })))).toEqual([200]);
    expect(codes(await victim.raw(request('GET', `${watch}&limit=x`, { headers: websocket })))).toEqual([400]);
  });

  test('whose client names its token among the protocols does not hear it again', async () => {
    const headers = `${websocket}Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.c2VjcmV0, base64.binary.k8s.io\r\n`;
    const answer = await victim.raw(request('GET', watch, { headers }), (text) => text.includes('\r\n\r\n'));
    expect(answer).toContain('Sec-WebSocket-Protocol: base64.binary.k8s.io\r\n');
    expect(answer).not.toContain('c2VjcmV0');
  });

  test.each<[string, number[]]>([
    ['garbage', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a frame without a mask', [0x81, 0x01, 0x61]],
    ['a frame of 2^63 bytes', [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]],
    ['a text that is no UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff]],
    ['a code nobody knows', [0x83, 0x80, 0, 0, 0, 0]],
    ['a message that goes on without a beginning', [0x80, 0x80, 0, 0, 0, 0]],
    ['a ping of 126 bytes', [0x89, 0xfe, 0, 126, 0, 0, 0, 0, ...Array<number>(126).fill(0)]],
    ['a close with half a code', [0x88, 0x81, 0, 0, 0, 0, 3]],
  ])('whose client sends %s is closed', async (_, frame) => {
    const socket = victim.connect();
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
    socket.write(request('GET', watch, { headers: websocket }));
    await expect.poll(() => text).toContain('101 Switching');
    socket.write(Buffer.from(frame));
    await once(socket, 'close');
    await victim.expectAlive();
  });
});
