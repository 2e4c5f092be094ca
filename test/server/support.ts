import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo } from '@leasehold/proto/google/rpc/error_details';
import { Status } from '@leasehold/proto/google/rpc/status';
import { LeaseErrorDetail } from '@leasehold/proto/leasehold/v1/errors';
import type { Lease } from '@leasehold/proto/leasehold/v1/lease';
import {
  AcquireRequest,
  HeartbeatRequest,
  LeaseServiceClient,
  LeaseServiceService,
  WatchRequest,
  type AcquireResponse,
  type HeartbeatResponse,
  type GetRequest,
  type GetResponse,
  type WatchResponse,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { parseOptions, startServer, type RunningServer, type ServerParts } from '@leasehold/server';
import { onTestFinished } from 'vitest';

export interface TestServer {
  readonly server: RunningServer;
  readonly client: LeaseServiceClient;
  readonly newClient: () => LeaseServiceClient;
}

/** A server on a free port with a store in memory, and a client of it. Both end with the test. Its own lease is for flags to turn on. */
export async function startTestServer(flags: readonly string[] = [], parts: ServerParts = {}): Promise<TestServer> {
  const environment = { LEASEHOLD_HTTP_LISTEN: 'off', LEASEHOLD_IDENTITY_LEASE: 'off' };
  const request = parseOptions(['--listen', '127.0.0.1:0', '--store', 'memory:', ...flags], environment);
  if (request.kind !== 'serve') {
    throw new Error('asked for help');
  }
  const server = await startServer(request.options, parts);
  const newClient = (): LeaseServiceClient => connect(server.address);
  // Hooks run in the reverse order: clients go first.
  onTestFinished(() => server.drain().catch(() => undefined));
  return { server, client: newClient(), newClient };
}

/** A client with a connection of its own, closed with the test. */
export function connect(address: string): LeaseServiceClient {
  const client = new LeaseServiceClient(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.per_rpc_retry_buffer_size': 0,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 200,
  });
  onTestFinished(() => {
    client.close();
  });
  return client;
}

type Service = typeof LeaseServiceService;
type UnaryMethod = {
  [M in keyof Service]: Service[M] extends { requestStream: false; responseStream: false } ? M : never;
}[keyof Service];
type RequestOf<M extends UnaryMethod> = ReturnType<Service[M]['requestDeserialize']>;
type ResponseOf<M extends UnaryMethod> = ReturnType<Service[M]['responseDeserialize']>;

/** Makes a unary call of a client. */
export function call<M extends UnaryMethod>(
  client: LeaseServiceClient,
  method: M,
  request: RequestOf<M>,
): Promise<ResponseOf<M>> {
  const { path, requestSerialize, responseDeserialize } = LeaseServiceService[method];
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize as (value: RequestOf<M>) => Buffer,
      responseDeserialize as (value: Buffer) => ResponseOf<M>,
      request,
      (error, response) => {
        if (error !== null || response === undefined) {
          reject(error ?? new Error('no response'));
        } else {
          resolve(response);
        }
      },
    );
  });
}

/** What a refused call says. */
export interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly reason: string;
  readonly domain: string;
  readonly field: string | undefined;
  readonly detail: LeaseErrorDetail | undefined;
  readonly bytes: number;
}

/** Waits for a refusal and reads its details. */
export async function refusalOf(refused: Promise<unknown>): Promise<Refusal> {
  const error = await refused.then(
    (value) => {
      throw new Error(`was not refused: ${String(value)}`);
    },
    (reason: unknown) => reason as ServiceError,
  );
  return readRefusal(error);
}

export function readRefusal(error: ServiceError): Refusal {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const details = Buffer.isBuffer(bytes) ? Status.decode(bytes).details : [];
  const find = (type: string): Buffer | undefined =>
    details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/${type}`)?.value;
  const info = find('google.rpc.ErrorInfo');
  const badRequest = find('google.rpc.BadRequest');
  const detail = find('leasehold.v1.LeaseErrorDetail');
  return {
    code: error.code,
    message: error.details,
    reason: info === undefined ? '' : ErrorInfo.decode(info).reason,
    domain: info === undefined ? '' : ErrorInfo.decode(info).domain,
    field: badRequest && BadRequest.decode(badRequest).fieldViolations[0]?.field,
    detail: detail && LeaseErrorDetail.decode(detail),
    bytes: bytes === undefined ? 0 : bytes.length,
  };
}

export function seconds(value: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.trunc(value)), nanos: Math.round((value % 1) * 1e9) };
}

type AcquireFields = Partial<AcquireRequest>;

/** Acquires `default/a` for `holder`, with what is given instead. */
export function tryAcquire(client: LeaseServiceClient, fields: AcquireFields = {}): Promise<AcquireResponse> {
  const request = {
    ...AcquireRequest.fromPartial({}),
    namespace: 'default',
    name: 'a',
    holder: 'holder',
    duration: seconds(30),
    ...fields,
  };
  return call(client, 'acquire', request);
}

/** Acquires a lease that must be free. */
export async function acquire(client: LeaseServiceClient, fields: AcquireFields = {}): Promise<Lease> {
  const { outcome } = await tryAcquire(client, fields);
  if (outcome?.$case !== 'granted') {
    throw new Error(`was not granted: ${String(outcome?.$case)}`);
  }
  return outcome.value;
}

/** Reads `default/a`, or what is given instead. */
export function get(client: LeaseServiceClient, fields: Partial<GetRequest> = {}): Promise<GetResponse> {
  return call(client, 'get', { namespace: 'default', name: 'a', cached: false, ...fields });
}

type HeartbeatFields = Partial<HeartbeatRequest>;

/** A heartbeat stream whose messages can be waited for. */
export class TestHeartbeat {
  readonly received: HeartbeatResponse[] = [];
  readonly #call: ReturnType<LeaseServiceClient['heartbeat']>;
  #sequence = 0n;
  #changed: () => void = () => undefined;
  /** The error or `undefined` that the stream ended with. */
  readonly ended: Promise<ServiceError | undefined>;

  constructor(client: LeaseServiceClient) {
    this.#call = client.heartbeat();
    this.#call.on('data', (message: HeartbeatResponse) => {
      this.received.push(message);
      this.#changed();
    });
    this.ended = new Promise((resolve) => {
      this.#call.on('error', (error) => {
        resolve(error as ServiceError);
      });
      this.#call.on('end', () => {
        resolve(undefined);
      });
    });
    onTestFinished(() => {
      this.#call.cancel();
    });
  }

  /** Sends a message with the next sequence number, and returns that. */
  send(fields: HeartbeatFields = {}): bigint {
    this.#sequence++;
    this.#call.write({ ...HeartbeatRequest.fromPartial({}), sequence: this.#sequence, ...fields });
    return this.#sequence;
  }

  end(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  /** Waits until `found` finds something in what was received. */
  async until<T>(found: (received: readonly HeartbeatResponse[]) => T | undefined): Promise<T> {
    for (;;) {
      const value = found(this.received);
      if (value !== undefined) {
        return value;
      }
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Waits for the acknowledgement of a message, and returns the message that brought it. */
  acknowledged(sequence: bigint): Promise<HeartbeatResponse> {
    return this.until((received) => received.find((message) => message.acknowledged >= sequence));
  }

  /** Waits for the error that ends the stream. */
  async failure(): Promise<ServiceError> {
    const error = await this.ended;
    if (error === undefined) {
      throw new Error('ended without an error');
    }
    return error;
  }

  /** Attaches a held lease and returns its handle. */
  async attach(lease: Lease): Promise<number> {
    const { namespace, name, holder, fencingToken } = lease;
    const sequence = this.send({ attach: [{ namespace, name, holder, fencingToken }] });
    const answer = await this.until((received) =>
      received.flatMap((message) => message.attached).find((one) => one.sequence === sequence),
    );
    if (answer.outcome?.$case !== 'handle') {
      throw new Error(`was not attached: ${answer.outcome?.value.message ?? ''}`);
    }
    return answer.outcome.value.handle;
  }
}

/** A watch whose messages can be waited for. */
export class TestWatch {
  readonly received: WatchResponse[] = [];
  readonly ended: Promise<ServiceError>;
  #changed: () => void = () => undefined;

  constructor(client: LeaseServiceClient, fields: Partial<WatchRequest> = {}) {
    const stream = client.watch({ ...WatchRequest.fromPartial({}), ...fields });
    stream.on('data', (message: WatchResponse) => {
      this.received.push(message);
      this.#changed();
    });
    this.ended = new Promise((resolve) => {
      stream.on('error', (error) => {
        resolve(error as ServiceError);
      });
    });
    onTestFinished(() => {
      stream.cancel();
    });
  }

  get events(): WatchResponse['events'][number][] {
    return this.received.flatMap((message) => message.events);
  }

  /** Waits until so many messages or events are there. */
  async until(enough: () => boolean): Promise<void> {
    while (!enough()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

/** Waits for a condition that nothing announces. */
export async function eventually(condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new Error(`did not come true within ${withinMs} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A message as gRPC sends it: no compression, its length, its bytes. */
export function frame(message: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** What gRPC answered to raw bytes: its status, and its messages. */
export interface RawAnswer {
  readonly status: string;
  readonly messages: readonly Buffer[];
}

/** Posts raw bytes to a method of the lease service, all at once. */
export async function post(address: string, method: string, body: Buffer): Promise<RawAnswer> {
  const session = connectHttp2(`http://${address}`);
  try {
    return await new Promise((resolve, reject) => {
      const request = session.request({
        ':method': 'POST',
        ':path': `/leasehold.v1.LeaseService/${method}`,
        'content-type': 'application/grpc',
        'grpc-encoding': 'gzip',
        te: 'trailers',
      });
      const pieces: Buffer[] = [];
      let status = '';
      const take = (headers: IncomingHttpHeaders): void => {
        const value = headers['grpc-status'];
        status = typeof value === 'string' ? value : status;
      };
      session.on('error', reject);
      request.on('error', reject);
      request.on('response', take);
      request.on('trailers', take);
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        resolve({ status, messages: splitFrames(Buffer.concat(pieces)) });
      });
      request.end(body);
    });
  } finally {
    session.destroy();
  }
}

function splitFrames(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at + 1);
    messages.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return messages;
}
