import { LeaseError } from './errors.js';
import type { Limits } from './limits.js';
import type { LeaseRecord } from './record.js';
import { utf8Length } from './validate.js';

/** Why a lease of which users have said so much is refused; `undefined`: every store takes it, whatever becomes of the lease later. */
export function refuseOversized(record: LeaseRecord, { recordBytesMax }: Limits): LeaseError | undefined {
  if (recordBytesMax === Infinity) return undefined;
  const { labels, annotations, kubernetes, holder, lastHolder } = record;
  // As JSON within JSON: so a history keeps it.
  const text = JSON.stringify(JSON.stringify([labels, annotations, kubernetes, holder, lastHolder]));
  // Nearly all are far below, and not worth counting.
  const bytes = text.length <= recordBytesMax / bytesPerUnit ? 0 : utf8Length(text);
  if (bytes <= recordBytesMax) return undefined;
  const rule = `labels, annotations, holder and Kubernetes metadata must take at most ${recordBytesMax} bytes as JSON in JSON`;
  return new LeaseError('INVALID_FIELD', `Invalid lease: ${rule}, got ${bytes}`, { field: largestOf(record) });
}

/** What UTF-8 takes at most for a unit of UTF-16. */
const bytesPerUnit = 3;

/** What there is too much of: the field, in the words of the contract; `metadata`: several fields that Kubernetes adds. */
function largestOf({ labels, annotations, kubernetes, holder, lastHolder }: LeaseRecord): string {
  const parts = { annotations, labels, metadata: kubernetes, 'spec.holderIdentity': holder + lastHolder };
  const sizes = Object.entries(parts).map(([field, part]) => ({ field, size: JSON.stringify(part ?? '').length }));
  return sizes.reduce((largest, part) => (part.size > largest.size ? part : largest)).field;
}
