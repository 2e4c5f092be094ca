import type { Clock } from '@leasehold/core';
import type { Etcd } from './client.js';
import type { KeyValue, RangeRequest } from './rpc.js';

/**
 * Reads a range page by page: `limit` keys each at most, and as few as it takes for values of their size to be 8 MiB, as far as that can
 * be known from those before.
 *
 * @throws {EtcdError}
 */
export async function* pages(
  { client, clock }: { readonly client: Etcd; readonly clock: Clock },
  { limit: limitMax, ...range }: RangeRequest & { readonly limit: number },
): AsyncGenerator<readonly KeyValue[]> {
  let limit = Math.min(limitFirst, limitMax);
  for (let from = range.key; ;) {
    const untilMs = clock.monotonicMs() + 3 * pageMs;
    const { kvs, more } = await client.insist('Range', { ...range, key: from, limit }, untilMs, pageMs);
    yield kvs;
    const last = kvs.at(-1);
    if (!more || last === undefined) return;
    from = keyAfter(last.key);
    const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    limit = Math.min(limitMax, growth * limit, Math.ceil((kvs.length * bytesMax) / bytes));
  }
}

/** The key that follows directly. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

const limitFirst = 16;
const growth = 8;
const bytesMax = 8 * 2 ** 20;

/** How long a page may take: it may be many megabytes, for a server that has much else to do. */
const pageMs = 10_000;
