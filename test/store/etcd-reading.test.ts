import type { LeaseRecord } from '@leasehold/core';
import { FakeClock } from '@leasehold/sdk/testing';
import { describe, expect, it } from 'vitest';
import type { Etcd } from '../../server/dist/store/etcd/client.js';
import { HistoryIndex } from '../../server/dist/store/etcd/history-index.js';
import { Keys } from '../../server/dist/store/etcd/keys.js';
import { readLeases } from '../../server/dist/store/etcd/leases.js';
import { pages } from '../../server/dist/store/etcd/pages.js';
import { Peers } from '../../server/dist/store/etcd/peers.js';
import type { KeyValue, RangeRequest, TxnRequest } from '../../server/dist/store/etcd/rpc.js';

/** What a store in etcd reads, and how much of it at once. */

const keys = new Keys('/leasehold/');
const clock = new FakeClock();
const kib = 1024;

/** An etcd that has these values, and counts what is asked of it. */
function etcdOf(values: readonly string[]): { client: Etcd; asked: { keys: number; bytes: number }[] } {
  const all = values.map((value, index): KeyValue => ({
    key: keys.lease(`default/lease-${String(index).padStart(6, '0')}`),
    value: Buffer.from(value),
    mod_revision: '1',
  }));
  const asked: { keys: number; bytes: number }[] = [];
  const insist = (_: string, { key, limit = 0 }: RangeRequest): unknown => {
    const from = all.findIndex((one) => Buffer.compare(one.key, key) >= 0);
    const kvs = from === -1 ? [] : all.slice(from, from + limit);
    asked.push({ keys: kvs.length, bytes: kvs.reduce((sum, { value }) => sum + value.length, 0) });
    return Promise.resolve({ kvs, more: from !== -1 && from + limit < all.length, header: { revision: '1' } });
  };
  return { client: { insist } as unknown as Etcd, asked };
}

async function readAll(client: Etcd, limit: number): Promise<string[]> {
  const read: string[] = [];
  for await (const kvs of pages({ client, clock }, { ...keys.leases, limit }))
    read.push(...kvs.map(({ value }) => value.toString()));
  return read;
}

describe('pages of a range', () => {
  it('grow to what is asked for, where values are small', async () => {
    const values = Array.from({ length: 30_000 }, (_, index) => `value ${index}`);
    const { client, asked } = etcdOf(values);
    expect(await readAll(client, 10_000)).toEqual(values);
    expect(asked.map((page) => page.keys)).toEqual([16, 128, 1024, 8192, 10_000, 10_000, 640]);
  });

  it('are of some 8 MiB, where values are large', async () => {
    const values = Array.from({ length: 500 }, (_, index) => `${index} `.padEnd(256 * kib, 'x'));
    const { client, asked } = etcdOf(values);
    expect(await readAll(client, 10_000)).toEqual(values);
    for (const { bytes } of asked) expect(bytes).toBeLessThan(8.5 * 1024 * kib);
    expect(asked.length).toBeLessThan(20);
  });

  it('are of one value at least', async () => {
    const values = ['a', 'b', 'c', 'd'].map((name) => name.repeat(20 * 1024 * kib));
    const { client } = etcdOf(values);
    expect((await readAll(client, 2)).map(({ length }) => length)).toEqual(values.map(({ length }) => length));
  });
});

describe('leases', () => {
  it('are decoded in parts, where large ones follow small ones', async () => {
    const body = (note: string): string => `["7",{"uid":"u","state":"AVAILABLE","annotations":{"note":"${note}"}}]`;
    const small = Array.from({ length: 2000 }, () => body('short'));
    const large = Array.from({ length: 100 }, () => body('x'.repeat(255 * kib)));
    const { client } = etcdOf([...small, ...large]);
    const parts: (readonly LeaseRecord[])[] = [];
    const reading = (async () => {
      for await (const records of readLeases({ client, clock, keys }, '1')) parts.push(records);
    })();
    // The event loop turns between the parts of a page.
    while (parts.flat().length < 2100) await clock.advance(1);
    await reading;
    expect(new Set(parts.flat().map(({ name }) => name)).size).toBe(2100);
    const sizes = parts.map((records) => records.reduce((sum, { annotations }) => sum + (annotations['note']?.length ?? 0), 0));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8 * 1024 * kib);
  });
});

describe('the other servers', () => {
  it('are looked for no more that have gone before the log was read', async () => {
    const asked: string[] = [];
    const call = (_: string, { success }: TxnRequest): unknown => {
      asked.push(String(success[0]?.request_delete_range?.key));
      return Promise.resolve({ succeeded: false });
    };
    const compare = { key: keys.sessionTtl, result: 'EQUAL', target: 'CREATE', create_revision: '0' } as const;
    const client = { call } as unknown as Etcd;
    const peers = new Peers({ client, clock, ttl: { ms: 3000, compare }, keyOf: (id) => keys.session(id) });
    peers.seen('gone', '1');
    peers.seen('living', '1');
    peers.forgetOthers(new Set(['living', 'own']));
    await clock.advance(3500);
    peers.stop();
    expect(new Set(asked)).toEqual(new Set([String(keys.session('living'))]));
  });
});

describe('the index of the history', () => {
  const indexOf = (...counts: number[]): HistoryIndex => {
    const index = new HistoryIndex();
    let last = 1000n;
    for (const count of counts) {
      // A restart leaves a gap.
      last += BigInt(count) + 10n;
      index.add({ last, count });
    }
    return index;
  };

  it('names the pieces that the next changes stand in, and no more of them', () => {
    const index = indexOf(5, 1, 120, 120, 3);
    const lasts = (after: bigint, limit: number): number[] => index.after(after, limit).map(({ last }) => Number(last));
    // They end at 1015, 1026, 1156, 1286 and 1299.
    expect(lasts(1000n, 1)).toEqual([1015]);
    expect(lasts(1000n, 5)).toEqual([1015]);
    expect(lasts(1000n, 6)).toEqual([1015, 1026]);
    expect(lasts(1013n, 2)).toEqual([1015]);
    expect(lasts(1013n, 3)).toEqual([1015, 1026]);
    expect(lasts(1015n, 121)).toEqual([1026, 1156]);
    expect(lasts(1286n, 256)).toEqual([1299]);
    expect(lasts(1299n, 256)).toEqual([]);
  });

  it('lets go of no more pieces at once than it is told to', () => {
    const index = indexOf(...Array.from({ length: 100 }, () => 2));
    expect(index.surplus(150, 1000)).toEqual({ last: 1000n + 25n * 12n, count: 2 });
    expect(index.surplus(150, 10)).toEqual({ last: 1000n + 10n * 12n, count: 2 });
    expect(index.surplus(200, 10)).toBeUndefined();
  });
});
