import type { Clock, LeaseRecord } from '@leasehold/core';
import { decodeLeases } from '../record-codec.js';
import type { Etcd } from './client.js';
import type { Keys } from './keys.js';
import { pages } from './pages.js';
import type { KeyValue } from './rpc.js';

/** Where leases stand. */
export interface LeasesParts {
  readonly client: Etcd;
  readonly clock: Clock;
  readonly keys: Keys;
}

/** All leases as they were at a revision of etcd, in parts: however many there are, and however large, the event loop turns between them. */
export async function* readLeases(parts: LeasesParts, revision: string): AsyncGenerator<readonly LeaseRecord[]> {
  const { keys, clock } = parts;
  for await (const kvs of pages(parts, { ...keys.leases, limit: leasesPerPage, revision })) {
    for (const slice of slicesOf(kvs)) {
      if (slice !== kvs) await new Promise<void>((resolve) => clock.soon(resolve));
      yield decode(keys, slice);
    }
  }
}

function decode(keys: Keys, kvs: readonly KeyValue[]): readonly LeaseRecord[] {
  const rows = kvs.map(({ key, value }) => {
    const [namespace = '', name = ''] = keys.nameOf(key).split('/');
    // The value is the list of the version and the rest.
    return `[${JSON.stringify(namespace)},${JSON.stringify(name)},${value.toString().slice(1)}`;
  });
  return decodeLeases(`[${rows.join(',')}]`);
}

/** What is decoded at once: parts of 8 MiB; a page can be larger, where small leases are followed by large ones. */
function* slicesOf(kvs: readonly KeyValue[]): Generator<readonly KeyValue[]> {
  let from = 0;
  let bytes = 0;
  for (const [index, { value }] of kvs.entries()) {
    if (bytes + value.length > sliceBytesMax && index > from) {
      yield kvs.slice(from, index);
      [from, bytes] = [index, 0];
    }
    bytes += value.length;
  }
  yield from === 0 ? kvs : kvs.slice(from);
}

/** For each page etcd counts all keys that are left: few long pages take it less time than many short ones. */
const leasesPerPage = 10_000;

const sliceBytesMax = 8 * 2 ** 20;
