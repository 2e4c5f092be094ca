import type { CommittedChange } from '@leasehold/core';
import { decodeChange, type ChangeRow, type HistoryRow } from '../record-codec.js';
import type { Operation } from './rpc.js';

/** How changes stand in etcd: those of one transaction in one key of the history, each record in a key of its own. */

/** Changes that were committed together, and by whom. */
export interface Committed {
  /** Names the transaction. */
  readonly by: string;
  readonly changes: readonly CommittedChange[];
}

/** The value of a piece of the history. */
export function writeChanges(by: string, rows: readonly ChangeRow[]): string {
  return JSON.stringify([
    by,
    rows.map(({ revision, namespace, name, body, events }) => [String(revision), namespace, name, body, events]),
  ]);
}

/** Reads what `writeChanges` wrote. */
export function readChanges(value: Buffer): Committed {
  const [by, rows] = JSON.parse(value.toString()) as [string, [string, string, string, string | null, string][]];
  const changes = rows.map(([revision, namespace, name, body, events]) => {
    const row: HistoryRow = { revision: BigInt(revision), namespace, name, body, events };
    return decodeChange(row);
  });
  return { by, changes };
}

/** What a change does to the key of its lease. */
export function writeLease(key: Buffer, { revision, body }: ChangeRow): Operation {
  return body === null ? { request_delete_range: { key } } : put(key, `["${revision}",${body}]`);
}

export function put(key: Buffer, value: string): Operation {
  return { request_put: { key, value: Buffer.from(value) } };
}

/** What etcd takes in one transaction by default is 128 operations (--max-txn-ops), and 1.5 MiB (--max-request-bytes). */
export const changesPerTransaction = 120;
const charactersPerTransaction = 512 * 1024;

/** As many of them as go into one transaction. */
export function* piecesOf<T extends Pick<ChangeRow, 'body' | 'events'>>(rows: readonly T[]): Generator<readonly T[]> {
  let piece: T[] = [];
  let characters = 0;
  for (const row of rows) {
    const size = (row.body?.length ?? 0) + row.events.length;
    if (piece.length === changesPerTransaction || (piece.length > 0 && characters + size > charactersPerTransaction)) {
      yield piece;
      [piece, characters] = [[], 0];
    }
    piece.push(row);
    characters += size;
  }
  if (piece.length > 0) yield piece;
}
