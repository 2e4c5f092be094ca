import { LeaseError } from './errors.js';
import type { Limits } from './limits.js';
import type { LeaseRecord } from './record.js';
import { utf8Length } from './validate.js';

/** Why a lease of which users have said so much is refused; `undefined`: every store takes it, whatever becomes of the lease later. */
export function refuseOversized(record: LeaseRecord, { recordBytesMax }: Limits): LeaseError | undefined {
  if (recordBytesMax === Infinity) return undefined;
  const bytes = recordBytes(record);
  if (bytes <= recordBytesMax) return undefined;
  const rule = `labels, annotations, holder and Kubernetes metadata must take at most ${recordBytesMax} bytes as JSON in JSON`;
  return new LeaseError('INVALID_FIELD', `Invalid lease: ${rule}, got ${bytes}`);
}

/** As JSON within JSON, which is how a history keeps it. */
function recordBytes({ labels, annotations, kubernetes, holder, lastHolder }: LeaseRecord): number {
  return utf8Length(JSON.stringify(JSON.stringify([labels, annotations, kubernetes, holder, lastHolder])));
}
