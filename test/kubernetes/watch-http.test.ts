import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { defaultLimits, type LeaseCoordinator } from '@leasehold/core';
import { allowAll } from '../../server/dist/kubernetes/access/authorizer.js';
import { KubernetesApi } from '../../server/dist/kubernetes/api.js';
import { HttpServer } from '../../server/dist/kubernetes/http/server.js';
import { LeaseService } from '../../server/dist/kubernetes/lease-service.js';
import { createRoutes } from '../../server/dist/kubernetes/routes.js';
import { acquire, update, World } from '../core/world.js';
import { settle } from '@leasehold/sdk/testing';
import type { SeenEvent } from './watch-support.js';

const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases?watch=1';

/** A server over a world, whose clock stands still. */
async function serve(options: Parameters<typeof World.start>[0] = {}) {
  const world = await World.start(options);
  const engine = { current: (): LeaseCoordinator => world.coordinator };
  const { clock } = world;
  const leases = new LeaseService({ engine, clock, strict: false, newSuffix: () => 'abcde' });
  const server = new HttpServer({
    api: new KubernetesApi(createRoutes({ leases, engine, authorizer: allowAll, clock }), allowAll),
    clock,
    log: {
      error(fields) {
        throw fields['err'];
      },
    },
    listen: { host: '127.0.0.1', port: 0 },
    tls: undefined,
    connectionsMax: 100,
    streamsPerConnectionMax: 100,
  });
  const port = await server.listen();
  onTestFinished(() => server.shutdown(0));
  return { world, server, url: `127.0.0.1:${port}${path}` };
}

/** Reads a watch line by line. */
class Lines {
  readonly response: IncomingMessage;
  readonly #chunks: AsyncIterator<Buffer>;
  #text = '';

  private constructor(response: IncomingMessage) {
    this.response = response;
    this.#chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  static async open(url: string): Promise<Lines> {
    const request = get(`http://${url}`);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    onTestFinished(() => void response.destroy());
    return new Lines(response);
  }

  /** The next event; `undefined`: the watch has ended in order. */
  async next(): Promise<SeenEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line) as SeenEvent;
      }
      const chunk = await this.#chunks.next();
      if (chunk.done === true) {
        return undefined;
      }
      this.#text += chunk.value.toString();
    }
  }
}

describe('a watch over HTTP', () => {
  it('is answered at once, and then event by event in lines', async () => {
    const { world, url } = await serve();
    const lines = await Lines.open(url);
    expect(lines.response.statusCode).toBe(200);
    expect(lines.response.headers).toMatchObject({ 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    for (const name of ['a', 'b']) {
      await world.do({ ...acquire('h'), name });
      expect(await lines.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name } } });
    }
  });

  it('is ended in order by a server that shuts down', async () => {
    const { world, server, url } = await serve();
    const lines = await Lines.open(url);
    await world.do({ ...acquire('h'), name: 'a' });
    await world.coordinator.drain();
    await server.shutdown(0);
    expect(await lines.next()).toMatchObject({ type: 'ADDED' });
    expect(await lines.next()).toBeUndefined();
  });

  it('is over when the client has gone', async () => {
    const { world, url } = await serve({ limits: { ...defaultLimits, watchersMax: 1 } });
    const lines = await Lines.open(url);
    const refused = await Lines.open(url);
    expect(refused.response.statusCode).toBe(429);
    expect(refused.response.headers['retry-after']).toBe('1');
    lines.response.destroy();
    let status: number | undefined;
    while (status !== 200) {
      ({ statusCode: status } = (await Lines.open(url)).response);
    }
    await world.do({ ...acquire('h'), name: 'a' });
  });

  it('waits for a client that does not read, and loses nothing', async () => {
    const { world, url } = await serve({ recentChangesMax: 50 });
    const lines = await Lines.open(url);
    await world.do({ ...acquire('h', { durationMs: 86_400_000 }), name: 'a' });
    for (let change = 1; change <= 200; change++) {
      await world.do({ ...update({ annotations: { filler: 'x'.repeat(50_000), change: String(change) } }), name: 'a' });
    }
    expect((await lines.next())?.type).toBe('ADDED');
    for (let change = 1; change <= 200; change++) {
      expect((await lines.next())?.object.metadata.annotations?.['change']).toBe(String(change));
    }
  });

  it('that is refused is an ordinary answer', async () => {
    const { url } = await serve();
    const { response } = await Lines.open(`${url}&sendInitialEvents=true`);
    expect(response.statusCode).toBe(422);
    expect(Number(response.headers['content-length'])).toBeGreaterThan(100);
  });
});

describe('a watch over a WebSocket', () => {
  it('sends each event as a message: text in JSON, bytes in protobuf', async () => {
    const { world, url } = await serve();
    const json = new WebSocket(`ws://${url}`);
    const protobuf = new WebSocket(`ws://${url}`, { headers: { accept: 'application/vnd.kubernetes.protobuf' } });
    const messages = [json, protobuf].map((socket) => once(socket, 'message') as Promise<[Buffer, boolean]>);
    await Promise.all([json, protobuf].map((socket) => once(socket, 'open')));
    await settle();
    await world.do({ ...acquire('h'), name: 'a' });
    const [[text, isText], [bytes, isBinary]] = (await Promise.all(messages)) as [[Buffer, boolean], [Buffer, boolean]];
    expect([isText, isBinary]).toEqual([false, true]);
    expect(JSON.parse(text.toString())).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'a' } } });
    // Field 1 of the event: its type.
    expect(bytes.subarray(0, 7).toString('latin1')).toBe('\n\x05ADDED');
    [json, protobuf].forEach((socket) => socket.close());
  });

  it('is closed in order when its time is over', async () => {
    const { world, url } = await serve();
    const socket = new WebSocket(`ws://${url}&timeoutSeconds=5`);
    const closed = once(socket, 'close') as Promise<[number]>;
    await once(socket, 'open');
    await settle();
    await world.clock.advance(5000);
    const [code] = await closed;
    expect(code).toBe(1000);
  });

  it('that is refused is an ordinary answer', async () => {
    const { url } = await serve();
    const socket = new WebSocket(`ws://${url}&resourceVersion=abc`);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(500);
    socket.on('error', () => {});
    socket.terminate();
  });
});
