import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Clock, systemClock } from './clock.js';
import { invalidOption } from './errors.js';
import { GrpcTransport } from './transport/grpc.js';
import type { Transport } from './transport/transport.js';
import { checkPositiveMs } from './verbs.js';

/** Options of `createClient`. */
export interface ClientOptions {
  /**
   * Addresses of servers, `host:port`, tried in turn: the next one whenever a connection fails. Default: `['127.0.0.1:7400']`.
   * Connections are not encrypted.
   */
  readonly endpoints?: readonly string[] | undefined;
  /** Namespace of calls that name none: a DNS label. Default: `default`. */
  readonly namespace?: string | undefined;
  /** Identity of this process as a holder: 1 to 512 bytes, unique. Default: host name, `_`, and a random UUID for each client. */
  readonly holder?: string | undefined;
  /** How long a call may take, repeats included, in milliseconds. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Speaks to something else than gRPC servers; `endpoints` is then not used. For testing. */
  readonly transport?: Transport | undefined;
  /** Runs on other clocks than the machine's. For testing. */
  readonly clock?: Clock | undefined;
}

/** The same with every default put in. */
export interface ClientSettings {
  readonly namespace: string;
  readonly holder: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly transport: Transport;
}

/**
 * Checks the options and puts the defaults in.
 *
 * @throws {InvalidError}
 */
export function settingsOf(options: ClientOptions): ClientSettings {
  const clock = options.clock ?? systemClock;
  const endpoints = options.endpoints ?? ['127.0.0.1:7400'];
  if (endpoints.length === 0) throw invalidOption('endpoints', 'must name at least one server', '[]');
  const empty = endpoints.find((endpoint) => endpoint.trim() === '');
  if (empty !== undefined) throw invalidOption('endpoints', 'must be host:port', JSON.stringify(empty));
  return {
    namespace: options.namespace ?? 'default',
    holder: options.holder ?? `${hostname()}_${randomUUID()}`,
    timeoutMs: checkPositiveMs('timeoutMs', options.timeoutMs ?? 5000),
    clock,
    transport: options.transport ?? new GrpcTransport(endpoints, clock),
  };
}
