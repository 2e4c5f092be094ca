import type { Clock } from '@leasehold/core';
import type { Etcd } from './client.js';
import type { KeyValue, RangeRequest } from './rpc.js';

/** Reads a range page by page, `request.limit` keys each. @throws {EtcdError} */
export async function* pages(
  { client, clock }: { readonly client: Etcd; readonly clock: Clock },
  request: RangeRequest,
): AsyncGenerator<readonly KeyValue[]> {
  for (let from = request.key; ;) {
    const untilMs = clock.monotonicMs() + 3 * pageMs;
    const { kvs, more } = await client.insist('Range', { ...request, key: from }, untilMs, pageMs);
    yield kvs;
    const last = kvs.at(-1);
    if (!more || last === undefined) return;
    from = keyAfter(last.key);
  }
}

/** The key that follows directly. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

/** How long a page may take: it may be many megabytes, for a server that has much else to do. */
const pageMs = 10_000;
