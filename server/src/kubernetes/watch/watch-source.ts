import type { WatchEvent, WatchQuery } from '@leasehold/core';
import type { Status } from '../status.js';
import type { EncodedEvent } from './event-encoder.js';

/** What a watch tells of: leases, or something that follows from them. It writes the events of one watch. */
export interface WatchSource {
  /** The leases whose changes have to do with it. */
  readonly query: Omit<WatchQuery, 'fromRevision'>;

  /** Finds out what there was at the version after which a watch goes on, where that has to be known. @throws {LeaseError} */
  recall?(version: bigint): Promise<void>;

  /** What there is right now: one event each, written when it is its turn. */
  present(): Iterator<EncodedEvent>;

  /** What a watch is told of what has happened to the leases. */
  changes(events: readonly WatchEvent[]): EncodedEvent[];

  /** Tells up to which revision everything was sent. */
  bookmark(revision: bigint, annotations?: Readonly<Record<string, string>>): EncodedEvent;

  /** Why the watch is over. */
  error(status: Status): EncodedEvent;
}
