import { type ChannelInterface, type ChannelOptions, connectivityState, Metadata } from '@grpc/grpc-js';
import { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';
import { abortReason, type Clock } from '../clock.js';
import { ClientClosedError, timedOut } from '../errors.js';
import { PooledConnection } from './pooled-connection.js';
import type { ChannelSecurity } from './tls.js';
import type { Call } from './transport.js';

/** Where connections go, and how. */
export interface ConnectionPlan {
  readonly endpoints: readonly string[];
  readonly security: ChannelSecurity;
  readonly clock: Clock;
  /** Makes a channel to an endpoint. Default: one of grpc-js, over the network. */
  readonly openChannel?: ((endpoint: string) => ChannelInterface) | undefined;
}

/** Room for one stream on a connection that stands. */
export interface Place {
  readonly client: LeaseServiceClient;
  /** The connection has failed: others are tried first, if there are any. */
  moveOn(): void;
  /** The stream is over. `cancelled`: it was ended at this end, before the server had ended it. Call it once. */
  leave(cancelled: boolean): void;
}

/**
 * Connections for one kind of traffic, to one of several endpoints at a time; to the next one in turn once that fails.
 *
 * Each kind has connections of its own, and more than one where a thousand streams are open, so that cancelling them all does not cut
 * off others.
 */
export class Connections {
  readonly #plan: ConnectionPlan;
  readonly #options: ChannelOptions;
  readonly #pools = new Map<string, PooledConnection[]>();
  #turn = 0;
  #closed = false;

  constructor(plan: ConnectionPlan, options: ChannelOptions) {
    this.#plan = plan;
    this.#options = { ...channelOptions, ...plan.security.options, ...options };
  }

  /** Whether there is another endpoint to go to. */
  get hasOthers(): boolean {
    return this.#plan.endpoints.length > 1;
  }

  /** A place on a connection that stands. Tries the endpoints in turn until one does, or the call's time is up. */
  async place(call: Call): Promise<Place> {
    const { clock } = this.#plan;
    const until = clock.monotonicMs() + call.timeoutMs;
    let failure: Error | undefined;
    for (;;) {
      if (call.signal?.aborted === true) throw abortReason(call.signal);
      if (this.#closed) throw new ClientClosedError();
      const connection = this.#current();
      const state = connection.client.getChannel().getConnectivityState(true);
      if (state === connectivityState.READY) return this.#enter(connection);
      if (state === connectivityState.TRANSIENT_FAILURE) {
        if (failure === undefined) {
          void this.#failureOf(connection).then((error) => {
            failure = error;
          });
        }
        this.#moveOn(connection);
      }
      const leftMs = until - clock.monotonicMs();
      if (leftMs <= 0) throw this.#unreachable(call.timeoutMs, failure);
      await this.#stateChange(connection, state, Math.min(leftMs, this.#patienceMs(state)), call.signal);
    }
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
    for (const { client } of [...this.#pools.values()].flat()) client.close();
    this.#pools.clear();
  }

  #endpoint(): string {
    return this.#plan.endpoints[this.#turn % this.#plan.endpoints.length] ?? '';
  }

  #moveOn({ endpoint }: PooledConnection): void {
    if (this.#endpoint() === endpoint) this.#turn += 1;
  }

  #current(): PooledConnection {
    const endpoint = this.#endpoint();
    const pool = this.#pools.get(endpoint) ?? [];
    this.#pools.set(endpoint, pool);
    const roomy = pool.find(({ hasRoom }) => hasRoom);
    if (roomy !== undefined) return roomy;
    const connection = new PooledConnection(endpoint, this.#open(endpoint), this.#plan.clock);
    pool.push(connection);
    return connection;
  }

  #enter(connection: PooledConnection): Place {
    connection.enter();
    return {
      client: connection.client,
      moveOn: () => {
        this.#moveOn(connection);
      },
      leave: (cancelled) => {
        connection.leave(cancelled);
        this.#tidy(connection);
      },
    };
  }

  /** The first connection to an endpoint stays; those that were opened for want of room go with their last stream. */
  #tidy(connection: PooledConnection): void {
    const pool = this.#pools.get(connection.endpoint) ?? [];
    const at = pool.indexOf(connection);
    if (at <= 0 || !connection.isIdle) return;
    pool.splice(at, 1);
    connection.client.close();
  }

  #open(endpoint: string): LeaseServiceClient {
    const { security, openChannel } = this.#plan;
    const channel = openChannel === undefined ? {} : { channelOverride: openChannel(endpoint) };
    // With its scheme said, no host name is taken for one.
    return new LeaseServiceClient(`dns:${endpoint}`, security.credentials, { ...this.#options, ...channel });
  }

  /** How long to stay with a connection that does not stand yet. A refused one with others to try is left soon. */
  #patienceMs(state: connectivityState): number {
    if (!this.hasOthers) return 1000;
    return state === connectivityState.TRANSIENT_FAILURE ? 50 : 500;
  }

  async #stateChange(
    connection: PooledConnection,
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
      connection.client.getChannel().watchConnectivityState(from, this.#plan.clock.wallMs() + withinMs, settle);
    });
    // A connection that takes too long to come about is as good as refused.
    if (!changed && from === connectivityState.CONNECTING) this.#moveOn(connection);
  }

  /** Why a connection does not come about: only a call that cannot leave is told. */
  #failureOf({ client }: PooledConnection): Promise<Error | undefined> {
    return new Promise((resolve) => {
      const options = { deadline: this.#plan.clock.wallMs() + 1000 };
      client.get({ namespace: '', name: '', cached: false }, new Metadata(), options, (error) => {
        // What grpc-js puts around the one thing that helps.
        const text = error?.details.replace(/^No connection established\. Last error: |\. Resolution note: $/g, '');
        resolve(text === undefined ? undefined : new Error(text, { cause: error }));
      });
    });
  }

  #unreachable(timeoutMs: number, failure: Error | undefined): Error {
    const why = failure === undefined ? '' : ` (${failure.message})`;
    return timedOut(`Connect to ${this.#plan.endpoints.join(', ')}${why}`, timeoutMs, failure);
  }
}

/**
 * Keepalive notices a half-open connection within 4 s, where TCP would take minutes, and bears with an event loop that is held up for
 * less than 2 s. Reconnecting starts at 50 ms, and names are looked
 * up again for it: a lease of a few seconds has no time for more.
 */
const channelOptions: ChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.keepalive_time_ms': 2000,
  'grpc.keepalive_timeout_ms': 2000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.dns_min_time_between_resolutions_ms': 1000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
};

/** Without it, a stream's writes go into a buffer without backpressure until the call is committed. */
export const streamOptions: ChannelOptions = { 'grpc.per_rpc_retry_buffer_size': 0 };
