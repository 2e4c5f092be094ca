import { Server, ServerCredentials, type ServerOptions as ChannelOptions, type ServiceDefinition } from '@grpc/grpc-js';
import type { LeaseError, Limits } from '@leasehold/core';
import { LeaseServiceService } from '@leasehold/proto/leasehold/v1/lease_service';
import { within } from '../clock.js';
import { AttachTurns } from './attach-turns.js';
import type { HandlerContext } from './context.js';
import type { Health } from './health.js';
import { encodeHeartbeatResponse } from './heartbeat-encoding.js';
import { HeartbeatStream, type HeartbeatCall, type HeartbeatContext } from './heartbeat-stream.js';
import { OpenStreams } from './open-streams.js';
import { addReflection } from './reflection.js';
import { toServiceError } from './status.js';
import { createUnaryHandlers } from './unary.js';
import { WatchStream, type WatchCall } from './watch-stream.js';

/** What a gRPC server is made of. */
export interface GrpcServerOptions extends HandlerContext {
  readonly health: Health;
  /** A host name or an IP address without brackets; port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** How connections are encrypted; `undefined`: not at all. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa: Buffer | undefined } | undefined;
  /** Largest message taken, in bytes. */
  readonly messageBytesMax: number;
  /** Calls and streams under way on one connection. */
  readonly streamsPerConnectionMax: number;
  /** How long a connection may be silent before it is pinged. */
  readonly keepaliveMs: number;
  /** How long the answer to a ping may take before the connection is cut. */
  readonly keepaliveTimeoutMs: number;
}

/** The gRPC front: the lease service, health and reflection on one port. */
export class GrpcServer {
  readonly #server: Server;
  readonly #context: GrpcServerOptions;
  readonly #heartbeatContext: HeartbeatContext;
  readonly #heartbeats: OpenStreams<HeartbeatStream>;
  readonly #watches = new OpenStreams<WatchStream>('open watches', Number.POSITIVE_INFINITY);

  constructor(options: GrpcServerOptions) {
    this.#context = options;
    this.#heartbeatContext = { ...options, attachTurns: new AttachTurns(attachesMax(options.limits)) };
    this.#heartbeats = new OpenStreams('open heartbeat streams', options.streamLimits.heartbeatStreamsMax);
    this.#server = new Server(channelOptions(options));
    this.#server.addService(service, {
      ...createUnaryHandlers(options),
      watch: this.#watch,
      heartbeat: this.#heartbeat,
    });
    options.health.addTo(this.#server);
    addReflection(this.#server);
  }

  /** Begins to serve. Resolves to the port. @throws the address cannot be bound. */
  listen(): Promise<number> {
    const { host, port } = this.#context.listen;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentialsOf(this.#context.tls), (error, bound) => {
        if (error === null) {
          resolve(bound);
        } else {
          reject(new Error(`Listen on ${address}: ${error.message}`, { cause: error }));
        }
      });
    });
  }

  /** How many heartbeat streams are open. */
  get heartbeatStreams(): number {
    return this.#heartbeats.size;
  }

  /** Tells all heartbeat streams that the server drains. */
  tellDraining(): void {
    this.#heartbeats.forEach((stream) => {
      stream.tellDraining();
    });
  }

  /** Ends all heartbeat streams in order. No beat is acknowledged after this. */
  finishHeartbeats(error: LeaseError): void {
    this.#heartbeats.forEach((stream) => {
      stream.finish(error);
    });
  }

  /** Ends all streams at once: what was promised from memory may not hold, so nothing more is said. */
  abortStreams(error: LeaseError): void {
    this.#heartbeats.forEach((stream) => {
      stream.abort(error);
    });
    this.#watches.forEach((stream) => {
      stream.abort(error);
    });
  }

  /** Refuses new connections, lets calls under way end for `graceMs`, then cuts what is left. */
  async shutdown(graceMs: number): Promise<void> {
    this.#context.health.endWatches();
    const ended = new Promise<'ended'>((resolve) => {
      this.#server.tryShutdown(() => {
        resolve('ended');
      });
    });
    if ((await within(this.#context.clock, graceMs, ended)) === undefined) {
      // Not waited for: a client that does not close its end holds a connection for up to a keepalive.
      this.#server.forceShutdown();
    }
  }

  readonly #heartbeat = (call: HeartbeatCall): void => {
    try {
      this.#heartbeats.check();
      this.#heartbeats.add(
        new HeartbeatStream(call, this.#heartbeatContext, (stream) => {
          this.#heartbeats.delete(stream);
        }),
      );
    } catch (error) {
      call.emit('error', toServiceError(error, this.#context.log));
    }
  };

  readonly #watch = (call: WatchCall): void => {
    try {
      const stream = new WatchStream(call, this.#context, (over) => {
        this.#watches.delete(over);
      });
      if (!stream.over) {
        this.#watches.add(stream);
      }
    } catch (error) {
      call.emit('error', toServiceError(error, this.#context.log));
    }
  };
}

/** Attaches under way: enough to fill commits, and no more than half of the commands that may be. */
function attachesMax({ commandsPendingMax }: Limits): number {
  return Math.min(4096, Math.ceil(commandsPendingMax / 2));
}

/** The lease service, except that watches write messages that are encoded already. */
const service: ServiceDefinition = {
  ...LeaseServiceService,
  heartbeat: { ...LeaseServiceService.heartbeat, responseSerialize: encodeHeartbeatResponse },
  watch: {
    ...LeaseServiceService.watch,
    responseSerialize: (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
  },
};

function credentialsOf(tls: GrpcServerOptions['tls']): ServerCredentials {
  if (tls === undefined) {
    return ServerCredentials.createInsecure();
  }
  const pair = { cert_chain: tls.cert, private_key: tls.key };
  return ServerCredentials.createSsl(tls.clientCa ?? null, [pair], tls.clientCa !== undefined);
}

function channelOptions(options: GrpcServerOptions): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': options.keepaliveMs,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs,
    'grpc.max_receive_message_length': options.messageBytesMax,
    'grpc.max_concurrent_streams': options.streamsPerConnectionMax,
    // Bookkeeping for a debugging service that is not offered.
    'grpc.enable_channelz': 0,
  };
}
