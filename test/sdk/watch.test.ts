import { createClient, WatchExpiredError, type Client, type LeaseEvent } from '@leasehold/sdk';
import { FakeClock } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FakeTransport, leaseOf, unavailable } from './support/fake-transport.js';

let clock: FakeClock;
let transport: FakeTransport;
let client: Client;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
  client = createClient({ transport, clock });
  onTestFinished(() => client.close());
});

function event(revision: bigint, type: LeaseEvent['type'] = 'ACQUIRED'): LeaseEvent {
  return { type, lease: leaseOf({ resourceVersion: revision }), reason: undefined, revision, wasSelected: true };
}

function message(revision: bigint, ...events: LeaseEvent[]) {
  return { events, revision };
}

/** Takes so many events, while time passes for whatever waits. */
async function take(events: AsyncIterable<LeaseEvent>, count: number): Promise<bigint[]> {
  const taken: bigint[] = [];
  const all = (async () => {
    for await (const { revision } of events) {
      taken.push(revision);
      if (taken.length === count) break;
    }
  })();
  all.catch(() => undefined);
  await clock.advance(10_000);
  await all;
  return taken;
}

describe('a watch', () => {
  it('yields events in order and resumes from the last revision after each disconnect', async () => {
    transport.watchScripts.push(
      { messages: [message(5n), message(7n, event(6n), event(7n))], error: unavailable() },
      { messages: [], error: unavailable() },
      { messages: [message(9n, event(9n))], error: unavailable() },
      { messages: [message(10n, event(10n))] },
    );
    expect(await take(client.watch(), 4)).toEqual([6n, 7n, 9n, 10n]);
    expect(transport.watches.map(({ fromRevision }) => fromRevision)).toEqual([0n, 7n, 7n, 9n]);
  });

  it('resumes from a bookmark', async () => {
    transport.watchScripts.push(
      { messages: [message(5n), message(50n)], error: unavailable() },
      { messages: [message(60n, event(60n))] },
    );
    expect(await take(client.watch(), 1)).toEqual([60n]);
    expect(transport.watches[1]?.fromRevision).toBe(50n);
  });

  it('tells up to where everything has been handed out, a release and its grant together', async () => {
    transport.watchScripts.push({ messages: [message(5n), message(8n, event(6n), event(8n, 'RELEASED'), event(8n))] });
    const watch = client.watch();
    expect(watch.revision).toBe(0n);
    const events = watch[Symbol.asyncIterator]();
    const revisions: bigint[] = [];
    for (let taken = 0; taken < 3; taken += 1) {
      await events.next();
      revisions.push(watch.revision);
    }
    expect(revisions).toEqual([6n, 6n, 8n]);
    watch.close();
  });

  it('takes up where the last loop stopped', async () => {
    transport.watchScripts.push(
      { messages: [message(5n), message(7n, event(6n), event(7n))] },
      { messages: [message(8n, event(8n))] },
    );
    const watch = client.watch();
    expect(await take(watch, 1)).toEqual([6n]);
    expect(await take(watch, 2)).toEqual([7n, 8n]);
    expect(transport.watches[1]?.fromRevision).toBe(7n);
  });

  it('says from where it sees everything, and loses nothing by that', async () => {
    transport.watchScripts.push({ messages: [message(5n), message(6n, event(6n))] });
    const watch = client.watch();
    expect(await watch.ready()).toBe(5n);
    expect(await take(watch, 1)).toEqual([6n]);
    expect(transport.watches).toHaveLength(1);
  });

  it('throws when the history it needs is gone', async () => {
    const what = { code: 'OUT_OF_RANGE', reason: 'REVISION_COMPACTED', message: 'gone', data: { oldestRevision: 40n } };
    transport.watchScripts.push({ messages: [], error: new WatchExpiredError(what) });
    await expect(take(client.watch({ fromRevision: 3n }), 1)).rejects.toMatchObject({
      name: 'WatchExpiredError',
      data: { oldestRevision: 40n },
    });
  });

  it('ends quietly when it is closed, and with the reason when its signal aborts', async () => {
    const quiet = client.watch();
    const ended = take(quiet, 1);
    quiet.close();
    expect(await ended).toEqual([]);

    const abort = new AbortController();
    const loud = expect(take(client.watch({ signal: abort.signal }), 1)).rejects.toThrow('enough');
    abort.abort(new Error('enough'));
    await loud;
  });

  it('yields nothing more once its signal has aborted, not even what has come already', async () => {
    transport.watchScripts.push({ messages: [{ events: [event(5n), event(6n)], revision: 6n }] });
    const abort = new AbortController();
    const events = client.watch({ signal: abort.signal })[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject({ revision: 5n });
    abort.abort(new Error('enough'));
    await expect(events.next()).rejects.toThrow('enough');
  });

  it('throws once the client is closed', async () => {
    const watching = expect(take(client.watch(), 1)).rejects.toMatchObject({ name: 'ClientClosedError' });
    await client.close();
    await watching;
  });

  it('asks for what its options say', async () => {
    const watch = client.watch({ allNamespaces: true, name: 'x', labelSelector: 'a=b', fromRevision: 4n, includeRenewals: true });
    transport.watchScripts.push({ messages: [message(5n)] });
    await watch[Symbol.asyncIterator]().return(undefined);
    const events = watch[Symbol.asyncIterator]();
    const next = events.next();
    await clock.advance(0);
    watch.close();
    await next;
    expect(transport.watches[0]).toEqual({
      namespace: '',
      name: 'x',
      labelSelector: 'a=b',
      fromRevision: 4n,
      includeRenewals: true,
    });
  });
});
