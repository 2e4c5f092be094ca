import { createClient, RefusedError, WatchExpiredError, type Client, type Lease, type LeaseEvent } from '@leasehold/sdk';
import { FakeClock } from '@leasehold/sdk/testing';
import { TestServer } from '@leasehold/sdk/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.js';
import { FakeTransport, leaseOf, unavailable } from './support/fake-transport.js';
import { clientOf, eventually, serve, storeFile } from './support/server.js';

/** What a reader that keeps up is shown: `holder#annotation`, or `-` for nobody. */
function shown(client: Client, name = 'x'): { readonly leaders: string[]; readonly end: Promise<unknown> } {
  const leaders: string[] = [];
  const end = (async () => {
    for await (const leader of client.observeLeader(name)) leaders.push(described(leader));
  })().catch((error: unknown) => error);
  return { leaders, end };
}

function described(leader: Lease | undefined): string {
  return leader === undefined ? '-' : `${leader.holder}#${leader.annotations['at'] ?? ''}`;
}

describe('observing a leader on a real server', () => {
  it('shows who leads now, and then each change of leader, of its labels and of its annotations', async () => {
    const { address } = await serve();
    const observer = clientOf(address);
    const client = clientOf(address);
    const { leaders } = shown(observer);
    await eventually(() => leaders.length === 1);
    const { granted: a } = await client.acquire('x', { holder: 'a', annotations: { at: '1' } });
    await eventually(() => leaders.length === 2);
    await a!.setAnnotations({ at: '2' });
    await eventually(() => leaders.length === 3);
    await client.update('x', { labels: { tier: 'web' } });
    await eventually(() => leaders.length === 4);
    await a!.release();
    await eventually(() => leaders.length === 5);
    await client.acquire('x', { holder: 'b', annotations: { at: '3' } });
    await eventually(() => leaders.length === 6);
    const { uid } = await client.get('x');
    await client.delete('x', { uid });
    await eventually(() => leaders.length === 7);
    expect(leaders).toEqual(['-', 'a#1', 'a#2', 'a#2', '-', 'b#3', '-']);
  });

  it('begins with a leader that is there already, and knows the newest', async () => {
    const { address } = await serve();
    const client = clientOf(address);
    const { granted } = await client.acquire('x', { annotations: { at: 'here' } });
    const observer = clientOf(address).observeLeader('x');
    expect(observer.current).toBeUndefined();
    for await (const leader of observer) {
      expect(leader?.fencingToken).toBe(granted!.fencingToken);
      break;
    }
    expect(observer.current?.annotations).toEqual({ at: 'here' });
  });

  it('shows a hand-over as the next leader, with no moment of nobody in between', async () => {
    const { address } = await serve();
    const client = clientOf(address);
    const { granted: first } = await client.acquire('x', { holder: 'a' });
    const { leaders } = shown(client);
    await eventually(() => leaders.length === 1);
    const next = client.acquire('x', { holder: 'b', waitMs: 10_000 });
    const { fencingToken } = first!;
    const handOver = () => client.release('x', { fencingToken, transferTo: 'b' });
    await eventually(() => handOver().then(Boolean, (error: unknown) => error instanceof RefusedError && false));
    await next;
    await eventually(() => leaders.length >= 2);
    await client.update('x', { annotations: { at: 'z' } });
    await eventually(() => leaders.at(-1) === 'b#z');
    expect(leaders).toEqual(['a#', 'b#', 'b#z']);
  });

  it('goes on over cut connections and a restart of the server', async () => {
    const store = await storeFile();
    let server = await serve(store);
    const network = await FaultProxy.to(server.port);
    const client = clientOf(server.address);
    const { leaders } = shown(clientOf(network.address));
    await eventually(() => leaders.length === 1);
    network.cut();
    const { granted } = await client.acquire('x', { holder: 'a', durationMs: 60_000 });
    await eventually(() => leaders.length === 2);
    await server.drain();
    server = await serve(store, server.port);
    await granted!.setAnnotations({ at: 'new' });
    await eventually(() => leaders.length === 3);
    expect(leaders).toEqual(['-', 'a#', 'a#new']);
    await granted!.release();
  });
});

describe('observing a leader', () => {
  function start(): { clock: FakeClock; transport: FakeTransport; client: Client } {
    const clock = new FakeClock();
    const transport = new FakeTransport();
    const client = createClient({ transport, clock });
    onTestFinished(() => client.close());
    return { clock, transport, client };
  }

  function held(fencingToken: bigint, resourceVersion: bigint = fencingToken): Lease {
    return leaseOf({ holder: `h${fencingToken}`, state: 'HELD', fencingToken, resourceVersion });
  }

  function event(lease: Lease, type: LeaseEvent['type'] = 'ACQUIRED', revision: bigint = lease.resourceVersion): LeaseEvent {
    return { type, lease, reason: undefined, revision, wasSelected: true };
  }

  const gone = new WatchExpiredError({ code: 'OUT_OF_RANGE', reason: 'REVISION_COMPACTED', message: 'gone' });

  it('shows that a leader has vanished once its lease has expired, and that one being revoked still leads', async () => {
    await using server = await TestServer.start();
    const client = server.client();
    const process = server.clock.process();
    const { granted } = await server.client({ clock: process }).acquire('x', { holder: 'a', durationMs: 20_000 });
    const { leaders } = shown(client);
    await server.clock.advance(0);
    await client.revoke('x', { fencingToken: granted!.fencingToken, graceMs: 60_000 });
    expect((await client.get('x')).revoking).toBe(true);
    process.kill();
    await server.clock.advance(19_000);
    expect(leaders).toEqual(['a#']);
    await server.clock.advance(2000);
    expect(leaders).toEqual(['a#', '-']);
  });

  it('gives a slow reader only the newest', async () => {
    const { clock, transport, client } = start();
    transport.record = held(10n);
    const events = [11n, 12n, 13n].map((token) => event(held(token)));
    transport.watchScripts.push({
      messages: [{ events: [], revision: 10n }, ...events.map((each) => ({ events: [each], revision: each.revision }))],
    });
    const leaders = client.observeLeader('x')[Symbol.asyncIterator]();
    expect(described((await leaders.next()).value as Lease)).toBe('h10#');
    await clock.advance(0);
    expect(described((await leaders.next()).value as Lease)).toBe('h13#');
  });

  it('says nothing when what changed has changed back before the reader looked', async () => {
    const { clock, transport, client } = start();
    const labelled = (revision: bigint, at: string) => event(leaseOf({ ...held(10n, revision), annotations: { at } }), 'UPDATED');
    transport.record = leaseOf({ ...held(10n), annotations: { at: 'a' } });
    transport.watchScripts.push({
      messages: [
        { events: [], revision: 10n },
        { events: [labelled(11n, 'b')], revision: 11n },
        { events: [labelled(12n, 'a')], revision: 12n },
        { events: [], revision: 13n },
      ],
    });
    const leaders = client.observeLeader('x')[Symbol.asyncIterator]();
    expect(described((await leaders.next()).value as Lease)).toBe('h10#a');
    await clock.advance(0);
    let more = false;
    const onMore = () => (more = true);
    leaders.next().then(onMore, () => undefined);
    await clock.advance(60_000);
    expect(more).toBe(false);
  });

  it('passes over events that are older than what it has read', async () => {
    const { clock, transport, client } = start();
    transport.record = held(12n);
    const old = event(leaseOf({ ...held(11n), state: 'AVAILABLE' }), 'RELEASED');
    transport.watchScripts.push({
      messages: [
        { events: [], revision: 10n },
        { events: [old, event(held(12n))], revision: 12n },
      ],
    });
    const { leaders } = shown(client);
    await clock.advance(0);
    expect(leaders).toEqual(['h12#']);
  });

  it('reads again when the watch has fallen off the history, and when nobody answers', async () => {
    const { clock, transport, client } = start();
    transport.record = held(10n);
    transport.watchScripts.push({ messages: [{ events: [], revision: 10n }], error: gone });
    transport.watchScripts.push({ messages: [{ events: [], revision: 20n }] });
    const { leaders } = shown(client);
    await clock.advance(0);
    expect(leaders).toEqual(['h10#']);
    const get = transport.get.bind(transport);
    transport.get = () => Promise.reject(unavailable());
    for (let reads = 0; reads < 20; reads += 1) transport.watchScripts.push({ messages: [{ events: [], revision: 20n }] });
    await clock.advance(20_000);
    expect(leaders).toEqual(['h10#']);
    transport.record = held(18n);
    transport.get = get;
    await clock.advance(2000);
    expect(leaders).toEqual(['h10#', 'h18#']);
    expect(new Set(transport.watches.map(({ fromRevision, name }) => `${name} ${fromRevision}`))).toEqual(new Set(['x 0']));
  });

  it('throws what no repeat would mend, even while the reader is busy', async () => {
    const { clock, transport, client } = start();
    transport.get = () => Promise.reject(new RefusedError({ code: 'PERMISSION_DENIED', reason: 'NO', message: 'no' }));
    transport.watchScripts.push({ messages: [{ events: [], revision: 10n }] });
    const { leaders, end } = shown(client);
    await clock.advance(0);
    expect(leaders).toEqual([]);
    expect(await end).toMatchObject({ name: 'RefusedError', reason: 'NO' });
  });

  it('ends the stream when the loop is left', async () => {
    const { clock, transport, client } = start();
    const ended: boolean[] = [];
    const watch = transport.watch.bind(transport);
    transport.watch = (request, signal) => {
      signal.addEventListener('abort', () => ended.push(true));
      return watch(request, signal);
    };
    transport.watchScripts.push({ messages: [{ events: [], revision: 10n }] });
    for await (const leader of client.observeLeader('x')) {
      expect(leader).toBeUndefined();
      break;
    }
    await clock.advance(0);
    expect(ended).toEqual([true]);
    expect(clock.timers).toBe(0);
  });

  it.each(['at the start', 'while it waits for an answer', 'while it waits for a change', 'between two attempts'])(
    'throws the reason of its signal, and that the client is closed: %s',
    async (moment) => {
      const { clock, transport, client } = start();
      if (moment === 'while it waits for a change') transport.watchScripts.push({ messages: [{ events: [], revision: 10n }] });
      if (moment === 'between two attempts')
        transport.watchScripts.push({ messages: [], error: gone }, { messages: [], error: gone });
      const abort = new AbortController();
      if (moment === 'at the start') abort.abort(new Error('enough'));
      const byAbort = (async () => {
        for await (const leader of client.observeLeader('x', { signal: abort.signal })) expect(leader).toBeUndefined();
      })().catch((error: unknown) => error);
      const { end } = shown(client);
      await clock.advance(0);
      abort.abort(new Error('enough'));
      expect(await byAbort).toMatchObject({ message: 'enough' });
      await client.close();
      expect(await end).toMatchObject({ name: 'ClientClosedError' });
    },
  );
});
