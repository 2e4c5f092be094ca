import { type ChannelOptions, connectivityState, credentials } from '@grpc/grpc-js';
import { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';
import { abortReason, type Clock } from '../clock.js';
import { ClientClosedError, timedOut } from '../errors.js';
import type { Call } from './transport.js';

/**
 * Connections for one kind of traffic: one at a time, to one of several endpoints; the next one in turn once it fails.
 *
 * Each kind has connections of its own, so that cancelling a thousand waits, which closes an HTTP/2 session, does not cut off others.
 */
export class Connections {
  readonly #endpoints: readonly string[];
  readonly #options: ChannelOptions;
  readonly #clock: Clock;
  readonly #clients = new Map<string, LeaseServiceClient>();
  #turn = 0;
  #closed = false;

  constructor(endpoints: readonly string[], options: ChannelOptions, clock: Clock) {
    this.#endpoints = endpoints;
    this.#options = { ...channelOptions, ...options };
    this.#clock = clock;
  }

  /** Whether there is another endpoint to go to. */
  get hasOthers(): boolean {
    return this.#endpoints.length > 1;
  }

  /** A client whose connection stands. Tries the endpoints in turn until one does, or the call's time is up. */
  async client(call: Call): Promise<LeaseServiceClient> {
    const until = this.#clock.monotonicMs() + call.timeoutMs;
    for (;;) {
      if (call.signal?.aborted === true) throw abortReason(call.signal);
      if (this.#closed) throw new ClientClosedError();
      const client = this.#current();
      const state = client.getChannel().getConnectivityState(true);
      if (state === connectivityState.READY) return client;
      if (state === connectivityState.TRANSIENT_FAILURE) this.moveOn(client);
      const leftMs = until - this.#clock.monotonicMs();
      if (leftMs <= 0) throw timedOut(`Connect to ${this.#endpoints.join(', ')}`, call.timeoutMs);
      await this.#stateChange(client, state, Math.min(leftMs, this.#patienceMs(state)), call.signal);
    }
  }

  /** The connection of this client failed: others are tried first, if there are any. */
  moveOn(client: LeaseServiceClient): void {
    if (this.#clients.get(this.#endpoint()) === client) this.#turn += 1;
  }

  /** A client of its own for one stream, to the endpoint whose turn it is. The caller closes it. */
  single(): LeaseServiceClient {
    if (this.#closed) throw new ClientClosedError();
    return this.#open(this.#endpoint());
  }

  /** The next `single` goes to the next endpoint. */
  skip(): void {
    this.#turn += 1;
  }

  /** Closes what stands. Calls under way go on until they are cancelled. */
  close(): void {
    this.#closed = true;
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #endpoint(): string {
    return this.#endpoints[this.#turn % this.#endpoints.length] ?? '';
  }

  #current(): LeaseServiceClient {
    const endpoint = this.#endpoint();
    const client = this.#clients.get(endpoint) ?? this.#open(endpoint);
    this.#clients.set(endpoint, client);
    return client;
  }

  #open(endpoint: string): LeaseServiceClient {
    return new LeaseServiceClient(endpoint, credentials.createInsecure(), this.#options);
  }

  /** How long to stay with a connection that does not stand yet. A refused one with others to try is left soon. */
  #patienceMs(state: connectivityState): number {
    if (!this.hasOthers) return 1000;
    return state === connectivityState.TRANSIENT_FAILURE ? 50 : 500;
  }

  async #stateChange(
    client: LeaseServiceClient,
    from: connectivityState,
    withinMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const changed = await new Promise<boolean>((resolve) => {
      const settle = (error?: Error): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve(error === undefined);
      };
      const onAbort = (): void => {
        settle();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      client.getChannel().watchConnectivityState(from, this.#clock.wallMs() + withinMs, settle);
    });
    // A connection that takes too long to come about is as good as refused.
    if (!changed && from === connectivityState.CONNECTING) this.moveOn(client);
  }
}

/**
 * Keepalive notices a half-open connection within 3 s, where TCP would take minutes. Reconnecting starts at 50 ms: a lease of a few
 * seconds has no time for more.
 */
const channelOptions: ChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.keepalive_time_ms': 2000,
  'grpc.keepalive_timeout_ms': 1000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
};

/** Without it, a stream's writes go into a buffer without backpressure until the call is committed. */
export const streamOptions: ChannelOptions = { 'grpc.per_rpc_retry_buffer_size': 0 };
