import { EventEmitter } from 'node:events';
import type { Attachment, AttachmentListener, AttachRequest, BeatResult, Clock, LeaseCoordinator, Loss } from '@leasehold/core';
import { defaultLimits, LeaseError } from '@leasehold/core';
import {
  type HeartbeatAttach,
  HeartbeatLossReason,
  HeartbeatRefusal,
  HeartbeatRequest,
  type HeartbeatResponse,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { AttachTurns } from '../../server/dist/grpc/attach-turns.js';
import { HeartbeatStream, type HeartbeatCall } from '../../server/dist/grpc/heartbeat-stream.js';

const released: Loss = { reason: 'RELEASED', holder: '', fencingToken: 5n, graceMs: undefined };

describe('the order on a heartbeat stream', () => {
  test('messages of one turn are acknowledged once, by the last of them', async () => {
    const stream = new Bench();
    await stream.attach();
    stream.send({ handles: [1] });
    stream.send({ handles: [1] });
    const last = stream.send({ handles: [1] });
    expect(stream.turn()).toEqual([response({ acknowledged: last })]);
    expect(stream.turn()).toEqual([]);
  });

  test('a loss is in the message that acknowledges a beat processed after it, never in a later one', async () => {
    const stream = new Bench();
    const { listener, attachment } = await stream.attach();
    const before = stream.send({ handles: [1] });
    listener.onLoss(attachment, released);
    const sequence = stream.send({ handles: [1] });
    expect(before).toBeLessThan(sequence);
    const [message] = stream.turn();
    expect(message?.lost).toMatchObject([{ handle: 1, reason: HeartbeatLossReason.RELEASED, fencingToken: 5n }]);
    expect(message?.acknowledged).toBe(sequence);
    expect(message?.excepted).toEqual([{ handle: 1, sequence, refusal: HeartbeatRefusal.LOST }]);
  });

  test('many losses go in several messages, and the acknowledgement waits for the last', async () => {
    const stream = new Bench();
    const leases = await stream.attachMany(5000);
    const acknowledged = stream.written.at(-1)?.acknowledged;
    leases.forEach(({ listener, attachment }) => {
      listener.onLoss(attachment, released);
    });
    const sequence = stream.send({ all: true });
    const messages = stream.turn();
    expect(messages.map(({ lost }) => lost.length)).toEqual([2000, 2000, 1000]);
    expect(messages.map((message) => message.acknowledged)).toEqual([acknowledged, acknowledged, sequence]);
  });

  test('while the client does not read, nothing is written, and what waits is told once it does', async () => {
    const stream = new Bench();
    const { listener, attachment } = await stream.attach();
    stream.full = true;
    stream.send({ handles: [1] });
    expect(stream.turn()).toHaveLength(1);
    for (let beat = 0; beat < 1000; beat++) {
      stream.send({ handles: [1, 99] });
    }
    listener.onDuration(attachment, 20_000);
    listener.onDuration(attachment, 30_000);
    listener.onLoss(attachment, { ...released, reason: 'REVOKED', graceMs: 1000 });
    listener.onLoss(attachment, released);
    const last = stream.send({ handles: [99] });
    expect(stream.turn()).toEqual([]);
    stream.drain();
    const [message, ...more] = stream.take();
    expect(more).toEqual([]);
    expect(message).toMatchObject({
      acknowledged: last,
      excepted: [{ handle: 99, sequence: last, refusal: HeartbeatRefusal.NOT_ATTACHED }],
      lost: [{ handle: 1, reason: HeartbeatLossReason.RELEASED, grace: undefined }],
      durations: [{ handle: 1, duration: { seconds: 30n, nanos: 0 } }],
    });
  });

  test('attaches that end out of order are answered in the order asked for', async () => {
    const stream = new Bench();
    stream.send({ attach: [attach('a'), attach('b'), attach('c')] });
    await stream.settle('c');
    await stream.refuse('b');
    expect(stream.turn().flatMap(({ attached }) => attached)).toEqual([]);
    await stream.settle('a');
    const answers = stream.turn().flatMap(({ attached }) => attached);
    expect(answers.map(({ index, outcome }) => [index, outcome?.$case])).toEqual([
      [0, 'handle'],
      [1, 'refused'],
      [2, 'handle'],
    ]);
    expect(answers.map(({ outcome }) => (outcome?.$case === 'handle' ? outcome.value.handle : 0))).toEqual([1, 0, 2]);
  });

  test('a beat for all counts for a lease whose attach was asked for before it and came out after it', async () => {
    const stream = new Bench();
    stream.send({ attach: [attach('a')] });
    stream.nowMs = 500;
    stream.send({ all: true });
    stream.nowMs = 900;
    await stream.settle('a');
    expect(stream.beats).toEqual([{ name: 'a', readAtMs: 500 }]);
    stream.send({ all: true, attach: [attach('b')] });
    await stream.settle('b');
    expect(stream.beats.filter(({ name }) => name === 'b')).toEqual([]);
  });

  test('a loss that comes before the answer to the attach is told with it', async () => {
    const stream = new Bench();
    stream.send({ attach: [attach('a'), attach('b')] });
    const { listener, attachment } = await stream.settle('b');
    listener.onLoss(attachment, released);
    expect(stream.turn().flatMap(({ lost }) => lost)).toEqual([]);
    await stream.settle('a');
    const [message] = stream.turn();
    expect(message?.attached).toHaveLength(2);
    expect(message?.lost).toMatchObject([{ handle: 2 }]);
  });

  test('a beat of a lease that may be ending is excepted until it is settled', async () => {
    const stream = new Bench();
    await stream.attach();
    stream.result = 'ending';
    const vain = stream.send({ handles: [1] });
    stream.result = 'renewed';
    const good = stream.send({ handles: [1] });
    const [message] = stream.turn();
    expect(message?.excepted).toEqual([{ handle: 1, sequence: vain, refusal: HeartbeatRefusal.ENDING }]);
    expect(message?.acknowledged).toBe(good);
    stream.send({ handles: [1] });
    expect(stream.turn()[0]?.excepted).toEqual([]);
  });

  test('each beat counts from when its own bytes had been read', async () => {
    const stream = new Bench();
    await stream.attach();
    stream.nowMs = 10;
    stream.send({ handles: [1] });
    stream.nowMs = 20;
    stream.send({ handles: [1] });
    expect(stream.beats.map(({ readAtMs }) => readAtMs)).toEqual([10, 20]);
  });

  test('a stream that is aborted says nothing any more, not even what it had processed', async () => {
    const stream = new Bench();
    await stream.attach();
    stream.send({ handles: [1] });
    stream.stream.abort(new LeaseError('STORE_UNAVAILABLE', 'gone'));
    expect(stream.turn()).toEqual([]);
    expect(stream.errors).toMatchObject([{ details: 'gone' }]);
    stream.send({ handles: [1] });
    expect(stream.turn()).toEqual([]);
    expect(stream.over).toBe(1);
  });

  test('a stream that is cancelled detaches its leases, and those whose attach comes out later', async () => {
    const stream = new Bench();
    await stream.attach('a');
    stream.send({ attach: [attach('b')] });
    stream.call.emit('cancelled');
    expect(stream.detached).toEqual(['a']);
    await stream.settle('b');
    expect(stream.detached).toEqual(['a', 'b']);
    expect(stream.over).toBe(1);
  });

  test('a client that asks for attaches and never reads is not read in the end', async () => {
    const stream = new Bench({ handlesMax: 10 });
    stream.full = true;
    for (let message = 0; message < 4; message++) {
      stream.send({ attach: Array.from({ length: 10 }, () => attach(`bad-${message}`)) });
      await stream.refuse(`bad-${message}`);
      stream.turn();
    }
    expect(stream.paused).toBe(true);
    stream.full = false;
    stream.drain();
    expect(stream.paused).toBe(false);
  });
});

describe('attaches on many streams', () => {
  test('are under way so many at a time, and the streams take turns', async () => {
    const attachTurns = new AttachTurns(2);
    const [many, one] = [new Bench({ attachTurns }), new Bench({ attachTurns })];
    many.send({ attach: ['a', 'b', 'c', 'd'].map(attach) });
    one.send({ attach: [attach('e')] });
    expect([many.asked, one.asked]).toEqual([['a', 'b'], []]);
    await many.settle('b');
    expect([many.asked, one.asked]).toEqual([['a', 'b', 'c'], []]);
    await many.refuse('c');
    expect([many.asked, one.asked]).toEqual([['a', 'b', 'c'], ['e']]);
    await one.settle('e');
    expect(many.asked).toEqual(['a', 'b', 'c', 'd']);
  });

  test('asked for in several messages come in their order, each as old as its own', async () => {
    const bench = new Bench({ attachTurns: new AttachTurns(1) });
    bench.send({ attach: [attach('a')] });
    bench.nowMs = 10;
    bench.send({ attach: [attach('b')] });
    bench.nowMs = 20;
    bench.send({ attach: [attach('c')] });
    bench.nowMs = 30;
    await bench.settle('a');
    await bench.settle('b');
    expect(bench.asked).toEqual(['a', 'b', 'c']);
    expect(bench.askedReadAtMs).toEqual([0, 10, 20]);
  });

  test('are not asked for any more once their stream is over, and hold up nobody', async () => {
    const attachTurns = new AttachTurns(1);
    const [first, second] = [new Bench({ attachTurns }), new Bench({ attachTurns })];
    first.send({ attach: ['a', 'b'].map(attach) });
    second.send({ attach: [attach('c')] });
    first.call.emit('cancelled');
    expect(second.asked).toEqual([]);
    await first.settle('a');
    expect([first.asked, second.asked]).toEqual([['a'], ['c']]);
  });

  test('are refused at once past the leases that a stream may have', async () => {
    const bench = new Bench({ handlesMax: 2, attachTurns: new AttachTurns(1) });
    bench.send({ attach: ['a', 'b', 'c'].map(attach) });
    await bench.settle('a');
    await bench.settle('b');
    expect(bench.asked).toEqual(['a', 'b']);
    expect(bench.turn().flatMap(({ attached }) => attached.map(({ outcome }) => outcome?.$case))).toEqual([
      ...['handle', 'handle', 'refused'],
    ]);
  });
});

function attach(name: string): HeartbeatAttach {
  return { namespace: 'default', name, holder: 'holder', fencingToken: 1n };
}

function response(fields: Partial<HeartbeatResponse>): HeartbeatResponse {
  return { acknowledged: 0n, excepted: [], attached: [], lost: [], durations: [], draining: false, ...fields };
}

interface FakeLease extends Attachment {
  readonly name: string;
}

interface Attached {
  readonly attachment: FakeLease;
  readonly listener: AttachmentListener;
}

/** A stream on a bench: its call, its coordinator and its turns are the test's. */
class Bench {
  readonly call: EventEmitter = new EventEmitter();
  readonly stream: HeartbeatStream;
  readonly written: HeartbeatResponse[] = [];
  readonly errors: unknown[] = [];
  readonly beats: { name: string; readAtMs: number }[] = [];
  readonly detached: string[] = [];
  nowMs = 0;
  /** What a beat results in. */
  result: BeatResult = 'renewed';
  /** Whether the client does not read. */
  full = false;
  paused = false;
  over = 0;
  #sequence = 0n;
  #taken = 0;
  #soon: (() => void)[] = [];
  readonly #asked: {
    name: string;
    readAtMs: number;
    listener: AttachmentListener;
    resolve: (lease: FakeLease) => void;
    reject: (error: Error) => void;
  }[] = [];

  constructor({ handlesMax = 100_000, attachTurns = new AttachTurns(10_000) } = {}) {
    const write = (message: HeartbeatResponse): boolean => {
      this.written.push(message);
      return !this.full;
    };
    const pause = (): void => {
      this.paused = true;
    };
    const resume = (): void => {
      this.paused = false;
    };
    Object.assign(this.call, { write, pause, resume, end: () => undefined });
    this.call.on('error', (error) => this.errors.push(error));
    const coordinator: Partial<LeaseCoordinator> = {
      monotonicMs: () => this.nowMs,
      attach: (request, listener) => this.#ask(request, listener),
      beat: (attachment, readAtMs) => {
        this.beats.push({ name: (attachment as FakeLease).name, readAtMs });
        return this.result;
      },
      detach: (attachment) => {
        this.detached.push((attachment as FakeLease).name);
      },
    };
    const clock: Clock = {
      monotonicMs: () => this.nowMs,
      wallMs: () => 0,
      after: () => () => undefined,
      soon: (action) => {
        this.#soon.push(action);
      },
    };
    const context = {
      engine: { current: () => coordinator as LeaseCoordinator },
      clock,
      log: pino({ level: 'silent' }),
      limits: defaultLimits,
      streamLimits: { heartbeatStreamsMax: 1, handlesMax },
      attachTurns,
    };
    this.stream = new HeartbeatStream(this.call as unknown as HeartbeatCall, context, () => {
      this.over++;
    });
  }

  send(fields: Partial<HeartbeatRequest>): bigint {
    this.#sequence++;
    this.call.emit('data', { ...HeartbeatRequest.fromPartial({}), sequence: this.#sequence, ...fields });
    return this.#sequence;
  }

  /** Lets a turn of the loop pass, and returns what was written in it. */
  turn(): HeartbeatResponse[] {
    this.#soon.splice(0).forEach((action) => {
      action();
    });
    return this.take();
  }

  /** What was written since last asked. */
  take(): HeartbeatResponse[] {
    const messages = this.written.slice(this.#taken);
    this.#taken = this.written.length;
    return messages;
  }

  /** The client reads again. */
  drain(): void {
    this.call.emit('drain');
  }

  async attach(name = 'a'): Promise<Attached> {
    this.send({ attach: [attach(name)] });
    const attached = await this.settle(name);
    this.turn();
    return attached;
  }

  async attachMany(count: number): Promise<Attached[]> {
    const names = Array.from({ length: count }, (_, index) => `lease-${index}`);
    this.send({ attach: names.map(attach) });
    const attached: Attached[] = [];
    for (const name of names) {
      attached.push(await this.settle(name));
    }
    this.turn();
    return attached;
  }

  /** For which leases an attach has been asked for of the coordinator. */
  get asked(): string[] {
    return this.#asked.map(({ name }) => name);
  }

  get askedReadAtMs(): number[] {
    return this.#asked.map(({ readAtMs }) => readAtMs);
  }

  /** The attach of a lease comes out well. */
  async settle(name: string): Promise<Attached> {
    const asked = this.#asked.find((one) => one.name === name);
    if (asked === undefined) {
      throw new Error(`nobody asked for ${name}`);
    }
    const attachment: FakeLease = { name, fencingToken: 1n, durationMs: 10_000 };
    asked.resolve(attachment);
    await settled();
    return { attachment, listener: asked.listener };
  }

  /** All attaches of a lease are refused. */
  async refuse(name: string): Promise<void> {
    for (const asked of this.#asked.filter((one) => one.name === name)) {
      asked.reject(new LeaseError('LEASE_NOT_FOUND', 'not found'));
    }
    await settled();
  }

  #ask({ name, readAtMs }: AttachRequest, listener: AttachmentListener): Promise<Attachment> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ name, readAtMs, listener, resolve, reject });
    });
  }
}

/** Lets everything happen that promises have set off. */
async function settled(): Promise<void> {
  for (let step = 0; step < 5; step++) {
    await Promise.resolve();
  }
}
