import { LeaseError, type Clock, type LeaseCoordinator, type LeaseRecord } from '@leasehold/core';
import type { CoordinatorHolder } from '../health.js';
import type { Slots } from '../list/slots.js';

/** What the handlers of leases work with. */
export interface LeaseContext {
  readonly engine: CoordinatorHolder;
  readonly clock: Clock;
  /** Refuses to take a living lease from its holder. */
  readonly strict: boolean;
  /** Makes the random end of a name: five characters. */
  newSuffix(): string;
  /** For those who write long lists: each of them holds all that it has written until it is done. */
  readonly longLists: Slots;
}

/** A lease as a path names it. */
export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
  /** See `LeaseTarget`. */
  readonly askToCreate?: (() => Promise<void>) | undefined;
}

/** A lease; `undefined`: there is none, or none could have that name. @throws {LeaseError} there is nothing to read from. */
export function findLease(coordinator: LeaseCoordinator, { namespace, name }: LeaseName): LeaseRecord | undefined {
  try {
    return coordinator.get(namespace, name).record;
  } catch (error) {
    if (error instanceof LeaseError && (error.reason === 'LEASE_NOT_FOUND' || error.reason === 'INVALID_FIELD')) return undefined;
    throw error;
  }
}
