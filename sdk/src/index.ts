// The client and what it hands out.
export { Client, createClient } from './client.js';
export type { ClientOptions, ClientSettings } from './options.js';
export { holderName, leaseName, type LeaseNameParts, nodeLeaseName } from './names.js';
export { HeldLease, type HeldStatus } from './lease/held-lease.js';
export type { AcquireOutcome } from './lease/tenures.js';
export { LeaderElector, type LeaderCallbacks, type LeaderElectorOptions, type RunOptions } from './election/elector.js';
export type { Term } from './election/election.js';
export type { ElectionMetrics } from './election/metrics.js';
export type { ElectOptions } from './election/options.js';
export type { ElectionTiming } from './election/timing.js';
export { LeaderObserver, type ObserveLeaderOptions } from './watch/observe-leader.js';
export { type EndNodesOptions, type HeartbeatNodesOptions, NodeAgent, type NodeLabels } from './nodes/heartbeat.js';
export type { NodeStatus } from './nodes/node-status.js';
export { LeaseWatch, type WatchOptions } from './watch/watch.js';
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
