import { FakeClock } from '@leasehold/sdk/testing';
import { describe, expect, it } from 'vitest';
import { EtcdError, type Etcd } from '../../server/dist/store/etcd/client.js';
import type { Operation, WatchResponse } from '../../server/dist/store/etcd/rpc.js';
import { Chance } from './chance.js';
import { EtcdLink, FakeEtcd } from './fake-etcd.js';

const key = (name: string): Buffer => Buffer.from(name);
const put = (name: string, value: string): Operation => ({ request_put: { key: key(name), value: Buffer.from(value) } });
const all = { key: key('a'), range_end: key('z') };

function write(etcd: FakeEtcd, ...success: Operation[]): void {
  etcd.call('Txn', { compare: [], success });
}

describe('the store of a fake etcd', () => {
  it('reads keys in order, up to a limit, as they were at a revision', () => {
    const etcd = new FakeEtcd();
    write(etcd, put('b', '1'), put('a', '1'));
    write(etcd, put('a', '2'), { request_delete_range: { key: key('b') } });
    const read = (request: object): string[] =>
      etcd.call('Range', { ...all, ...request }).kvs.map(({ key: name, value }) => `${name.toString()}=${value.toString()}`);
    expect(read({})).toEqual(['a=2']);
    expect(read({ revision: '2' })).toEqual(['a=1', 'b=1']);
    expect(read({ revision: '2', keys_only: true })).toEqual(['a=', 'b=']);
    expect(etcd.call('Range', { ...all, revision: '2', limit: 1 }).more).toBe(true);
    expect(() => etcd.call('Range', { ...all, revision: '4' })).toThrow('future');
  });

  it('does all of a transaction, if all it compares holds', () => {
    const etcd = new FakeEtcd();
    const does = (...compare: Parameters<FakeEtcd['call']>[1][]): boolean =>
      etcd.call('Txn', { compare: compare as never, success: [put('a', 'x')] }).succeeded;
    const absent = { key: key('a'), result: 'EQUAL', target: 'CREATE', create_revision: '0' };
    expect(does({ key: key('a'), result: 'EQUAL', target: 'VALUE', value: Buffer.alloc(0) })).toBe(false);
    expect(does(absent)).toBe(true);
    expect(does(absent)).toBe(false);
    expect(does({ ...absent, result: 'GREATER' })).toBe(true);
    expect(does({ key: key('a'), result: 'EQUAL', target: 'MOD', mod_revision: '2' })).toBe(false);
    expect(does({ key: key('a'), result: 'EQUAL', target: 'MOD', mod_revision: '3' })).toBe(true);
    expect(does({ key: key('a'), result: 'EQUAL', target: 'VALUE', value: Buffer.from('x') })).toBe(true);
    expect(etcd.revision).toBe(5n);
    expect(() => write(etcd, put('a', '1'), put('a', '2'))).toThrow('duplicate key');
  });

  it('takes no revision for a transaction that changes nothing', () => {
    const etcd = new FakeEtcd();
    write(etcd, { request_delete_range: all });
    expect(etcd.revision).toBe(1n);
  });

  it('has nothing of what came before a compaction', () => {
    const etcd = new FakeEtcd();
    write(etcd, put('a', '1'));
    write(etcd, put('a', '2'));
    etcd.call('Compact', { revision: '3' });
    expect(() => etcd.call('Range', { ...all, revision: '2' })).toThrow('compacted');
    expect(etcd.call('Range', { ...all, revision: '3' }).kvs).toHaveLength(1);
    expect(() => etcd.call('Compact', { revision: '3' })).toThrow('compacted');
  });
});

describe('the link to a fake etcd', () => {
  it('carries calls and what is watched, transactions whole and in order', async () => {
    const { clock, etcd, client } = world();
    const [seen, seenLater] = [watch(client, 2n), watch(client, 3n)];
    write(etcd, put('a', '1'));
    write(etcd, put('a', '2'), put('b', '2'));
    await clock.advance(100);
    expect(told(seen).flat()).toEqual(['a', 'a', 'b']);
    expect(told(seenLater)).toEqual([['a', 'b']]);
    const { kvs } = await over(clock, client.call('Range', all));
    expect(kvs).toHaveLength(2);
  });

  it('does what arrives after its caller has given up', async () => {
    const { clock, etcd, link, client } = world();
    link.weather = { loss: 0, slow: 1, slowMsMax: 100_000, breaks: 0 };
    await expect(over(clock, client.call('Txn', { compare: [], success: [put('a', '1')] }, 10))).rejects.toThrow(EtcdError);
    expect(etcd.revision).toBe(1n);
    await clock.advance(100_000);
    expect(etcd.revision).toBe(2n);
  });

  it('loses what it is told to lose', async () => {
    const { clock, etcd, link, client } = world();
    link.weather = { loss: 1, slow: 0, slowMsMax: 0, breaks: 0 };
    await expect(over(clock, client.call('Txn', { compare: [], success: [put('a', '1')] }))).rejects.toThrow('no answer in time');
    expect(etcd.revision).toBe(1n);
  });

  it('stalls watches while calls are answered, and tells everything afterwards', async () => {
    const { clock, etcd, link, client } = world();
    const seen = watch(client, 2n);
    await clock.advance(100);
    link.stall();
    write(etcd, put('a', '1'));
    await clock.advance(60_000);
    expect(told(seen)).toEqual([]);
    expect((await over(clock, client.call('Range', all))).kvs).toHaveLength(1);
    link.restore();
    await clock.advance(100);
    expect(told(seen)).toEqual([['a']]);
  });

  it('tells at once, or lets keepalive tell, that it is cut', async () => {
    for (const [how, unnoticedMs] of [
      ['refusing', 0],
      ['silent', 3990],
    ] as const) {
      const { clock, link, client } = world();
      const seen = watch(client, 1n);
      await clock.advance(100);
      link.cut(how);
      await clock.advance(unnoticedMs);
      expect(seen.ends).toBe(0);
      await clock.advance(20);
      expect(seen.ends).toBe(1);
      const error = how === 'silent' ? 'no answer in time' : 'no connection';
      await expect(over(clock, client.call('Range', all))).rejects.toThrow(error);
      link.restore();
      await over(clock, client.call('Range', all));
    }
  });

  it('tells a watch that begins before a compaction where the history begins', async () => {
    const { clock, etcd, client } = world();
    write(etcd, put('a', '1'));
    write(etcd, put('a', '2'));
    etcd.call('Compact', { revision: '3' });
    const seen = watch(client, 2n);
    await clock.advance(100);
    expect(seen.responses.at(-1)).toMatchObject({ canceled: true, compact_revision: '3', events: [] });
  });
});

interface Seen {
  readonly responses: WatchResponse[];
  ends: number;
}

function world(): { clock: FakeClock; etcd: FakeEtcd; link: EtcdLink; client: Etcd } {
  const clock = new FakeClock();
  const etcd = new FakeEtcd();
  const link = new EtcdLink({ etcd, time: clock, chance: new Chance(1), EtcdError });
  return { clock, etcd, link, client: link.client(clock.process()) };
}

function watch(client: Etcd, start: bigint): Seen {
  const seen: Seen = { responses: [], ends: 0 };
  const request = { create_request: { ...all, start_revision: String(start) } };
  const onEnd = (): void => {
    seen.ends += 1;
  };
  client.watch(request, (response) => seen.responses.push(response), onEnd);
  return seen;
}

/** The keys of what was told, a list for each message. */
function told({ responses }: Seen): string[][] {
  return responses.map(({ events }) => events.map(({ kv }) => kv.key.toString())).filter(({ length }) => length > 0);
}

async function over<T>(clock: FakeClock, result: Promise<T>): Promise<T> {
  result.catch(() => undefined);
  await clock.advance(5000);
  return result;
}
