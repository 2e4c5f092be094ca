import { type Clock, systemClock } from './clock.js';
import { checkWatchdog, type WatchdogOptions } from './lease/watchdog.js';
import { holderName } from './names.js';
import { GrpcTransport } from './transport/grpc.js';
import type { TlsOptions, Token } from './transport/security.js';
import type { Transport } from './transport/transport.js';
import { checkPositiveMs } from './verbs.js';

/** Options of `createClient`. */
export interface ClientOptions {
  /**
   * Addresses of servers, `host:port` or `[ipv6]:port`, tried in turn: the next one whenever a connection fails. Default:
   * `['127.0.0.1:7400']`.
   */
  readonly endpoints?: readonly string[] | undefined;
  /** Encrypts connections: `true` where servers have certificates that Node trusts. Default: false. */
  readonly tls?: boolean | TlsOptions | undefined;
  /**
   * Sent as a bearer token with every call and every stream; a function is asked anew for each, and may take its time within that of
   * the call. Where it fails, the call does with an `UnavailableError`, reason `TOKEN_UNAVAILABLE`. Needs `tls`, unless every endpoint
   * is on this machine. Default: none.
   */
  readonly token?: Token | undefined;
  /** Namespace of calls that name none: a DNS label. Default: `default`. */
  readonly namespace?: string | undefined;
  /** Identity of this process as a holder: 1 to 512 bytes, unique. Default: host name, `_`, and a random UUID for each client. */
  readonly holder?: string | undefined;
  /** How long a call may take, repeats included, in milliseconds. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
  /** A thread that notices when the event loop is blocked past the end of a lease. It costs a thread. Default: none. */
  readonly watchdog?: WatchdogOptions | undefined;
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
  /** The thread that watches the event loop; `undefined`: none. */
  readonly watchdog: WatchdogOptions | undefined;
}

/**
 * Checks the options and puts the defaults in.
 *
 * @throws {InvalidError}
 */
export function settingsOf(options: ClientOptions): ClientSettings {
  const clock = options.clock ?? systemClock;
  const { endpoints = ['127.0.0.1:7400'], tls, token } = options;
  const { watchdog } = options;
  if (watchdog !== undefined) checkWatchdog(watchdog);
  return {
    namespace: options.namespace ?? 'default',
    holder: options.holder ?? holderName(),
    timeoutMs: checkPositiveMs('timeoutMs', options.timeoutMs ?? 5000),
    clock,
    transport: options.transport ?? new GrpcTransport({ endpoints, tls, token, clock }),
    watchdog,
  };
}
