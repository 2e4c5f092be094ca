import {
  type LeaseholdError,
  LeaseNotFoundError,
  UnavailableError,
  type Lease,
  type LeaseEvent,
  type Transport,
} from '@leasehold/sdk';

type Acquire = Parameters<Transport['acquire']>[0];
type AcquireAnswer = Awaited<ReturnType<Transport['acquire']>>;
type Release = Parameters<Transport['release']>[0];
type Released = Awaited<ReturnType<Transport['release']>>;
type Call = Parameters<Transport['acquire']>[1];
type Sink = Parameters<Transport['heartbeat']>[0];
type Answer = Parameters<Sink['onAnswer']>[0];
type Message = Parameters<ReturnType<Transport['heartbeat']>['send']>[0];
type WatchRequest = Parameters<Transport['watch']>[0];

/** What a watch stream does: messages, and then an error, or nothing more until it is aborted. */
export interface WatchScript {
  readonly messages: readonly { readonly events: readonly LeaseEvent[]; readonly revision: bigint }[];
  readonly error?: LeaseholdError;
}

/** A server that says what a test tells it to. Without being told it grants everything and acknowledges every beat. */
export class FakeTransport implements Transport {
  readonly canMove = false;
  readonly acquires: Acquire[] = [];
  readonly releases: Release[] = [];
  readonly streams: FakeHeartbeat[] = [];
  readonly watches: WatchRequest[] = [];
  readonly watchScripts: WatchScript[] = [];
  lastToken = 100n;
  /** The record that `get` answers. */
  record: Lease | undefined;
  /** Whether streams answer by themselves. */
  answers = true;
  durationMs = 0;
  onAcquire: (request: Acquire, call: Call) => Promise<AcquireAnswer> = (request) => Promise.resolve(this.grant(request));
  onRelease: (request: Release) => Promise<Released> = (request) =>
    Promise.resolve({ lease: leaseOf({ ...request, state: 'AVAILABLE' }), alreadyReleased: false });

  /** Grants a request, with a new token unless one is given. */
  grant(request: Acquire, fencingToken: bigint = (this.lastToken += 1n)): AcquireAnswer {
    const { namespace, name, holder, durationMs } = request;
    this.durationMs = durationMs;
    const lease = leaseOf({ namespace, name, holder, durationMs, fencingToken, state: 'HELD', remainingMs: durationMs });
    this.record = lease;
    return { kind: 'granted', lease };
  }

  /** The newest heartbeat stream. */
  get stream(): FakeHeartbeat {
    return this.streams.at(-1)!;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  acquire(request: Acquire, call: Call): Promise<AcquireAnswer> {
    this.acquires.push(request);
    return untilAborted(this.onAcquire(request, call), call.signal);
  }

  release(request: Release): Promise<Released> {
    this.releases.push(request);
    return this.onRelease(request);
  }

  get(): Promise<Lease> {
    const what = { code: 'NOT_FOUND', reason: 'LEASE_NOT_FOUND', message: 'no such lease' };
    return this.record === undefined ? Promise.reject(new LeaseNotFoundError(what)) : Promise.resolve(this.record);
  }

  async *watch(request: WatchRequest, signal: AbortSignal): ReturnType<Transport['watch']> {
    this.watches.push(request);
    const script = this.watchScripts.shift() ?? { messages: [] };
    yield* script.messages;
    if (script.error !== undefined) throw script.error;
    await untilAborted(new Promise(() => undefined), signal);
  }

  heartbeat(sink: Sink): FakeHeartbeat {
    const stream = new FakeHeartbeat(sink, this);
    this.streams.push(stream);
    return stream;
  }

  close(): void {
    // Nothing is open.
  }

  renew = notPartOfThis;
  renewBatch = notPartOfThis;
  revoke = notPartOfThis;
  validate = notPartOfThis;
  list = notPartOfThis;
  create = notPartOfThis;
  update = notPartOfThis;
  delete = notPartOfThis;
}

/** The server's end of a heartbeat stream. Handles are given from 1. */
export class FakeHeartbeat {
  readonly messages: Message[] = [];
  closed = false;
  readonly #sink: Sink;
  readonly #transport: FakeTransport;
  #handles = 0;

  constructor(sink: Sink, transport: FakeTransport) {
    this.#sink = sink;
    this.#transport = transport;
  }

  send(message: Message): void {
    this.messages.push(message);
    if (this.#transport.answers) {
      queueMicrotask(() => {
        this.answerAll(message);
      });
    }
  }

  close(): void {
    this.closed = true;
  }

  /** Attaches what a message asks for, and acknowledges it. */
  answerAll({ sequence, attach }: Message = this.messages.at(-1)!): void {
    const attached = attach.map((_, index) => ({ sequence, index, outcome: this.handle() }));
    this.answer({ attached, acknowledged: sequence });
  }

  /** Attaches nothing of what a message asks for, and acknowledges it. */
  refuse(error: LeaseholdError, { sequence, attach }: Message = this.messages.at(-1)!): void {
    const attached = attach.map((_, index) => ({ sequence, index, outcome: { kind: 'refused', error } as const }));
    this.answer({ attached, acknowledged: sequence });
  }

  handle(durationMs: number = this.#transport.durationMs): {
    kind: 'handle';
    handle: number;
    durationMs: number;
    remainingMs: number;
  } {
    this.#handles += 1;
    return { kind: 'handle', handle: this.#handles, durationMs, remainingMs: durationMs };
  }

  answer(parts: Partial<Answer>): void {
    if (this.closed) return;
    const nothing = { attached: [], durations: [], lost: [], excepted: [], acknowledged: 0, draining: false };
    this.#sink.onAnswer({ ...nothing, ...parts });
  }

  lose(reason: 'EXPIRED' | 'RELEASED' | 'REVOKED', graceMs?: number): void {
    this.answer({ lost: [{ handle: 1, reason, holder: '', fencingToken: 0n, graceMs }] });
  }

  fail(): void {
    if (!this.closed) this.#sink.onEnd(unavailable());
  }
}

export function unavailable(): UnavailableError {
  return new UnavailableError({ code: 'UNAVAILABLE', reason: 'UNAVAILABLE', message: 'no server', retryable: true });
}

/** A lease with what is given, and something harmless for the rest. */
export function leaseOf(fields: Partial<Lease>): Lease {
  return {
    namespace: 'default',
    name: 'x',
    uid: 'uid',
    state: 'AVAILABLE',
    holder: '',
    durationMs: 0,
    fencingToken: 0n,
    resourceVersion: 1n,
    transitions: 0,
    createTime: undefined,
    acquireTime: undefined,
    renewTime: undefined,
    remainingMs: undefined,
    labels: {},
    annotations: {},
    lockDelayMs: 0,
    keepAfterExpiryMs: undefined,
    revoking: false,
    ...fields,
  };
}

function notPartOfThis(): Promise<never> {
  return Promise.reject(new Error('not part of this test'));
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject);
    const onAbort = (): void => {
      reject(signal?.reason as Error);
    };
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
