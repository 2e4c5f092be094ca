import type { Clock } from '@leasehold/core';
import { toTime, type LiveLease } from '../convert.js';
import type { LeaseObject, ObjectMeta } from '../lease-object.js';
import { trackUpdate } from '../managed-fields/update.js';
import { StatusError } from '../status.js';

/** Who writes, and when. */
export interface Writer {
  readonly manager: string;
  readonly clock: Clock;
}

/**
 * The object with its managers after somebody has stated it. `live`: what it takes the place of.
 *
 * @throws {StatusError} 413: it has more fields than anybody could want to own.
 */
export function tracked(object: LeaseObject, live: LiveLease | undefined, { manager, clock }: Writer): LeaseObject {
  refuseCrowd(object);
  const now = toTime(clock.wallMs());
  const managedFields = trackUpdate({ before: live?.object, after: object, manager, now });
  return {
    ...object,
    metadata: managedFields === undefined ? unmanaged(object.metadata) : { ...object.metadata, managedFields },
  };
}

function unmanaged({ managedFields, ...metadata }: ObjectMeta): ObjectMeta {
  return metadata;
}

/** Of each field it is noted who owns it. Where there are some hundred thousand, that keeps everybody else waiting for seconds. */
function refuseCrowd({ metadata }: LeaseObject): void {
  const { labels = {}, annotations = {}, ownerReferences = [], finalizers = [], managedFields = [] } = metadata;
  const lists = ownerReferences.length + finalizers.length + managedFields.length;
  const count = lists + Object.keys(labels).length + Object.keys(annotations).length;
  if (count <= fieldsMax) return;
  const what = `an object may have ${fieldsMax} labels, annotations, owners, finalizers and managers, got ${count}`;
  throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${what}`);
}

/** What Kubernetes stores, 1.5 MB, has room for more than that, but nobody has ever needed them. */
const fieldsMax = 10_000;

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
