import type { LeaseRecord } from '@leasehold/core';
import { encodeItems } from '../codec/encode-list.js';
import { toObject } from '../convert.js';
import type { LeaseList } from '../objects.js';

/** The formats in which leases are listed often. */
export type KnownFormat = 'json' | 'protobuf';

/**
 * Writes leases as the items of a list. Who lists, lists again, and between two lists most leases stay as they are: each is written once
 * and kept as long as its record is, at the cost of as many bytes as it takes in the list.
 */
export function encodeLeases(records: readonly LeaseRecord[], format: KnownFormat): string | Uint8Array {
  const items = records.map((record) => itemOf(record, format));
  return format === 'json' ? items.join(',') : Buffer.from(items.join(''), 'latin1');
}

/** Bytes as text: as bytes of its own, each item would take as much again. */
const known: Readonly<Record<KnownFormat, WeakMap<LeaseRecord, string>>> = { json: new WeakMap(), protobuf: new WeakMap() };

function itemOf(record: LeaseRecord, format: KnownFormat): string {
  const found = known[format].get(record);
  if (found !== undefined) return found;
  const items = encodeItems({ ...ofLeases, items: [toObject(record)] }, format);
  const item = typeof items === 'string' ? items : Buffer.from(items).toString('latin1');
  known[format].set(record, item);
  return item;
}

const ofLeases: Omit<LeaseList, 'items'> = { kind: 'LeaseList', apiVersion: 'coordination.k8s.io/v1', metadata: {} };
