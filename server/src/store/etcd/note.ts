import type { Clock, NoteEntry } from '@leasehold/core';
import { decodeNote, encodeNote } from '../record-codec.js';
import { put } from './changes.js';
import type { Etcd } from './client.js';
import type { Keys } from './keys.js';
import { pages } from './pages.js';
import type { Compare, TxnRequest } from './rpc.js';

/** Where a note is left, and what it is about. */
export interface NoteParts {
  readonly client: Etcd;
  readonly clock: Clock;
  readonly keys: Keys;
  /** The last revision that is known. */
  readonly revision: bigint;
  readonly ttlMs: number;
}

/**
 * Leaves a note of what is left of the time of all leases, in parts, because etcd takes 1.5 MiB at once; a lease whose part is missing
 * counts in full.
 *
 * @param isLast that nothing has been committed after `revision`.
 */
export async function leaveNote(parts: NoteParts, isLast: Compare, note: readonly NoteEntry[]): Promise<void> {
  const { keys, revision } = parts;
  for (let part = 0; part * leasesPerPart < note.length; part += 1) {
    const entries = note.slice(part * leasesPerPart, (part + 1) * leasesPerPart);
    await insist(parts, { compare: [isLast], success: [put(keys.note(part), `${revision} ${encodeNote(entries)}`)] });
  }
}

/** Reads what was left, and removes it. */
export async function takeNote(parts: NoteParts): Promise<readonly NoteEntry[]> {
  const { keys, revision } = parts;
  const note: NoteEntry[] = [];
  let found = false;
  for await (const kvs of pages(parts, { ...keys.notes, limit: partsPerPage })) {
    found ||= kvs.length > 0;
    for (const { value } of kvs) {
      const [leftAt, ...text] = value.toString().split(' ');
      // Whoever was there meanwhile has changed something, or has acknowledged nothing.
      note.push(...(leftAt === String(revision) ? decodeNote(text.join(' ')) : []));
    }
  }
  if (found) await insist(parts, { compare: [], success: [{ request_delete_range: keys.notes }] });
  return note;
}

async function insist({ client, clock, ttlMs }: NoteParts, request: TxnRequest): Promise<void> {
  await client.insist('Txn', request, clock.monotonicMs() + 2 * ttlMs);
}

/** An entry has 360 bytes at most. */
const leasesPerPart = 4000;

const partsPerPage = 16;
