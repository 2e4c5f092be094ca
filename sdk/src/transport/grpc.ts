import {
  type CallCredentials,
  type ChannelInterface,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { LeaseServiceClient, RenewResponse, WatchResponse } from '@leasehold/proto/leasehold/v1/lease_service';
import { abortReason, type Clock } from '../clock.js';
import { ClientClosedError, type LeaseholdError, UnavailableError } from '../errors.js';
import type { Lease, Renewed, Validity } from '../types.js';
import { Connections, type Place, streamOptions } from './connections.js';
import { toBusy, toDuration, toEvent, toLease, toMs, toOptionalDuration, toOptionalMs, unexpected } from './convert.js';
import { checkEndpoints } from './endpoints.js';
import { openHeartbeat } from './grpc-heartbeat.js';
import type { TlsOptions, Token } from './security.js';
import { fromServiceError, fromStatus } from './status.js';
import { channelSecurity } from './tls.js';
import { bearer, checkToken } from './token.js';
import type * as plain from './transport.js';

/** Unary calls as the generated client has them. */
type Unary<Request, Response> = (
  client: LeaseServiceClient,
) => (
  request: Request,
  metadata: Metadata,
  options: { deadline: number } & Authorization,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

/** What a server needs to know of who calls: nothing, where no token was given. */
interface Authorization {
  readonly credentials?: CallCredentials;
}

/** Which servers to speak to, and how. */
export interface GrpcOptions {
  readonly endpoints: readonly string[];
  readonly tls: boolean | TlsOptions | undefined;
  readonly token: Token | undefined;
  readonly clock: Clock;
  /** What carries the calls to an endpoint. Default: the network. For testing. */
  readonly openChannel?: ((endpoint: string) => ChannelInterface) | undefined;
}

/** The transport over gRPC: heartbeats, waits and watches, and everything else have connections of their own. */
export class GrpcTransport implements plain.Transport {
  readonly #clock: Clock;
  readonly #calls: Connections;
  readonly #waits: Connections;
  readonly #heartbeats: Connections;
  readonly #token: Token | undefined;
  /** What cancels each thing under way. */
  readonly #underWay = new Set<() => void>();
  #closed = false;

  /** @throws {InvalidError} an option breaks a rule. */
  constructor({ endpoints, tls, token, clock, openChannel }: GrpcOptions) {
    const plan = { endpoints: checkEndpoints(endpoints), security: channelSecurity(tls), clock, openChannel };
    if (token !== undefined) checkToken(token, endpoints, tls !== undefined && tls !== false);
    this.#clock = clock;
    this.#token = token;
    this.#calls = new Connections(plan, {});
    this.#waits = new Connections(plan, streamOptions);
    this.#heartbeats = new Connections(plan, streamOptions);
  }

  get canMove(): boolean {
    return this.#heartbeats.hasOthers;
  }

  async ready(call: plain.Call): Promise<void> {
    (await this.#calls.place(call)).leave(false);
  }

  async acquire(request: plain.AcquireRequest, call: plain.Call): Promise<plain.AcquireAnswer> {
    const message = {
      ...named(request),
      ...metadata(request),
      holder: request.holder,
      acquireId: request.acquireId,
      duration: toDuration(request.durationMs),
      wait: toDuration(request.waitMs),
      priority: request.priority,
    };
    const connections = request.waitMs > 0 ? this.#waits : this.#calls;
    const { outcome } = await this.#unary((client) => client.acquire.bind(client), message, call, connections);
    switch (outcome?.$case) {
      case 'granted':
        return { kind: 'granted', lease: toLease(outcome.value) };
      case 'busy':
        return { kind: 'busy', busy: toBusy(outcome.value) };
      case undefined:
        throw unexpected('an outcome', 'none');
    }
  }

  async renew(request: plain.RenewRequest, call: plain.Call): Promise<Renewed> {
    return toRenewed(await this.#unary((client) => client.renew.bind(client), renewal(request), call));
  }

  async renewBatch(requests: readonly plain.RenewRequest[], call: plain.Call): Promise<readonly plain.RenewResult[]> {
    const message = { renewals: requests.map(renewal) };
    const { results } = await this.#unary((client) => client.renewBatch.bind(client), message, call);
    return results.map(({ outcome }): plain.RenewResult => {
      switch (outcome?.$case) {
        case 'renewed':
          return { renewed: toRenewed(outcome.value) };
        case 'refused':
          return { error: fromStatus(outcome.value) };
        case undefined:
          return { error: unexpected('an outcome', 'none') };
      }
    });
  }

  async release(request: plain.ReleaseRequest, call: plain.Call): Promise<plain.Released> {
    const message = { ...named(request), fencingToken: request.fencingToken, transferTo: request.transferTo };
    const answer = await this.#unary((client) => client.release.bind(client), message, call);
    return { lease: toLease(answer.lease), alreadyReleased: answer.alreadyReleased };
  }

  async revoke(request: plain.RevokeRequest, call: plain.Call): Promise<plain.Revoked> {
    const message = {
      ...named(request),
      fencingToken: request.fencingToken,
      transferTo: request.transferTo,
      grace: toDuration(request.graceMs),
      force: request.force,
    };
    const answer = await this.#unary((client) => client.revoke.bind(client), message, call);
    return { lease: toLease(answer.lease), remainingMs: toMs(answer.remaining) };
  }

  async validate(request: plain.TokenRequest, call: plain.Call): Promise<Validity> {
    const message = { ...named(request), fencingToken: request.fencingToken };
    const answer = await this.#unary((client) => client.validate.bind(client), message, call);
    return { valid: answer.valid, lease: toLease(answer.lease) };
  }

  async get(request: plain.GetRequest, call: plain.Call): Promise<Lease> {
    const message = { ...named(request), cached: request.cached };
    const answer = await this.#unary((client) => client.get.bind(client), message, call);
    return toLease(answer.lease);
  }

  async list(request: plain.ListRequest, call: plain.Call): Promise<plain.ListAnswer> {
    const answer = await this.#unary((client) => client.list.bind(client), request, call);
    return { leases: answer.leases.map(toLease), revision: answer.revision, nextPageToken: answer.nextPageToken };
  }

  async create(request: plain.CreateRequest, call: plain.Call): Promise<Lease> {
    const message = { ...named(request), ...metadata(request) };
    return toLease((await this.#unary((client) => client.create.bind(client), message, call)).lease);
  }

  async update(request: plain.UpdateRequest, call: plain.Call): Promise<Lease> {
    const message = {
      ...named(request),
      ...metadata(request),
      resourceVersion: request.resourceVersion,
      fencingToken: request.fencingToken,
      removeLabels: request.removeLabels,
      removeAnnotations: request.removeAnnotations,
    };
    return toLease((await this.#unary((client) => client.update.bind(client), message, call)).lease);
  }

  async delete(request: plain.DeleteRequest, call: plain.Call): Promise<plain.Deleted> {
    const answer = await this.#unary((client) => client.delete.bind(client), request, call);
    return { lease: toLease(answer.lease), reservedMs: toOptionalMs(answer.reserved) };
  }

  async *watch(request: plain.WatchRequest, signal: AbortSignal): AsyncIterable<plain.WatchMessage> {
    const place = await this.#place(this.#waits, { timeoutMs: Infinity, signal });
    let refusal: LeaseholdError | undefined;
    const authorization = this.#authorization((error) => {
      refusal = error;
    });
    const stream = place.client.watch(request, new Metadata(), authorization);
    let over = false;
    const cancel = (): void => {
      stream.cancel();
    };
    // The iteration listens for errors only while it runs; the one of a cancelled call comes after it.
    stream.on('error', ignore);
    this.#underWay.add(cancel);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for await (const message of stream) {
        const { events, revision } = message as WatchResponse;
        yield { events: events.map(toEvent), revision };
      }
      over = true;
      throw new UnavailableError({
        code: 'UNAVAILABLE',
        reason: 'STREAM_ENDED',
        message: 'The server ended the watch',
        retryable: true,
      });
    } catch (error) {
      over ||= isServiceError(error) && !isCancelled(error);
      throw refusal ?? this.#failure(error, place, signal);
    } finally {
      place.leave(!over);
      this.#underWay.delete(cancel);
      signal.removeEventListener('abort', cancel);
      // Leaving the iteration early has destroyed the stream; the call goes on until it is cancelled.
      stream.cancel();
    }
  }

  heartbeat(sink: plain.HeartbeatSink): plain.HeartbeatStream {
    const client = this.#heartbeats.single();
    /** Whoever leaves a stream, or is left by it, has a reason to look elsewhere next. */
    const leave = (): void => {
      if (this.#underWay.delete(close)) this.#heartbeats.skip();
    };
    let refusal: LeaseholdError | undefined;
    const authorization = this.#authorization((error) => {
      refusal = error;
    });
    const stream = openHeartbeat(client, authorization, {
      onAnswer: (answer) => {
        sink.onAnswer(answer);
      },
      onEnd: (error) => {
        leave();
        sink.onEnd(refusal ?? error);
      },
    });
    const close = (): void => {
      leave();
      stream.close();
    };
    this.#underWay.add(close);
    return {
      send: (message) => {
        stream.send(message);
      },
      close,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const cancel of [...this.#underWay]) cancel();
    for (const connections of [this.#calls, this.#waits, this.#heartbeats]) connections.close();
  }

  async #unary<Request, Response>(
    pick: Unary<Request, Response>,
    request: Request,
    call: plain.Call,
    connections: Connections = this.#calls,
  ): Promise<Response> {
    const untilMs = this.#clock.monotonicMs() + call.timeoutMs;
    const place = await this.#place(connections, call);
    // gRPC goes by the wall clock, which may have jumped while a connection was waited for.
    const deadline = this.#clock.wallMs() + untilMs - this.#clock.monotonicMs();
    let refusal: LeaseholdError | undefined;
    const authorization = this.#authorization((error) => {
      refusal = error;
    });
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        pending.cancel();
      };
      const pending = pick(place.client)(request, new Metadata(), { deadline, ...authorization }, (error, response) => {
        this.#underWay.delete(cancel);
        call.signal?.removeEventListener('abort', cancel);
        place.leave(isCancelled(error));
        if (error === null) resolve(response);
        else reject(refusal ?? this.#failure(error, place, call.signal));
      });
      this.#underWay.add(cancel);
      call.signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  async #place(connections: Connections, call: plain.Call): Promise<Place> {
    const place = await connections.place(call);
    try {
      this.#goOn(call.signal);
      return place;
    } catch (error) {
      place.leave(false);
      throw error;
    }
  }

  #authorization(onFailure: (error: LeaseholdError) => void): Authorization {
    return this.#token === undefined ? {} : { credentials: bearer(this.#token, onFailure) };
  }

  /** Nobody hears an abort that came before the call was made. */
  #goOn(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw abortReason(signal);
    if (this.#closed) throw new ClientClosedError();
  }

  #failure(error: unknown, place: Place, signal: AbortSignal | undefined): Error {
    if (signal?.aborted === true) return abortReason(signal);
    if (this.#closed) return new ClientClosedError();
    const typed = isServiceError(error) ? fromServiceError(error) : error;
    if (typed instanceof UnavailableError) place.moveOn();
    return typed instanceof Error ? typed : new Error('Call failed', { cause: error });
  }
}

function ignore(): void {
  // Somebody else has dealt with it.
}

/** Whether a call may have been ended at this end, which the server is told. */
function isCancelled(error: ServiceError | null): boolean {
  return error?.code === status.CANCELLED || error?.code === status.DEADLINE_EXCEEDED;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'metadata' in error;
}

function named({ namespace, name }: plain.LeaseName): plain.LeaseName {
  return { namespace, name };
}

function metadata(parts: plain.Metadata): {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  lockDelay: ReturnType<typeof toOptionalDuration>;
  keepAfterExpiry: ReturnType<typeof toOptionalDuration>;
} {
  return {
    labels: { ...parts.labels },
    annotations: { ...parts.annotations },
    lockDelay: toOptionalDuration(parts.lockDelayMs),
    keepAfterExpiry: toOptionalDuration(parts.keepAfterExpiryMs),
  };
}

function renewal({ namespace, name, holder, fencingToken }: plain.RenewRequest): plain.RenewRequest {
  return { namespace, name, holder, fencingToken };
}

function toRenewed(answer: RenewResponse): Renewed {
  return { remainingMs: toMs(answer.remaining), durationMs: toMs(answer.duration), resourceVersion: answer.resourceVersion };
}
