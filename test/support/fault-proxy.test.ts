import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FaultProxy } from './fault-proxy.js';

let proxy: FaultProxy;
/** What has reached the server. */
let heard: string;
/** How many connections the server has, and how many of them were reset. */
let open: number;
let resets: number;

beforeEach(async () => {
  heard = '';
  open = 0;
  resets = 0;
  /** It answers in capitals. */
  const server = createServer((socket) => {
    open += 1;
    socket.on('error', () => (resets += 1));
    socket.on('close', () => (open -= 1));
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      socket.write(chunk.toString().toUpperCase());
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  proxy = await FaultProxy.to((server.address() as AddressInfo).port);
});

/** A client's connection, and what has come back on it. */
class Caller {
  answers = '';
  state: 'open' | 'closed' | 'reset' = 'open';
  readonly #socket: Socket;

  constructor(address = proxy.address) {
    this.#socket = connect(portOf(address), '127.0.0.1');
    this.#socket.on('data', (chunk: Buffer) => (this.answers += chunk.toString()));
    this.#socket.on('error', () => (this.state = 'reset'));
    this.#socket.on('close', () => {
      if (this.state === 'open') this.state = 'closed';
    });
    onTestFinished(() => void this.#socket.destroy());
  }

  say(text: string): void {
    this.#socket.write(text);
  }

  close(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }
}

function portOf(address: string): number {
  return Number(address.split(':')[1]);
}

/** Long enough for what should not come. */
const aWhile = (): Promise<void> => sleep(60);

const becomes = (look: () => unknown, value: unknown): Promise<void> =>
  expect.poll(look, { interval: 2, timeout: 10_000 }).toBe(value);

describe('a link', () => {
  it('carries both ways, and closes when either end does', async () => {
    const caller = new Caller();
    caller.say('one ');
    await becomes(() => caller.answers, 'ONE ');
    expect(proxy.connections).toBe(1);
    caller.close();
    await becomes(() => caller.state, 'closed');
    await becomes(() => open, 0);
    await becomes(() => proxy.connections, 0);
    expect(resets).toBe(0);
  });

  it('passes a reset on', async () => {
    const caller = new Caller();
    caller.say('one ');
    await becomes(() => caller.answers, 'ONE ');
    caller.reset();
    await becomes(() => resets, 1);
  });

  it('that is cut resets both ends, and can be used again', async () => {
    const caller = new Caller();
    caller.say('one ');
    await becomes(() => caller.answers, 'ONE ');
    proxy.cut();
    await becomes(() => caller.state, 'reset');
    await becomes(() => resets, 1);
    const next = new Caller();
    next.say('two ');
    await becomes(() => next.answers, 'TWO ');
  });

  it('that refuses resets new connections only', async () => {
    const caller = new Caller();
    caller.say('one ');
    await becomes(() => caller.answers, 'ONE ');
    proxy.refuse();
    const refused = new Caller();
    await becomes(() => refused.state, 'reset');
    caller.say('two ');
    await becomes(() => caller.answers, 'ONE TWO ');
    proxy.restore();
    const taken = new Caller();
    taken.say('three');
    await becomes(() => taken.answers, 'THREE');
  });

  it('that leads nowhere yet refuses, until it is told where to', async () => {
    const link = await FaultProxy.to(0);
    const early = new Caller(link.address);
    await becomes(() => early.state, 'reset');
    link.leadTo(portOf(proxy.address));
    const taken = new Caller(link.address);
    taken.say('one');
    await becomes(() => taken.answers, 'ONE');
  });

  it('that is silenced forgets its connections, but not new ones', async () => {
    const caller = new Caller();
    caller.say('one ');
    await becomes(() => caller.answers, 'ONE ');
    proxy.silence();
    caller.say('lost ');
    const next = new Caller();
    next.say('two ');
    await becomes(() => next.answers, 'TWO ');
    await aWhile();
    proxy.restore();
    await aWhile();
    expect([heard, caller.answers, caller.state]).toEqual(['one two ', 'ONE ', 'open']);
  });

  it('that is partitioned holds back everything, of new connections too, and brings it later', async () => {
    const caller = new Caller();
    caller.say('one ');
    await becomes(() => caller.answers, 'ONE ');
    proxy.partition();
    caller.say('two ');
    caller.say('three ');
    caller.close();
    await aWhile();
    const next = new Caller();
    next.say('four ');
    await aWhile();
    expect([heard, caller.answers, caller.state, next.state]).toEqual(['one ', 'ONE ', 'open', 'open']);
    proxy.restore();
    await becomes(() => caller.answers, 'ONE TWO THREE ');
    await becomes(() => caller.state, 'closed');
    await becomes(() => next.answers, 'FOUR ');
  });

  it('that loses answers brings what is asked for, and the answers later', async () => {
    const caller = new Caller();
    caller.say('one ');
    await becomes(() => caller.answers, 'ONE ');
    proxy.partition('answers');
    caller.say('two ');
    await becomes(() => heard, 'one two ');
    await aWhile();
    expect(caller.answers).toBe('ONE ');
    proxy.restore();
    await becomes(() => caller.answers, 'ONE TWO ');
  });

  it('that delays does so each way, and keeps the order', async () => {
    const caller = new Caller();
    caller.say('a');
    await becomes(() => caller.answers, 'A');
    proxy.delay(50, 20);
    const sentAt = performance.now();
    for (const letter of 'bcdefgh') {
      caller.say(letter);
      await sleep(1);
    }
    await becomes(() => caller.answers, 'ABCDEFGH');
    expect(performance.now() - sentAt).toBeGreaterThanOrEqual(99);
    proxy.restore();
    caller.say('i');
    await becomes(() => caller.answers, 'ABCDEFGHI');
  });
});
