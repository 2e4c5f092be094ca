import grpc, { type Client, type ServiceDefinition, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '@leasehold/core';
import { etcdService, type Methods, type WatchRequest, type WatchResponse } from './rpc.js';

/** How etcd is reached. */
export interface EtcdClientOptions {
  /** `http://HOST:PORT` or `https://HOST:PORT`, all of one scheme; one is asked at a time, and the next one after it has failed. */
  readonly endpoints: readonly string[];
  /** Only with `https`. */
  readonly tls?: EtcdTls;
  readonly credentials?: EtcdCredentials | undefined;
  readonly clock: Clock;
  /** How long one call may take, in milliseconds. Default 2,000. */
  readonly timeoutMs?: number;
}

/** What the server trusts, and shows, as PEM. */
export interface EtcdTls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

export interface EtcdCredentials {
  readonly name: string;
  readonly password: string;
}

/** What came back of a call that failed. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  /** Whether etcd has refused it: it has not been done, and trying again would be refused again. */
  readonly isRefusal: boolean;
  /** Whether etcd has no room, or none for so much at once. What was asked for may have been done. */
  readonly isFull: boolean;

  constructor(method: string, cause: ServiceError) {
    super(`etcd ${method}: ${cause.details || cause.message}`, { cause });
    this.isFull = tooMuch.test(cause.details);
    this.isRefusal = refusals.has(cause.code) && !cause.details.includes('too many requests');
  }
}

/** What the store asks of etcd. */
export interface Etcd {
  /** Calls once. `timeoutMs`: for this call. @throws {EtcdError} */
  call<M extends keyof Methods>(method: M, request: Methods[M][0], timeoutMs?: number): Promise<Methods[M][1]>;

  /**
   * Calls what does no harm twice, until it has come back or `untilMs` is over on the monotonic clock. `timeoutMs`: for each call.
   *
   * @throws {EtcdError}
   */
  insist<M extends keyof Methods>(method: M, request: Methods[M][0], untilMs: number, timeoutMs?: number): Promise<Methods[M][1]>;

  /** Watches, at the next endpoint each time. `onEnd`: once, unless it is called off. Returns what calls it off. */
  watch(request: WatchRequest, onResponse: (response: WatchResponse) => void, onEnd: (error: EtcdError) => void): () => void;

  close(): void;
}

/** Calls etcd. Every call goes to one endpoint; who may repeat a call decides for himself. */
export class EtcdClient implements Etcd {
  readonly #options: EtcdClientOptions;
  readonly #clients: readonly Client[];
  #at = 0;
  #watchAt = 0;
  #token: Promise<string> | undefined;
  #isClosed = false;

  constructor(options: EtcdClientOptions) {
    this.#options = options;
    this.#clients = options.endpoints.map((endpoint) => connect(endpoint, options));
  }

  async call<M extends keyof Methods>(
    method: M,
    request: Methods[M][0],
    timeoutMs: number = this.#options.timeoutMs ?? 2000,
  ): Promise<Methods[M][1]> {
    const metadata = await this.#metadata();
    try {
      return await this.#send(method, request, { metadata, timeoutMs });
    } catch (error) {
      if (!(error instanceof EtcdError) || !isOldToken.test(error.message) || this.#token === undefined) {
        throw error;
      }
      // Tokens are forgotten after some minutes, with a restart, and some of them when any user or role is changed.
      this.#token = undefined;
      metadata.set('token', await this.#authenticate(this.#options.credentials ?? { name: '', password: '' }));
      return this.#send(method, request, { metadata, timeoutMs });
    }
  }

  async insist<M extends keyof Methods>(
    method: M,
    request: Methods[M][0],
    untilMs: number,
    timeoutMs?: number,
  ): Promise<Methods[M][1]> {
    const { clock } = this.#options;
    for (;;) {
      try {
        return await this.call(method, request, timeoutMs);
      } catch (error) {
        if ((error instanceof EtcdError && error.isRefusal) || clock.monotonicMs() + pauseMs >= untilMs) {
          throw error;
        }
      }
      await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
    }
  }

  watch(request: WatchRequest, onResponse: (response: WatchResponse) => void, onEnd: (error: EtcdError) => void): () => void {
    let isOver = false;
    let cancel = (): void => undefined;
    const end = (error: EtcdError): void => {
      if (isOver) return;
      isOver = true;
      onEnd(error);
    };
    const open = (metadata: grpc.Metadata): void => {
      if (isOver) return;
      const { path, requestSerialize, responseDeserialize } = methodOf('Watch');
      const client = this.#client(this.#watchAt++);
      const call = client.makeBidiStreamRequest<WatchRequest, WatchResponse>(
        path,
        requestSerialize,
        responseDeserialize,
        metadata,
        {},
      );
      cancel = (): void => call.cancel();
      call.on('data', (response: WatchResponse) => {
        if (!isOver) onResponse(response);
      });
      call.on('error', (error: ServiceError) => {
        if (isOldToken.test(error.details)) this.#token = undefined;
        end(new EtcdError('Watch', error));
      });
      call.on('end', () => end(unreached('Watch', 'it was ended')));
      call.write(request);
    };
    this.#metadata().then(open, (error: unknown) => end(error instanceof EtcdError ? error : unreached('Watch', String(error))));
    return () => {
      isOver = true;
      cancel();
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#clients.forEach((client) => client.close());
  }

  #client(turn: number): Client {
    const client = this.#clients[turn % this.#clients.length];
    if (client === undefined) throw new Error('etcd: there is nobody to ask');
    return client;
  }

  async #metadata(): Promise<grpc.Metadata> {
    const metadata = new grpc.Metadata();
    if (this.#options.credentials !== undefined) {
      metadata.set('token', await this.#authenticate(this.#options.credentials));
    }
    return metadata;
  }

  #authenticate(credentials: Methods['Authenticate'][0]): Promise<string> {
    this.#token ??= this.#send('Authenticate', credentials, {
      metadata: new grpc.Metadata(),
      timeoutMs: this.#options.timeoutMs ?? 2000,
    }).then(
      ({ token }) => token,
      (error: unknown) => {
        this.#token = undefined;
        throw error;
      },
    );
    return this.#token;
  }

  #send<M extends keyof Methods>(
    method: M,
    request: Methods[M][0],
    { metadata, timeoutMs }: { readonly metadata: grpc.Metadata; readonly timeoutMs: number },
  ): Promise<Methods[M][1]> {
    // A call that goes on by itself, a renewal or a compaction, may come to this after the close.
    if (this.#isClosed) return Promise.reject(unreached(method, 'the client is closed'));
    const { path, requestSerialize, responseDeserialize } = methodOf(method);
    const client = this.#client(this.#at);
    return new Promise((resolve, reject) => {
      const answered = (error: ServiceError | null, answer?: Methods[M][1]): void => {
        if (error === null && answer !== undefined) {
          resolve(answer);
          return;
        }
        if (error !== null && !refusals.has(error.code)) this.#at += 1;
        reject(error === null ? unreached(method, 'no answer') : new EtcdError(method, error));
      };
      const call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, {}, answered);
      const { clock } = this.#options;
      // In a process that was held up the answer may have come, and not been read.
      const cancel = clock.after(timeoutMs, () => clock.soon(() => call.cancel()));
      call.on('status', cancel);
    });
  }
}

function methodOf(method: keyof Methods | 'Watch'): ServiceDefinition[string] {
  const definition = etcdService[method];
  if (definition === undefined) throw new Error(`etcd has no method ${method}`);
  return definition;
}

/** Of what gRPC has no status for: nobody was reached, or the answer has ended without one. */
function unreached(method: string, details: string): EtcdError {
  const cause = { code: grpc.status.UNAVAILABLE, details, metadata: new grpc.Metadata() };
  return new EtcdError(method, Object.assign(new Error(details), cause));
}

/** How etcd, or gRPC before it, refuses what is too much: for its quota, or for one request (--max-request-bytes). */
const tooMuch = /space exceeded|request is too large|received message larger than max/;

/** How etcd refuses a token that it has forgotten, or that is older than the users and roles there are. */
const isOldToken = /invalid auth token|auth store is old/;

/** Between two attempts. */
const pauseMs = 100;

/** Codes with which etcd says no; all others may mean that nobody knows. */
const refusals: ReadonlySet<number> = new Set([
  grpc.status.INVALID_ARGUMENT,
  grpc.status.NOT_FOUND,
  grpc.status.PERMISSION_DENIED,
  grpc.status.UNAUTHENTICATED,
  grpc.status.FAILED_PRECONDITION,
  grpc.status.OUT_OF_RANGE,
  grpc.status.UNIMPLEMENTED,
  grpc.status.RESOURCE_EXHAUSTED,
]);

/** Of what etcd sends before it is read: a page of leases, or a second of the watch. */
const windowBytes = 8 * 2 ** 20;

function connect(endpoint: string, { tls, timeoutMs = 0 }: EtcdClientOptions): Client {
  const { protocol, host } = new URL(endpoint);
  const credentials =
    protocol === 'https:'
      ? grpc.credentials.createSsl(tls?.ca ?? null, tls?.key ?? null, tls?.cert ?? null)
      : grpc.credentials.createInsecure();
  return new grpc.Client(host, credentials, {
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1000,
    'grpc.keepalive_time_ms': 2000,
    // As long as a call may take: a process that is held up reads no answer to a ping either.
    'grpc.keepalive_timeout_ms': Math.max(2000, timeoutMs),
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    // With 64 KiB, a page of leases takes a hundred turns of an event loop that is busy with something else.
    'grpc-node.flow_control_window': windowBytes,
  });
}
