// The client and what it hands out.
export { Client, createClient } from './client.js';
export type { ClientOptions, ClientSettings } from './options.js';
export { HeldLease, type HeldStatus } from './lease/held-lease.js';
export type { AcquireOutcome } from './lease/tenures.js';
export type { ElectOptions, Term } from './election/elect.js';
export type { ElectionTiming } from './election/timing.js';
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
