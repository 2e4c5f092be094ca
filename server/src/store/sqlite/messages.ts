import type { LeaseKey } from '@leasehold/core';
import type { DatabaseOptions } from './database.js';
import type { StoreOpenCode } from './open-error.js';
import type { ChangeRow, HistoryRow, LeaseRows } from '../record-codec.js';

/** What the worker is started with. */
export interface WorkerOptions extends DatabaseOptions {
  /** How many changes of history are kept at least. */
  readonly historyMax: number;
}

/** What can be asked of the worker: the argument and the result of each call. Calls are answered in their order. */
export interface Calls {
  /** Leases whose row id is greater. */
  load: { readonly argument: bigint; readonly result: LeasePiece };
  commit: { readonly argument: readonly ChangeRow[]; readonly result: undefined };
  history: { readonly argument: HistoryRequest; readonly result: HistoryPiece };
  leaveNote: { readonly argument: string; readonly result: undefined };
  takeNote: { readonly argument: undefined; readonly result: string | undefined };
  close: { readonly argument: undefined; readonly result: undefined };
}

export interface LeasePiece {
  readonly rows: LeaseRows;
  /** The last row id in this piece; `undefined`: there were no more. */
  readonly last: bigint | undefined;
}

export interface HistoryRequest {
  readonly after: bigint;
  readonly limit: number;
}

/** Part of a history, short enough to be read between two commits. */
export type HistoryPiece =
  | { readonly kind: 'page'; readonly rows: readonly HistoryRow[]; readonly more: boolean }
  | { readonly kind: 'compacted' | 'unknown'; readonly oldest: bigint };

export interface Request<K extends keyof Calls = keyof Calls> {
  readonly id: number;
  readonly call: K;
  readonly argument: Calls[K]['argument'];
}

/** What the worker says. The first message is `opened` or `refused`. */
export type WorkerMessage =
  | { readonly kind: 'opened'; readonly revision: bigint }
  | { readonly kind: 'refused'; readonly code: StoreOpenCode; readonly message: string }
  | { readonly kind: 'answered'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'declined'; readonly id: number; readonly failure: Failure }
  /** The store failed while nobody waited. */
  | { readonly kind: 'failed'; readonly message: string };

/** Why a call was not done. After `unknown` the worker does nothing more but `close`. */
export type Failure =
  | { readonly kind: 'conflict'; readonly key: LeaseKey; readonly expected: bigint; readonly actual: bigint }
  | { readonly kind: 'full'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };
