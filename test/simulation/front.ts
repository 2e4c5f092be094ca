import { EventEmitter } from 'node:events';
import { Metadata, status, type handleUnaryCall, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import type { LeaseError } from '@leasehold/core';
import { HeartbeatLossReason, LeaseServiceService, type HeartbeatResponse } from '@leasehold/proto/leasehold/v1/lease_service';
import type { HandlerContext } from '../../server/dist/grpc/context.js';
import type { HeartbeatCall, HeartbeatContext, HeartbeatStream } from '../../server/dist/grpc/heartbeat-stream.js';
import type { UnaryHandlers } from '../../server/dist/grpc/unary.js';
import type { Kit } from './kit.js';

/** How a method's messages become bytes, and the other way round. */
interface Codec {
  readonly path: string;
  requestDeserialize(bytes: Buffer): unknown;
  responseSerialize(message: unknown): Buffer;
}

/** Where the server's end of a call writes to. */
export interface CallOut {
  message(bytes: Buffer): void;
  /** The call is over. */
  status(what: StatusObject): void;
}

const codecs = new Map(Object.entries(LeaseServiceService).map(([name, codec]) => [codec.path as string, { name, codec }]));

const lossNames = Object.fromEntries(Object.entries(HeartbeatLossReason).map(([name, value]) => [value, name]));

/** The gRPC front of a server process without its port: the real handlers, on calls that the simulation carries. */
export class Front {
  readonly #kit: Kit;
  readonly #context: HeartbeatContext;
  readonly #unary: UnaryHandlers;
  readonly #heartbeats = new Set<HeartbeatStream>();
  readonly #count: (what: string) => void;

  /** `count` hears what is called and told. */
  constructor(kit: Kit, context: HandlerContext, count: (what: string) => void) {
    this.#kit = kit;
    this.#count = count;
    // One attach at a time on all streams, so that they wait for each other.
    this.#context = { ...context, attachTurns: new kit.AttachTurns(1) };
    this.#unary = kit.createUnaryHandlers(context);
  }

  get heartbeatStreams(): number {
    return this.#heartbeats.size;
  }

  tellDraining(): void {
    for (const stream of [...this.#heartbeats]) stream.tellDraining();
  }

  finishHeartbeats(error: LeaseError): void {
    for (const stream of [...this.#heartbeats]) stream.finish(error);
  }

  abortStreams(error: LeaseError): void {
    for (const stream of [...this.#heartbeats]) stream.abort(error);
  }

  /** There is no port to close; whoever ends the process breaks its connections. */
  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  /** A call has arrived, whose time is up in so long. */
  take(path: string, leftMs: number, out: CallOut): ServedCall {
    const method = codecs.get(path);
    if (method === undefined) throw new Error(`No such method: ${path}`);
    const { name, codec } = method;
    const { clock } = this.#context;
    this.#count(`called: ${name}`);
    const call = new ServedCall(codec, out);
    if (leftMs < Infinity)
      call.once(
        'over',
        clock.after(leftMs, () => call.leave()),
      );
    if (name === 'heartbeat') this.#heartbeat(call);
    else call.once('data', (request) => this.#answer(name as keyof UnaryHandlers, call, request));
    return call;
  }

  #answer(name: keyof UnaryHandlers, call: ServedCall, request: unknown): void {
    call.request = request;
    const handle = this.#unary[name] as handleUnaryCall<unknown, unknown>;
    handle(call as unknown as Parameters<typeof handle>[0], (error, response) => {
      if (error !== null) {
        call.emit('error', error);
        return;
      }
      call.write(response);
      call.end();
    });
  }

  #countTold({ acknowledged, lost, draining }: HeartbeatResponse): void {
    if (acknowledged > 0n) this.#count('told: acknowledged');
    if (draining) this.#count('told: draining');
    for (const { reason } of lost) this.#count(`told: ${lossNames[reason] ?? ''}`);
  }

  #heartbeat(call: ServedCall): void {
    try {
      const stream = new this.#kit.HeartbeatStream(call as unknown as HeartbeatCall, this.#context, (over) => {
        this.#heartbeats.delete(over);
      });
      this.#heartbeats.add(stream);
      call.onWrite = (message) => this.#countTold(message as HeartbeatResponse);
    } catch (error) {
      call.emit('error', this.#kit.toServiceError(error, this.#context.log));
    }
  }
}

/** The server's end of one call, as grpc-js shows it to handlers. */
export class ServedCall extends EventEmitter {
  request: unknown;
  cancelled = false;
  /** Hears what is written. */
  onWrite: (message: unknown) => void = () => undefined;
  readonly #codec: Codec;
  readonly #out: CallOut;
  #isOver = false;

  constructor(codec: Codec, out: CallOut) {
    super();
    this.#codec = codec;
    this.#out = out;
    this.on('error', ({ code, details, metadata }: ServiceError) => this.#finish({ code, details, metadata }));
  }

  /** A message has come. */
  receive(bytes: Buffer): void {
    if (!this.#isOver) this.emit('data', this.#codec.requestDeserialize(bytes));
  }

  /** The client has left, or its time is up. */
  leave(): void {
    if (this.#isOver) return;
    this.cancelled = true;
    this.emit('cancelled');
    this.#finish({ code: status.CANCELLED, details: 'Cancelled', metadata: new Metadata() });
  }

  write(message: unknown): boolean {
    if (this.#isOver) return true;
    this.onWrite(message);
    this.#out.message(this.#codec.responseSerialize(message));
    return true;
  }

  end(): void {
    this.#finish({ code: status.OK, details: '', metadata: new Metadata() });
  }

  pause(): void {
    // Nobody sends so much.
  }

  resume(): void {
    // It was never paused.
  }

  #finish(what: StatusObject): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#out.status(what);
    this.emit('over');
  }
}
