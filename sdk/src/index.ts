// The client and what it hands out.
export { type Client, createClient } from './client.js';
export type { ClientOptions } from './options.js';
export { holderName, leaseName, type LeaseNameParts, nodeLeaseName } from './names.js';
export type { HeldLease, HeldStatus } from './lease/held-lease.js';
export type { AcquireOutcome } from './lease/tenures.js';
export { LeaderElector, type LeaderCallbacks, type LeaderElectorOptions, type RunOptions } from './election/elector.js';
export type { Term } from './election/election.js';
export type { ElectionMetrics } from './election/metrics.js';
export type { ElectOptions } from './election/options.js';
export type { ElectionTiming } from './election/timing.js';
export type { MonitorNodesOptions, NodeCondition, NodeMonitor, NodeReason, NodeState } from './nodes/monitor.js';
export type { LeaseChange, LeaseChangeReason } from './watch/change.js';
export type { Informer, InformerEvents, InformerOptions } from './watch/informer.js';
export type { LeaderObserver, ObserveLeaderOptions } from './watch/observe-leader.js';
export type { EndNodesOptions, HeartbeatNodesOptions, NodeAgent, NodeLabels } from './nodes/heartbeat.js';
export type { NodeStatus } from './nodes/node-status.js';
export type { LeaseWatch, WatchOptions } from './watch/watch.js';
export type {
  Busy,
  CallOptions,
  Lease,
  LeaseCallOptions,
  LeaseEvent,
  LeaseEventReason,
  LeaseEventType,
  LeasePage,
  LeaseState,
  Renewed,
  Validity,
} from './types.js';
export type {
  AcquireOptions,
  CreateOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  MetadataOptions,
  ReattachOptions,
  ReleaseOptions,
  Renewal,
  RenewOptions,
  RevokeOptions,
  TokenOptions,
  UpdateOptions,
} from './verbs.js';
export type { WatchdogOptions } from './lease/watchdog.js';
export type { TlsOptions, Token } from './transport/security.js';
export type { Deleted, Released, RenewResult, Revoked } from './transport/transport.js';

// Errors.
export {
  ClientClosedError,
  ConflictError,
  type ErrorData,
  type ErrorInit,
  InvalidError,
  isRetryable,
  LeaseExpiredError,
  LeaseholdError,
  LeaseLostError,
  LeaseNotFoundError,
  LeaseSuspectError,
  RefusedError,
  UnavailableError,
  WatchExpiredError,
} from './errors.js';

// For tests, and for other transports than gRPC.
export { type Clock, systemClock } from './clock.js';
export type { Transport } from './transport/transport.js';
export type * as transport from './transport/transport.js';
