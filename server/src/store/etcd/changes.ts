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

/** A change as it is written. */
export interface WrittenChange {
  readonly revision: bigint;
  /** What it does to the key of its lease. */
  readonly operation: Operation;
  /** Its part of the value of a piece of the history. */
  readonly entry: string;
  /** Of both. */
  readonly bytes: number;
}

/** Writes a change of the lease that stands at `key`. */
export function writeChange(key: Buffer, { revision, namespace, name, body, events }: ChangeRow): WrittenChange {
  const entry = JSON.stringify([String(revision), namespace, name, body, events]);
  const value = Buffer.from(body === null ? '' : `["${revision}",${body}]`);
  const operation = body === null ? { request_delete_range: { key } } : { request_put: { key, value } };
  return { revision, operation, entry, bytes: value.length + Buffer.byteLength(entry) };
}

/** The value of a piece of the history. */
export function writePiece(by: string, changes: readonly WrittenChange[]): string {
  return `[${JSON.stringify(by)},[${changes.map(({ entry }) => entry).join(',')}]]`;
}

/** Reads what `writePiece` wrote. */
export function readPiece(value: Buffer): Committed {
  const [by, rows] = JSON.parse(value.toString()) as [string, [string, string, string, string | null, string][]];
  const changes = rows.map(([revision, namespace, name, body, events]) => {
    const row: HistoryRow = { revision: BigInt(revision), namespace, name, body, events };
    return decodeChange(row);
  });
  return { by, changes };
}

export function put(key: Buffer, value: string): Operation {
  return { request_put: { key, value: Buffer.from(value) } };
}

/** What etcd takes in one transaction by default is 128 operations (--max-txn-ops), and 1.5 MiB (--max-request-bytes). */
export const changesPerTransaction = 120;
const bytesPerTransaction = 1024 * 1024;

/** A change can hold a lease three times: in its own key, after the change, and between two events. The rest is some 50 KiB. */
export const recordBytesMax: number = 480 * 1024;

/** As many of them as go into one transaction. One that is larger goes alone; how large it gets, `recordBytesMax` sees to. */
export function* piecesOf(changes: readonly WrittenChange[]): Generator<readonly WrittenChange[]> {
  let piece: WrittenChange[] = [];
  let bytes = 0;
  for (const change of changes) {
    if (piece.length === changesPerTransaction || (piece.length > 0 && bytes + change.bytes > bytesPerTransaction)) {
      yield piece;
      [piece, bytes] = [[], 0];
    }
    piece.push(change);
    bytes += change.bytes;
  }
  if (piece.length > 0) yield piece;
}
