import { isDeepStrictEqual } from 'node:util';
import type { Lease, LeaseEventType } from '../types.js';

/** How the cache of an informer changed. */
export interface LeaseChange {
  /** What happened to the cache. */
  readonly type: 'add' | 'update' | 'delete';
  /** The lease now; for `delete` as it was last. */
  readonly lease: Lease;
  /** The lease as the cache, or the loop, had it before; `undefined` for `add`. */
  readonly previous: Lease | undefined;
  /** Why. */
  readonly reason: LeaseChangeReason;
}

/**
 * Why a cache changed: what happened to the lease, as in a watch, where `UNSELECTED` tells that it left the label selector;
 * or `LISTED`: a list showed it, and what happened in between is not known.
 */
export type LeaseChangeReason = LeaseEventType | 'UNSELECTED' | 'LISTED';

/** What two changes of one record amount to for somebody who saw neither; `undefined`: to nothing. */
export function combineChanges(earlier: LeaseChange, later: LeaseChange): LeaseChange | undefined {
  const { previous } = earlier;
  if (later.type !== 'delete') return { ...later, type: previous === undefined ? 'add' : 'update', previous };
  return previous === undefined ? undefined : { ...later, previous };
}

/** Whether two versions of a record differ in nothing but a renewal. */
export function differOnlyByRenewal(left: Lease, right: Lease): boolean {
  return isDeepStrictEqual(withoutRenewal(left), withoutRenewal(right));
}

function withoutRenewal(lease: Lease): Lease {
  return { ...lease, resourceVersion: 0n, renewTime: undefined, remainingMs: undefined };
}
