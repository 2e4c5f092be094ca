import type { Clock } from '@leasehold/core';
import { toTime, type LiveLease } from '../convert.js';
import type { LeaseObject } from '../lease-object.js';
import { trackUpdate } from '../managed-fields/update.js';

/** Who writes, and when. */
export interface Writer {
  readonly manager: string;
  readonly clock: Clock;
}

/** The object with its managers after somebody has stated it. `live`: what it takes the place of. */
export function tracked(object: LeaseObject, live: LiveLease | undefined, { manager, clock }: Writer): LeaseObject {
  const now = toTime(clock.wallMs());
  const managedFields = trackUpdate({ before: live?.object, after: object, manager, now });
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } };
}

/**
 * The warnings about owners that came twice.
 *
 * @param uids of whom.
 * @param when in the words of Kubernetes; empty: as they were sent.
 */
export function ownerWarnings(uids: readonly string[], when = ''): readonly string[] {
  if (uids.length === 0) return [];
  const hint =
    'API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests';
  return [`.metadata.ownerReferences contains duplicate entries${when}; ${hint}; duplicate UID(s) observed: ${uids.join(', ')}`];
}
