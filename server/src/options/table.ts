import {
  bytes,
  count,
  duration,
  formatDuration,
  keyPrefix,
  listenAddress,
  listenAddressOrOff,
  logLevel,
  onOff,
  optionalFile,
  optionalName,
  storeLocation,
  unless,
  type ListenAddress,
  type LogLevel,
  type StoreLocation,
  type ValueKind,
} from './values.js';

/** Everything that can be set about a server. All times in milliseconds, all sizes in bytes. */
export interface ServerOptions {
  readonly listen: ListenAddress;
  /** Where the Kubernetes API is served; `undefined`: nowhere. */
  readonly httpListen: ListenAddress | undefined;
  readonly store: StoreLocation;
  /** What all keys in etcd begin with. */
  readonly etcdPrefix: string;
  /** `undefined`: as it is in etcd. */
  readonly etcdSessionTtl: number | undefined;
  /** `undefined`: etcd asks nobody who he is. */
  readonly etcdUser: string | undefined;
  /** A file with the password and nothing else. */
  readonly etcdPasswordFile: string | undefined;
  /** Who signs etcd's certificates, in PEM; `undefined`: those whom Node trusts. */
  readonly etcdCa: string | undefined;
  /** What is shown to etcd, in PEM. */
  readonly etcdCert: string | undefined;
  readonly etcdKey: string | undefined;
  /** The server's certificate for gRPC and those that lead up to who signed it, in PEM; `undefined`: connections are not encrypted. */
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  /** Who signs the certificates that clients have to show; `undefined`: they show none. */
  readonly tlsClientCa: string | undefined;
  /** The same for the Kubernetes API. */
  readonly httpTlsCert: string | undefined;
  readonly httpTlsKey: string | undefined;
  readonly httpTlsClientCa: string | undefined;
  /** At most one checkpoint for each lease and interval; 0: none. */
  readonly renewalCheckpoint: number;
  /** Whether the Kubernetes API, too, refuses to take a living lease from its holder. */
  readonly kubernetesStrict: boolean;
  /** How many changes watches can resume across. */
  readonly historyMax: number;
  readonly logLevel: LogLevel;
  /** How long a drain may take before connections are cut. */
  readonly drainTimeout: number;
  readonly minDuration: number;
  readonly maxDuration: number;
  readonly maxWait: number;
  readonly maxLockDelay: number;
  readonly maxGrace: number;
  readonly maxKeepAfterExpiry: number;
  readonly maxHolderBytes: number;
  readonly maxLabels: number;
  readonly maxAnnotationsBytes: number;
  readonly maxLeasesPerNamespace: number;
  readonly maxWaitersPerLease: number;
  readonly maxWaiters: number;
  readonly maxWatchers: number;
  readonly maxHeartbeatStreams: number;
  readonly maxHandlesPerStream: number;
  readonly maxStreamsPerConnection: number;
  /** Of the Kubernetes API: a watch over HTTP/1.1 has one to itself. */
  readonly maxHttpConnections: number;
  readonly maxPendingCommands: number;
  readonly maxPageSize: number;
  readonly maxRenewBatch: number;
  readonly maxMessageBytes: number;
  /** How long a connection may be silent before it is asked whether it lives. */
  readonly keepalive: number;
  /** How long it may take to answer before it is cut. */
  readonly keepaliveTimeout: number;
  /** Whether the server publishes a lease of its own. */
  readonly identityLease: boolean;
  /** Tells the servers of one host apart; `undefined`: the listen address does, as it was asked for. */
  readonly identityInstance: string | undefined;
  readonly identityDuration: number;
  readonly identityRenewal: number;
  /** How long the lease of a server that is gone is kept once it has expired. */
  readonly identityKeep: number;
}

/** One option: as `--flag VALUE` and as an environment variable. */
export interface OptionDefinition<T> {
  readonly flag: string;
  readonly kind: ValueKind<T>;
  /** In the words of the command line. */
  readonly default: string;
  readonly help: string;
}

/** The one table of options: parsing, `--help` and the names of variables follow from it. */
export const optionTable: { readonly [K in keyof ServerOptions]: OptionDefinition<ServerOptions[K]> } = {
  listen: define('listen', listenAddress, '127.0.0.1:7400', 'address to serve gRPC on; port 0: any free one'),
  httpListen: define(
    'http-listen',
    listenAddressOrOff,
    '127.0.0.1:7401',
    'address to serve the Kubernetes API on; off: do not serve it',
  ),
  store: define('store', storeLocation, 'sqlite:./data/leasehold.db', 'where leases are kept; memory: is gone with the process'),
  etcdPrefix: define('etcd-prefix', keyPrefix, '/leasehold/', 'what all keys in etcd begin with'),
  etcdSessionTtl: define(
    'etcd-session-ttl',
    unless('stored', duration(1000, 60_000)),
    'stored',
    'silence after which other servers take one for gone, to change while none runs; stored: as it is in etcd, at first 3s',
  ),
  etcdUser: define('etcd-user', optionalName, 'none', 'user of etcd'),
  etcdPasswordFile: define('etcd-password-file', optionalFile, 'none', 'file with the password of that user'),
  etcdCa: define('etcd-ca', optionalFile, 'none', 'certificates that sign those of etcd, PEM; none: those that Node trusts'),
  etcdCert: define('etcd-cert', optionalFile, 'none', 'certificate to show to etcd, PEM'),
  etcdKey: define('etcd-key', optionalFile, 'none', 'private key of that certificate, PEM, without a passphrase'),
  tlsCert: define('tls-cert', optionalFile, 'none', 'certificate of the server, PEM; none: connections are not encrypted'),
  tlsKey: define('tls-key', optionalFile, 'none', 'private key of that certificate, PEM, without a passphrase'),
  tlsClientCa: define('tls-client-ca', optionalFile, 'none', 'certificates that sign those which clients have to show, PEM'),
  httpTlsCert: define('http-tls-cert', optionalFile, 'none', 'certificate of the Kubernetes API, PEM; none: not encrypted'),
  httpTlsKey: define('http-tls-key', optionalFile, 'none', 'private key of that certificate, PEM, without a passphrase'),
  httpTlsClientCa: define(
    'http-tls-client-ca',
    optionalFile,
    'none',
    'certificates that sign those which clients of the Kubernetes API have to show, PEM',
  ),
  renewalCheckpoint: define(
    'renewal-checkpoint',
    duration(0, days(1)),
    '10s',
    'at most one recorded renewal for each lease and interval; 0: none',
  ),
  kubernetesStrict: define(
    'kubernetes-strict',
    onOff,
    'off',
    'the Kubernetes API, too, refuses to take a living lease from its holder',
  ),
  historyMax: define('history-max', count(1000, 1e9), '1000000', 'changes kept for watches that resume'),
  logLevel: define('log-level', logLevel, 'info', 'trace, debug, info, warn, error, fatal or silent'),
  drainTimeout: define('drain-timeout', duration(500, hours(1)), '4s', 'how long a shutdown may take before it is forced'),
  minDuration: define('min-duration', duration(1, days(366)), '100ms', 'shortest duration of a lease'),
  maxDuration: define('max-duration', duration(1, days(366)), '24h', 'longest duration of a lease'),
  maxWait: define('max-wait', duration(0, days(366)), '24h', 'longest wait in a queue'),
  maxLockDelay: define('max-lock-delay', duration(0, days(366)), '1h', 'longest lock delay of a lease'),
  maxGrace: define('max-grace', duration(0, days(366)), '24h', 'longest grace of a revoke'),
  maxKeepAfterExpiry: define(
    'max-keep-after-expiry',
    duration(0, days(3660)),
    '366d',
    'longest time a lease is kept after its expiry',
  ),
  maxHolderBytes: define('max-holder-bytes', bytes(16, 4096), '512', "length of a holder's name"),
  maxLabels: define('max-labels', count(0, 1000), '64', 'labels of a lease'),
  maxAnnotationsBytes: define(
    'max-annotations-bytes',
    bytes(0, 16 * 1024 ** 2),
    '256KiB',
    'annotations of a lease, keys and values',
  ),
  maxLeasesPerNamespace: define('max-leases-per-namespace', count(1, 1e8), '2000000', 'leases in one namespace'),
  maxWaitersPerLease: define('max-waiters-per-lease', count(1, 1e7), '10000', 'places in the queue of one lease'),
  maxWaiters: define('max-waiters', count(1, 1e7), '100000', 'places in all queues'),
  maxWatchers: define('max-watchers', count(1, 1e7), '20000', 'open watches'),
  maxHeartbeatStreams: define('max-heartbeat-streams', count(1, 1e7), '50000', 'open heartbeat streams'),
  maxHandlesPerStream: define('max-handles-per-stream', count(1, 1e6), '100000', 'leases on one heartbeat stream'),
  maxStreamsPerConnection: define(
    'max-streams-per-connection',
    count(1, 1e6),
    '10000',
    'calls and streams under way on one connection',
  ),
  maxHttpConnections: define('max-http-connections', count(1, 1e6), '25000', 'connections to the Kubernetes API'),
  maxPendingCommands: define('max-pending-commands', count(1, 1e7), '100000', 'changes that wait for their commit'),
  maxPageSize: define('max-page-size', count(1, 100_000), '1000', 'leases on one page of a list'),
  maxRenewBatch: define('max-renew-batch', count(1, 10_000), '1000', 'renewals in one RenewBatch'),
  maxMessageBytes: define('max-message-bytes', bytes(1024, 1024 ** 3), '4MiB', 'size of a message from a client'),
  keepalive: define('keepalive', duration(100, hours(2)), '5s', 'silence after which a connection is asked whether it lives'),
  keepaliveTimeout: define('keepalive-timeout', duration(100, hours(1)), '5s', 'how long it may take to answer that'),
  identityLease: define('identity-lease', onOff, 'on', 'whether the server publishes a lease of its own in kube-system'),
  identityInstance: define(
    'identity-instance',
    optionalName,
    'none',
    'tells the servers of one host apart, the same after a restart; none: the listen address does',
  ),
  identityDuration: define('identity-duration', duration(100, days(366)), '1h', 'duration of that lease, up to --max-duration'),
  identityRenewal: define('identity-renewal', duration(10, days(1)), '10s', 'how often that lease is renewed'),
  identityKeep: define(
    'identity-keep',
    duration(0, days(366)),
    '1h',
    'how long that lease is kept after its expiry, up to --max-keep-after-expiry',
  ),
};

/** Finds options that cannot hold together. Returns the one that is wrong, and its rule. */
export function findContradiction(options: ServerOptions): Contradiction | undefined {
  const { minDuration, maxDuration, maxWaiters, maxWaitersPerLease, maxMessageBytes, maxAnnotationsBytes } = options;
  if (maxDuration < minDuration) {
    return { option: 'maxDuration', rule: `must be at least --min-duration (${formatDuration(minDuration)})` };
  }
  if (maxWaiters < maxWaitersPerLease) {
    return { option: 'maxWaiters', rule: `must be at least --max-waiters-per-lease (${maxWaitersPerLease})` };
  }
  if (maxMessageBytes < maxAnnotationsBytes) {
    const rule = `must be at least --max-annotations-bytes (${maxAnnotationsBytes} bytes), or no message could carry them`;
    return { option: 'maxMessageBytes', rule };
  }
  if (options.identityRenewal > options.identityDuration / 2) {
    const rule = `must be at most half of --identity-duration (${formatDuration(options.identityDuration)})`;
    return { option: 'identityRenewal', rule };
  }
  return (
    findTogether(options, 'etcdUser', 'etcdPasswordFile') ??
    findTogether(options, 'etcdCert', 'etcdKey') ??
    findUnencrypted(options) ??
    findTlsContradiction(options, { cert: 'tlsCert', key: 'tlsKey', clientCa: 'tlsClientCa' }) ??
    findTlsContradiction(options, { cert: 'httpTlsCert', key: 'httpTlsKey', clientCa: 'httpTlsClientCa' })
  );
}

/** Two options that cannot both hold. */
export interface Contradiction {
  readonly option: keyof ServerOptions;
  readonly rule: string;
}

type FileOption = { [K in keyof ServerOptions]: undefined extends ServerOptions[K] ? K : never }[keyof ServerOptions];

/** A certificate is of no use without its key, nor is who signs those of clients to a server that has none itself. */
function findTlsContradiction(
  options: ServerOptions,
  { cert, key, clientCa }: Readonly<Record<'cert' | 'key' | 'clientCa', FileOption>>,
): Contradiction | undefined {
  if (options[clientCa] !== undefined && options[cert] === undefined) {
    return { option: clientCa, rule: `must be given together with ${flagOf(cert)} and ${flagOf(key)}` };
  }
  return findTogether(options, cert, key);
}

/** Certificates for connections that are not encrypted would be passed over without a word. */
function findUnencrypted({ store, etcdCa, etcdCert }: ServerOptions): Contradiction | undefined {
  const isPlain = store.kind === 'etcd' && store.endpoints.some((endpoint) => endpoint.startsWith('http:'));
  const option = etcdCa === undefined ? 'etcdCert' : 'etcdCa';
  return isPlain && (etcdCa ?? etcdCert) !== undefined ? { option, rule: 'must go with https:// in --store' } : undefined;
}

/** Two options of which neither is of use alone. */
function findTogether(options: ServerOptions, first: FileOption, second: FileOption): Contradiction | undefined {
  if ((options[first] === undefined) === (options[second] === undefined)) {
    return undefined;
  }
  const [missing, given] = options[first] === undefined ? [first, second] : [second, first];
  return { option: missing, rule: `must be given together with ${flagOf(given)}` };
}

function flagOf(option: FileOption): string {
  return `--${optionTable[option].flag}`;
}

/** The environment variable of an option: `--max-duration` is `LEASEHOLD_MAX_DURATION`. */
export function variableOf(definition: OptionDefinition<unknown>): string {
  return `LEASEHOLD_${definition.flag.replaceAll('-', '_').toUpperCase()}`;
}

function define<T>(flag: string, kind: ValueKind<T>, defaultText: string, help: string): OptionDefinition<T> {
  return { flag, kind, default: defaultText, help };
}

function hours(n: number): number {
  return n * 3_600_000;
}

function days(n: number): number {
  return n * 86_400_000;
}
