import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import {
  startCoordinator,
  type Clock,
  type CoordinatorOptions,
  type LeaseCoordinator,
  type Limits,
  type Store,
  defaultLimits,
} from '@leasehold/core';
import { systemClock } from './clock.js';
import { drain } from './drain.js';
import { Engine, type EngineOptions } from './engine.js';
import { GrpcServer } from './grpc/server.js';
import { createHealth } from './grpc/health.js';
import { IdentityLease, type IdentityOptions } from './identity-lease.js';
import { allowAll } from './kubernetes/access/authorizer.js';
import { KubernetesApi } from './kubernetes/api.js';
import { HttpServer } from './kubernetes/http/server.js';
import { LeaseService } from './kubernetes/lease-service.js';
import { randomSuffix } from './kubernetes/name-suffix.js';
import { createRoutes } from './kubernetes/routes.js';
import { silentLog, type Log } from './log.js';
import type { ServerOptions } from './options/table.js';
import { openStore } from './store/open-store.js';
import { isEveryAddress, isLoopback, readTls, type TlsFiles } from './tls.js';

/** The parts of a server that a caller may bring along. */
export interface ServerParts {
  /** Default: logs nothing. */
  readonly log?: Log;
  /** Default: the machine's time. */
  readonly clock?: Clock;
  /** Opens the store: at the start, and again after a failure. Default: what `options.store` names. */
  readonly openStore?: () => Promise<Store>;
  /** Default: the coordinator of `@leasehold/core`. */
  readonly startCoordinator?: (options: CoordinatorOptions) => Promise<LeaseCoordinator>;
  /** Called when the store has failed and could not be opened again within a minute. The server serves nothing any more. */
  readonly onGivenUp?: (error: unknown) => void;
}

/** A server that serves. */
export interface RunningServer {
  /** Where it listens. */
  readonly port: number;
  /** `host:port`, as a client dials it. */
  readonly address: string;
  /** Where the Kubernetes API is served; `undefined`: nowhere. */
  readonly http: { readonly port: number; readonly address: string } | undefined;
  /**
   * Shuts down in order. Repeating it waits for the same end.
   *
   * @throws the store failed or took longer than `drainTimeout`; connections and port are closed all the same.
   */
  drain(): Promise<void>;
}

/**
 * The composition root: opens the store, starts the coordinator on it, and serves gRPC and the Kubernetes API.
 *
 * @throws {OptionError} a file that the options name is not what it should be.
 * @throws the store cannot be opened, or the address cannot be bound.
 */
export async function startServer(options: ServerOptions, parts: ServerParts = {}): Promise<RunningServer> {
  const { log = silentLog(), clock = systemClock } = parts;
  const limits = limitsOf(options);
  const { tls, httpTls } = await readCertificates(options);
  const health = createHealth();
  const engine = new Engine({
    ...storeOf(options, parts, { clock, log }),
    startCoordinator: parts.startCoordinator ?? startCoordinator,
    coordinator: { clock, limits, checkpointIntervalMs: options.renewalCheckpoint, newUid: randomUUID },
    clock,
    log,
    onUnavailable(error) {
      health.setServing(false);
      grpc.abortStreams(error);
      http?.abortStreams();
    },
    onAvailable() {
      health.setServing(true);
    },
    onGivenUp(error) {
      parts.onGivenUp?.(error);
    },
  });
  const grpc = new GrpcServer({
    ...{ engine, clock, log, limits, health, tls, listen: options.listen },
    streamLimits: { heartbeatStreamsMax: options.maxHeartbeatStreams, handlesMax: options.maxHandlesPerStream },
    messageBytesMax: options.maxMessageBytes,
    streamsPerConnectionMax: options.maxStreamsPerConnection,
    keepaliveMs: options.keepalive,
    keepaliveTimeoutMs: options.keepaliveTimeout,
  });
  const http = createHttp(options, httpTls, { engine, clock, log });
  await engine.start();
  const { port, httpPort } = await listen(grpc, http, engine);
  health.setServing(true);
  if (tls === undefined && !isLoopback(options.listen.host)) {
    log.warn({ listen: options.listen }, 'Connections are not encrypted, and come from other machines: see --tls-cert');
  }
  const identity = options.identityLease ? new IdentityLease({ engine, clock, log, ...identityOf(options, port) }) : undefined;
  identity?.start();
  const drainParts = { engine, grpc, http, health, identity, clock, timeoutMs: options.drainTimeout };
  let drained: Promise<void> | undefined;
  return {
    port,
    address: addressOf(options.listen.host, port),
    http:
      options.httpListen === undefined ? undefined : { port: httpPort, address: addressOf(options.httpListen.host, httpPort) },
    drain: () => (drained ??= drain(drainParts)),
  };
}

/** How the store is opened, and for how long that is tried again. */
function storeOf(
  options: ServerOptions,
  { openStore: open }: ServerParts,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Pick<EngineOptions, 'openStore' | 'reopenMs'> {
  return {
    openStore: open ?? (() => openStore(options, { clock, log })),
    // What other machines serve may come back at any time.
    ...(options.store.kind === 'etcd' ? { reopenMs: Infinity } : {}),
  };
}

/** What both fronts show of the server. */
async function readCertificates(options: ServerOptions): Promise<Record<'tls' | 'httpTls', TlsFiles | undefined>> {
  const { tlsCert, tlsKey, tlsClientCa, httpTlsCert, httpTlsKey, httpTlsClientCa } = options;
  return {
    tls: await readTls('tls', { cert: tlsCert, key: tlsKey, clientCa: tlsClientCa }),
    httpTls: await readTls('http-tls', { cert: httpTlsCert, key: httpTlsKey, clientCa: httpTlsClientCa }),
  };
}

/** The front of the Kubernetes API; `undefined`: it is not served. */
function createHttp(
  { httpListen, kubernetesStrict, maxHttpConnections, maxStreamsPerConnection }: ServerOptions,
  tls: TlsFiles | undefined,
  { engine, clock, log }: { readonly engine: Engine; readonly clock: Clock; readonly log: Log },
): HttpServer | undefined {
  if (httpListen === undefined) {
    return undefined;
  }
  if (tls === undefined && !isLoopback(httpListen.host)) {
    log.warn({ listen: httpListen }, 'The Kubernetes API is not encrypted, and reached from other machines: see --http-tls-cert');
  }
  const leases = new LeaseService({ engine, clock, strict: kubernetesStrict, newSuffix: randomSuffix });
  const routes = createRoutes({ leases, engine, authorizer: allowAll, clock });
  return new HttpServer({
    ...{ api: new KubernetesApi(routes, allowAll), clock, log, tls, listen: httpListen },
    connectionsMax: maxHttpConnections,
    streamsPerConnectionMax: maxStreamsPerConnection,
  });
}

/** Begins to serve on both ports, or on none. */
async function listen(
  grpc: GrpcServer,
  http: HttpServer | undefined,
  engine: Engine,
): Promise<{ port: number; httpPort: number }> {
  try {
    const port = await grpc.listen();
    return { port, httpPort: (await http?.listen()) ?? 0 };
  } catch (error) {
    await Promise.all([engine.drain(), grpc.shutdown(0), http?.shutdown(0)]);
    throw error;
  }
}

function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Who this server is, and for how long its lease is good. The address as it was asked for stays the same over restarts, which the port
 * that stands for port 0 does not; nobody else on this host can have it.
 */
function identityOf(options: ServerOptions, port: number): Omit<IdentityOptions, 'engine' | 'clock' | 'log'> {
  const { listen, minDuration, maxDuration, identityInstance, identityDuration, identityRenewal, identityKeep } = options;
  // Limits are set for what clients ask; that is no reason not to start.
  const durationMs = Math.min(Math.max(identityDuration, minDuration), maxDuration);
  return {
    hostName: hostname(),
    instance: identityInstance ?? addressOf(listen.host, listen.port),
    address: addressOf(isEveryAddress(listen.host) ? hostname() : listen.host, port),
    version: serverVersion(),
    durationMs,
    renewalMs: Math.min(identityRenewal, durationMs / 3),
    keepMs: Math.min(identityKeep, options.maxKeepAfterExpiry),
  };
}

function serverVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

function limitsOf(options: ServerOptions): Limits {
  return {
    ...defaultLimits,
    holderBytesMax: options.maxHolderBytes,
    durationMsMin: options.minDuration,
    durationMsMax: options.maxDuration,
    waitMsMax: options.maxWait,
    lockDelayMsMax: options.maxLockDelay,
    graceMsMax: options.maxGrace,
    keepAfterExpiryMsMax: options.maxKeepAfterExpiry,
    labelsMax: options.maxLabels,
    annotationsBytesMax: options.maxAnnotationsBytes,
    leasesPerNamespaceMax: options.maxLeasesPerNamespace,
    waitersPerLeaseMax: options.maxWaitersPerLease,
    waitersMax: options.maxWaiters,
    watchersMax: options.maxWatchers,
    commandsPendingMax: options.maxPendingCommands,
    pageSizeMax: options.maxPageSize,
    pageSizeDefault: Math.min(defaultLimits.pageSizeDefault, options.maxPageSize),
    renewBatchMax: options.maxRenewBatch,
  };
}
