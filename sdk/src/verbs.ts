import { invalidOption } from './errors.js';
import type { Metadata } from './transport/transport.js';
import type { CallOptions, LeaseCallOptions } from './types.js';

/** Parts of a record that a call may write. */
export interface MetadataOptions {
  /** Labels by Kubernetes' rules; selectors match on them. They replace all that the record has. Default: those stay. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Data for people and programs, 256 KiB of keys and values in all. They replace all that the record has. Default: those stay. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** For how long nobody is granted the lease after an expiry or a revoke, in milliseconds: 0 to 1 h. Default: as it is, at first 0. */
  readonly lockDelayMs?: number | undefined;
  /** How long the record is kept after an expiry, in milliseconds: 0 to 366 days. Default: as it is, at first for ever. */
  readonly keepAfterExpiryMs?: number | undefined;
}

/** Options of `Client.acquire`. */
export interface AcquireOptions extends LeaseCallOptions, MetadataOptions {
  /** Who acquires: 1 to 512 bytes, unique per process. Default: the client's. */
  readonly holder?: string | undefined;
  /** How long the lease stays held without a renewal, in milliseconds: 100 to 24 h. Default: 15,000. */
  readonly durationMs?: number | undefined;
  /** How long to wait in the server's queue, in milliseconds, beside `timeoutMs`: 0 to 24 h. Default: 0, which is not to wait. */
  readonly waitMs?: number | undefined;
  /** Place in the queue: highest first, an int32. Never takes a lease from its holder. Default: 0. */
  readonly priority?: number | undefined;
  /**
   * Identity of this attempt, at most 128 bytes: repeated under the same id by the same holder, it is granted the same tenure again.
   * Default: a random one for each call, under which the call repeats itself while no server answers.
   */
  readonly acquireId?: string | undefined;
  /** How often the lease is renewed, in milliseconds: at most half of `durationMs`. Default: a third of it. */
  readonly beatIntervalMs?: number | undefined;
}

/** Options of calls that name a tenure. */
export interface TokenOptions extends LeaseCallOptions {
  /** The token of the tenure that is meant. */
  readonly fencingToken: bigint;
}

/** Options of `Client.renew`. */
export interface RenewOptions extends TokenOptions {
  /** Who holds the lease. Default: the client's holder. */
  readonly holder?: string | undefined;
}

/** Options of `Client.reattach`. */
export interface ReattachOptions extends RenewOptions {
  /** How often the lease is renewed, in milliseconds: at most half of its duration. Default: a third of it. */
  readonly beatIntervalMs?: number | undefined;
}

/** One renewal of `Client.renewBatch`. */
export interface Renewal {
  /** Name of the lease. */
  readonly name: string;
  /** The token of the grant. */
  readonly fencingToken: bigint;
  /** Default: the client's. */
  readonly namespace?: string | undefined;
  /** Default: the client's. */
  readonly holder?: string | undefined;
}

/** Options of `Client.release`. */
export interface ReleaseOptions extends TokenOptions {
  /** Holder name of a waiter who is to be granted next. Default: the first in the queue. */
  readonly transferTo?: string | undefined;
}

/** Options of `Client.revoke`. */
export interface RevokeOptions extends ReleaseOptions {
  /** How long the holder may go on renewing to finish its work, in milliseconds: 0 to 24 h. Default: 0. */
  readonly graceMs?: number | undefined;
  /** Ends the tenure at once: then two processes may believe in the lease, and only fencing protects. Default: false. */
  readonly force?: boolean | undefined;
}

/** Options of `Client.get`. */
export interface GetOptions extends LeaseCallOptions {
  /** Accepts an answer that lags behind by the delay between servers. Default: false, which is linearizable. */
  readonly cached?: boolean | undefined;
}

/** Options of `Client.list` and `Client.listPages`. */
export interface ListOptions extends CallOptions {
  /** Default: the client's. */
  readonly namespace?: string | undefined;
  /** Lists every namespace. Default: false. */
  readonly allNamespaces?: boolean | undefined;
  /** Only leases whose labels match, in Kubernetes' syntax: `app=foo,tier!=db`, `app in (a,b)`, `!canary`. Default: all. */
  readonly labelSelector?: string | undefined;
  /** Leases on a page: 1 to 1,000. Default: 500. */
  readonly pageSize?: number | undefined;
  /** Accepts an answer that lags behind by the delay between servers. Default: false, which is linearizable. */
  readonly cached?: boolean | undefined;
}

/** Options of `Client.create`. */
export type CreateOptions = LeaseCallOptions & MetadataOptions;

/** Options of `Client.update`: entries to set; those that are `undefined` are removed, and those not named stay. */
export interface UpdateOptions extends LeaseCallOptions {
  /** Labels by Kubernetes' rules. Default: as they are. */
  readonly labels?: Readonly<Record<string, string | undefined>> | undefined;
  /** Data for people and programs: 256 KiB of keys and values in all. Default: as they are. */
  readonly annotations?: Readonly<Record<string, string | undefined>> | undefined;
  /** In milliseconds: 0 to 1 h. Default: as it is. */
  readonly lockDelayMs?: number | undefined;
  /** In milliseconds: 0 to 366 days. Default: as it is. */
  readonly keepAfterExpiryMs?: number | undefined;
  /** Only if this is the record's version. Default: whatever it is. */
  readonly resourceVersion?: bigint | undefined;
  /** Only while this tenure lives. Default: whoever holds it. */
  readonly fencingToken?: bigint | undefined;
}

/** Options of `Client.delete`. A held lease needs `uid` or `fencingToken`. */
export interface DeleteOptions extends LeaseCallOptions {
  /** Only this incarnation of the record. Default: whichever. */
  readonly uid?: string | undefined;
  /** Only while this tenure is the last. Default: whichever. */
  readonly fencingToken?: bigint | undefined;
  /** Only if this is the record's version. Default: whatever it is. */
  readonly resourceVersion?: bigint | undefined;
  /** Leaves no reservation behind: then the old holder and a new one may both believe, and only fencing protects. Default: false. */
  readonly force?: boolean | undefined;
}

/** Entries to set, and keys to remove: those whose value is `undefined`. */
export function splitEntries(entries: Readonly<Record<string, string | undefined>> = {}): {
  set: Record<string, string>;
  remove: string[];
} {
  const set: Record<string, string> = {};
  const remove: string[] = [];
  for (const [key, value] of Object.entries(entries)) {
    if (value === undefined) remove.push(key);
    else set[key] = value;
  }
  return { set, remove };
}

/** The record's parts among the options of a call. */
export function metadataOf({ labels, annotations, lockDelayMs, keepAfterExpiryMs }: MetadataOptions): Metadata {
  return {
    labels,
    annotations,
    lockDelayMs: lockDelayMs === undefined ? undefined : checkMs('lockDelayMs', lockDelayMs),
    keepAfterExpiryMs: keepAfterExpiryMs === undefined ? undefined : checkMs('keepAfterExpiryMs', keepAfterExpiryMs),
  };
}

/**
 * A number of milliseconds that can be sent; how long it may be is the server's decision.
 *
 * @throws {InvalidError}
 */
export function checkMs(field: string, value: number): number {
  if (value >= 0 && value <= msMax) return value;
  throw invalidOption(field, `must be a number of milliseconds from 0 to ${msMax}`, value);
}

/** 10,000 years: as long as a `google.protobuf.Duration` can be. */
const msMax = 315_576_000_000_000;

/**
 * A number of milliseconds that is not 0 either.
 *
 * @throws {InvalidError}
 */
export function checkPositiveMs(field: string, value: number): number {
  if (checkMs(field, value) > 0) return value;
  throw invalidOption(field, 'must be longer than 0 ms', value);
}

/**
 * A fencing token or a version that can be sent; 0, which is that of nothing, where it is left out.
 *
 * @throws {InvalidError}
 */
export function checkInt64(field: string, value: unknown = 0n): bigint {
  if (typeof value === 'bigint' && value >= 0n && value < 2n ** 63n) return value;
  throw invalidOption(field, 'must be a bigint from 0 to 2^63 - 1', value);
}

/**
 * A place in a queue that can be sent.
 *
 * @throws {InvalidError}
 */
export function checkPriority(priority = 0): number {
  if (Number.isInteger(priority) && priority >= -(2 ** 31) && priority < 2 ** 31) return priority;
  throw invalidOption('priority', 'must be a whole number from -2^31 to 2^31 - 1', priority);
}

/**
 * An interval that leaves room for at least one beat that fails.
 *
 * @throws {InvalidError}
 */
export function checkBeatInterval(beatIntervalMs: number, durationMs: number): number {
  if (checkPositiveMs('beatIntervalMs', beatIntervalMs) <= durationMs / 2) return beatIntervalMs;
  throw invalidOption('beatIntervalMs', `must be at most half of durationMs (${durationMs})`, beatIntervalMs);
}
