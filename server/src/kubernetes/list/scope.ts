import type { LeaseCoordinator, LeaseRecord } from '@leasehold/core';
import { findLease } from '../handlers/context.js';
import type { LeaseTarget } from '../request.js';
import type { Selection } from '../selection/selection.js';
import { badRequest } from '../status.js';

/** The leases that a path is about, or less where a selector asks for one name or namespace. */
export interface Scope {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** Empty: all names. */
  readonly name: string;
  /** Whether it is one lease at most. */
  readonly isSingle: boolean;
}

/** @throws {StatusError} 400: the path names one lease, and the selector another one. */
export function scopeOf(target: LeaseTarget, selection: Selection): Scope {
  if (target.name !== undefined && selection.fields.terms.length > 0 && selection.name !== target.name) {
    throw badRequest(`fieldSelector metadata.name doesn't match requested name`);
  }
  const namespace = target.namespace ?? selection.namespace ?? '';
  const name = target.name ?? selection.name ?? '';
  return { namespace, name, isSingle: namespace !== '' && name !== '' };
}

/** The leases of a scope as they are now: in the order of their keys, and not yet selected. @throws {LeaseError} */
export function recordsIn({ namespace, name, isSingle }: Scope, coordinator: LeaseCoordinator): readonly LeaseRecord[] {
  if (!isSingle) return coordinator.records(namespace);
  const record = findLease(coordinator, { namespace, name });
  return record === undefined ? [] : [record];
}
