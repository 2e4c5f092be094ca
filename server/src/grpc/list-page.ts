import type { LeaseCoordinator, LeaseRecord, ListPage, ListQuery } from '@leasehold/core';

/**
 * Reads a page that fits into a message: with large annotations it has fewer leases than asked for, and the next page goes on after
 * them. Both reads happen in one turn, so that they see the same leases.
 */
export function readPage(coordinator: LeaseCoordinator, query: ListQuery): ListPage {
  const page = coordinator.list(query);
  const fitting = countFitting(page.leases.map(({ record }) => record));
  return fitting === page.leases.length ? page : coordinator.list({ ...query, pageSize: fitting });
}

/** Half of what clients take in one message by default. */
const pageBytesMax = 2 * 1024 * 1024;

/** An upper bound of a lease without labels and annotations, whose names are ASCII. */
const bareBytes = 1024;

function countFitting(records: readonly LeaseRecord[]): number {
  let bytes = 0;
  for (const [index, record] of records.entries()) {
    bytes += estimateBytes(record);
    if (bytes > pageBytesMax && index > 0) {
      return index;
    }
  }
  return records.length;
}

function estimateBytes(record: LeaseRecord): number {
  let bytes = bareBytes + Buffer.byteLength(record.holder);
  for (const map of [record.labels, record.annotations]) {
    for (const [key, value] of Object.entries(map)) {
      bytes += Buffer.byteLength(key) + Buffer.byteLength(value) + 16;
    }
  }
  return bytes;
}
