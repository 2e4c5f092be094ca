import { status as codes } from '@grpc/grpc-js';
import { EventReason, EventType } from '@leasehold/proto/leasehold/v1/lease';
import { ReleaseRequest, UpdateRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { describe, expect, test } from 'vitest';
import { acquire, call, get, readRefusal, refusalOf, seconds, startTestServer, TestWatch, tryAcquire } from './support.js';

describe('a watch stream', () => {
  test('begins with the revision that it starts from, and then sends what happens', async () => {
    const { client } = await startTestServer();
    const watch = new TestWatch(client);
    await watch.until(() => watch.received.length === 1);
    expect(watch.received[0]?.events).toEqual([]);
    const start = watch.received[0]?.revision ?? 0n;
    const lease = await acquire(client, { labels: { app: 'x' } });
    await call(client, 'release', ReleaseRequest.fromPartial({ ...key, fencingToken: lease.fencingToken }));
    await watch.until(() => watch.events.length === 2);
    expect(watch.events).toMatchObject([
      { type: EventType.ACQUIRED, revision: lease.fencingToken, wasSelected: false, lease: { name: 'a', labels: { app: 'x' } } },
      { type: EventType.RELEASED, reason: EventReason.REQUESTED, wasSelected: true },
    ]);
    expect(start).toBeLessThan(lease.fencingToken);
    expect(watch.received.at(-1)?.revision).toBe(watch.events.at(-1)?.revision);
  });

  test('sends the same events to watchers that see them differently', async () => {
    const { client, newClient } = await startTestServer();
    const all = new TestWatch(client);
    const some = new TestWatch(newClient(), { labelSelector: 'app=x' });
    await all.until(() => all.received.length > 0);
    await some.until(() => some.received.length > 0);
    await acquire(client, { labels: { app: 'x' } });
    await call(client, 'update', UpdateRequest.fromPartial({ ...key, labels: { app: 'y' } }));
    await all.until(() => all.events.length === 2);
    await some.until(() => some.events.length === 2);
    expect(all.events.map(({ type }) => type)).toEqual([EventType.ACQUIRED, EventType.UPDATED]);
    expect(some.events.map(({ type, reason }) => [type, reason])).toEqual([
      [EventType.ACQUIRED, EventReason.REQUESTED],
      [EventType.DELETED, EventReason.UNSELECTED],
    ]);
  });

  test('resumes after a revision', async () => {
    const { client } = await startTestServer();
    const lease = await acquire(client);
    await acquire(client, { name: 'b' });
    await acquire(client, { name: 'c' });
    const watch = new TestWatch(client, { fromRevision: lease.resourceVersion });
    await watch.until(() => watch.events.length === 2);
    expect(watch.events.map((event) => event.lease?.name)).toEqual(['b', 'c']);
  });

  test('splits large changes into messages that clients take', async () => {
    const { client } = await startTestServer();
    const start = (await acquire(client, { name: 'first' })).resourceVersion;
    const annotations = { big: 'x'.repeat(250_000) };
    await Promise.all(Array.from({ length: 40 }, (_, index) => acquire(client, { name: `big-${index}`, annotations })));
    const watch = new TestWatch(client, { fromRevision: start });
    await watch.until(() => watch.events.length === 40);
    const revisions = watch.events.map(({ revision }) => revision);
    expect(new Set(revisions).size).toBe(40);
    for (const { events, revision } of watch.received.filter((message) => message.events.length > 0)) {
      expect(events.at(-1)?.revision).toBeLessThanOrEqual(revision);
    }
  });

  test('refuses a revision of the future in the end', async () => {
    const { client } = await startTestServer();
    const watch = new TestWatch(client, { fromRevision: 2n ** 62n });
    expect(readRefusal(await watch.ended)).toMatchObject({ code: codes.OUT_OF_RANGE, reason: 'REVISION_IN_FUTURE' });
  });

  test('refuses a revision from before the history', async () => {
    const { client } = await startTestServer();
    const refusal = readRefusal(await new TestWatch(client, { fromRevision: 1n }).ended);
    expect(refusal).toMatchObject({ code: codes.OUT_OF_RANGE, reason: 'REVISION_COMPACTED' });
    expect(refusal.detail?.oldestRevision).toBeGreaterThan(1n);
  });

  test('is ended by a drain, which answers those who wait', async () => {
    const { client, server } = await startTestServer();
    await acquire(client);
    const watch = new TestWatch(client);
    await watch.until(() => watch.received.length > 0);
    const waiting = refusalOf(tryAcquire(client, { holder: 'other', wait: seconds(60) }));
    // What is answered after it on the same connection was read after it.
    await get(client);
    await server.drain();
    expect(readRefusal(await watch.ended)).toMatchObject({ code: codes.UNAVAILABLE, reason: 'DRAINING' });
    expect(await waiting).toMatchObject({ code: codes.UNAVAILABLE, reason: 'DRAINING' });
  });
});

describe('a list', () => {
  test('cuts a page of large leases so that clients take it, and goes on after it', async () => {
    const { client } = await startTestServer();
    const annotations = { big: 'x'.repeat(250_000) };
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => acquire(client, { name: `big-${String(index).padStart(2, '0')}`, annotations })),
    );
    const names: (string | undefined)[] = [];
    let pageToken = '';
    let pages = 0;
    do {
      const page = await call(client, 'list', { namespace: '', labelSelector: '', pageSize: 0, pageToken, cached: false });
      names.push(...page.leases.map(({ name }) => name));
      pageToken = page.nextPageToken;
      pages++;
    } while (pageToken !== '');
    expect(pages).toBeGreaterThan(1);
    expect(names).toEqual(Array.from({ length: 20 }, (_, index) => `big-${String(index).padStart(2, '0')}`));
  });
});

const key = { namespace: 'default', name: 'a' };
