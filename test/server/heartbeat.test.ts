import { status as codes } from '@grpc/grpc-js';
import { startCoordinator, type LeaseCoordinator, type Store } from '@leasehold/core';
import type { Lease } from '@leasehold/proto/leasehold/v1/lease';
import {
  HeartbeatLossReason,
  HeartbeatRefusal,
  HeartbeatRequest,
  HeartbeatResponse,
  ReleaseRequest,
  RevokeRequest,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { FakeClock } from '@leasehold/sdk/testing';
import { describe, expect, test } from 'vitest';
import { Member, SharedMemory } from '../core/shared-memory.js';
import { acquire, call, frame, get, post, readRefusal, seconds, startTestServer, TestHeartbeat } from './support.js';

describe('a heartbeat stream', () => {
  test('attaches a held lease and says its duration and how long it stays held', async () => {
    const { client } = await startTestServer();
    const { namespace, name, holder, fencingToken } = await acquire(client);
    const stream = new TestHeartbeat(client);
    const sequence = stream.send({ attach: [{ namespace, name, holder, fencingToken }] });
    const { attached } = await stream.until((received) => received.find((message) => message.attached.length > 0));
    const duration = seconds(30);
    expect(attached).toEqual([
      { sequence, index: 0, outcome: { $case: 'handle', value: { handle: 1, duration, remaining: duration } } },
    ]);
  });

  test('answers attaches in the order asked for, and says why not', async () => {
    const { client } = await startTestServer();
    const a = await acquire(client, { name: 'a' });
    const b = await acquire(client, { name: 'b', holder: 'other' });
    const stream = new TestHeartbeat(client);
    const { namespace, holder } = a;
    stream.send({
      attach: [
        { namespace, name: 'nothing', holder, fencingToken: 1n },
        { namespace, name: 'b', holder: 'other', fencingToken: b.fencingToken },
        { namespace, name: 'A', holder, fencingToken: 1n },
        { namespace, name: 'a', holder, fencingToken: b.fencingToken },
        { namespace, name: 'a', holder, fencingToken: a.fencingToken },
      ],
    });
    const attached = await stream.until((received) => {
      const answers = received.flatMap((message) => message.attached);
      return answers.length === 5 ? answers : undefined;
    });
    expect(attached.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    const outcomes = attached.map(({ outcome }) => (outcome?.$case === 'handle' ? outcome.value.handle : outcome?.value.code));
    expect(outcomes).toEqual([codes.NOT_FOUND, 1, codes.INVALID_ARGUMENT, codes.FAILED_PRECONDITION, 2]);
  });

  test('attaches more leases at once than commands may wait, over a store of several servers', async () => {
    const shared = new SharedMemory(new FakeClock());
    const openStore = (): Promise<Store> => Promise.resolve(new Member(shared, 'only'));
    const { client } = await startTestServer(['--max-pending-commands', '10'], { openStore });
    const leases: Lease[] = [];
    for (let index = 0; index < 100; index += 1) {
      leases.push(await acquire(client, { name: `lease-${index}` }));
    }
    const stream = new TestHeartbeat(client);
    stream.send({
      attach: leases.map(({ namespace, name, holder, fencingToken }) => ({ namespace, name, holder, fencingToken })),
    });
    const attached = await stream.until((received) => {
      const answers = received.flatMap((message) => message.attached);
      return answers.length === leases.length ? answers : undefined;
    });
    expect(attached.filter(({ outcome }) => outcome?.$case !== 'handle')).toEqual([]);
  });

  test('renews by handle, and by all', async () => {
    const { client } = await startTestServer(['--min-duration', '100ms']);
    const a = await acquire(client, { name: 'a', duration: seconds(0.4) });
    const b = await acquire(client, { name: 'b', duration: seconds(0.4) });
    const stream = new TestHeartbeat(client);
    const handle = await stream.attach(a);
    await stream.attach(b);
    for (let beat = 0; beat < 12; beat++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      stream.send(beat < 6 ? { handles: [handle], all: true } : { handles: [handle] });
    }
    const lost = await stream.until((received) => received.flatMap((message) => message.lost)[0]);
    expect(lost).toMatchObject({ handle: 2, reason: HeartbeatLossReason.EXPIRED, holder: '', fencingToken: b.fencingToken });
    const { lease } = await get(client);
    expect(lease?.fencingToken).toBe(a.fencingToken);
  });

  test('acknowledges a burst by its last sequence number, in few messages', async () => {
    const { client, server } = await startTestServer();
    const { namespace, name, holder, fencingToken } = await acquire(client);
    const beats = Array.from({ length: 5000 }, (_, index) => ({ sequence: BigInt(index + 2), handles: [1] }));
    const messages = [{ sequence: 1n, attach: [{ namespace, name, holder, fencingToken }] }, ...beats];
    const body = Buffer.concat(
      messages.map((message) => frame(HeartbeatRequest.encode(HeartbeatRequest.fromPartial(message)).finish())),
    );
    const answer = await post(server.address, 'Heartbeat', body);
    expect(answer.status).toBe('0');
    const received = answer.messages.map((message) => HeartbeatResponse.decode(message));
    expect(received.length).toBeLessThan(500);
    const acknowledged = received.map((message) => message.acknowledged);
    expect(acknowledged).toEqual([...acknowledged].sort((x, y) => Number(x - y)));
    expect(acknowledged.at(-1)).toBe(5001n);
  });

  test('excepts handles that it does not know, once each, with the last message that beat them', async () => {
    const { client } = await startTestServer();
    const stream = new TestHeartbeat(client);
    stream.send({ handles: [7, 8] });
    const last = stream.send({ handles: [7] });
    await stream.acknowledged(last);
    const excepted = stream.received.flatMap((message) => message.excepted);
    expect(excepted.find(({ handle, sequence }) => handle === 7 && sequence === last)?.refusal).toBe(
      HeartbeatRefusal.NOT_ATTACHED,
    );
    expect(excepted.find(({ handle }) => handle === 8)?.refusal).toBe(HeartbeatRefusal.NOT_ATTACHED);
  });

  test('tells a loss before it acknowledges a beat that came after it, which it excepts', async () => {
    const { client } = await startTestServer();
    const lease = await acquire(client);
    const stream = new TestHeartbeat(client);
    const handle = await stream.attach(lease);
    await call(
      client,
      'release',
      ReleaseRequest.fromPartial({ namespace: 'default', name: 'a', fencingToken: lease.fencingToken }),
    );
    const sequence = stream.send({ handles: [handle] });
    const message = await stream.acknowledged(sequence);
    expect(positionOf(stream.received, ({ lost }) => lost.length > 0)).toBeLessThanOrEqual(stream.received.indexOf(message));
    expect(stream.received.flatMap(({ lost }) => lost)).toEqual([
      { handle, reason: HeartbeatLossReason.RELEASED, holder: '', fencingToken: lease.fencingToken, grace: undefined },
    ]);
    expect(message.excepted).toEqual([{ handle, sequence, refusal: HeartbeatRefusal.LOST }]);
  });

  test('tells a revoke with grace, goes on renewing, and tells the end', async () => {
    const { client } = await startTestServer();
    const lease = await acquire(client);
    const stream = new TestHeartbeat(client);
    const handle = await stream.attach(lease);
    const key = { namespace: 'default', name: 'a', fencingToken: lease.fencingToken };
    await call(client, 'revoke', RevokeRequest.fromPartial({ ...key, grace: seconds(20) }));
    const first = await stream.until((received) => received.flatMap(({ lost }) => lost)[0]);
    expect(first).toMatchObject({ handle, reason: HeartbeatLossReason.REVOKED, grace: seconds(20) });
    const beaten = await stream.acknowledged(stream.send({ handles: [handle] }));
    expect(beaten.excepted).toEqual([]);
    await call(client, 'release', ReleaseRequest.fromPartial(key));
    const second = await stream.until((received) => received.flatMap(({ lost }) => lost)[1]);
    expect(second).toMatchObject({ handle, grace: undefined });
  });

  test('tells a duration that grew', async () => {
    const { client } = await startTestServer();
    const stream = new TestHeartbeat(client);
    const handle = await stream.attach(await acquire(client, { duration: seconds(30) }));
    await acquire(client, { duration: seconds(60) });
    const durations = await stream.until((received) => received.find((message) => message.durations.length > 0)?.durations);
    expect(durations).toEqual([{ handle, duration: seconds(60) }]);
  });

  test('keeps a lease alive no more once it is detached, and never uses its handle again', async () => {
    const { client } = await startTestServer();
    const lease = await acquire(client);
    const stream = new TestHeartbeat(client);
    const handle = await stream.attach(lease);
    const sequence = stream.send({ detach: [handle], handles: [handle] });
    const message = await stream.acknowledged(sequence);
    expect(message.excepted).toEqual([{ handle, sequence, refusal: HeartbeatRefusal.NOT_ATTACHED }]);
    expect(await stream.attach(lease)).toBe(handle + 1);
  });

  test('that the client ends is answered to the end, and ends no lease', async () => {
    const { client } = await startTestServer();
    const { namespace, name, holder, fencingToken } = await acquire(client);
    const stream = new TestHeartbeat(client);
    const last = stream.send({ attach: [{ namespace, name, holder, fencingToken }] });
    stream.end();
    expect(await stream.ended).toBeUndefined();
    expect(stream.received.flatMap(({ attached }) => attached)).toHaveLength(1);
    expect(stream.received.at(-1)?.acknowledged).toBe(last);
    expect((await get(client)).lease).toMatchObject({ holder, fencingToken });
  });

  test('takes no more leases than the limit', async () => {
    const { client } = await startTestServer(['--max-handles-per-stream', '2']);
    const leases = [
      await acquire(client, { name: 'a' }),
      await acquire(client, { name: 'b' }),
      await acquire(client, { name: 'c' }),
    ];
    const stream = new TestHeartbeat(client);
    stream.send({
      attach: leases.map(({ namespace, name, holder, fencingToken }) => ({ namespace, name, holder, fencingToken })),
    });
    const attached = await stream.until((received) => {
      const answers = received.flatMap((message) => message.attached);
      return answers.length === 3 ? answers : undefined;
    });
    const refused = attached.flatMap(({ outcome }) => (outcome?.$case === 'refused' ? [outcome.value] : []));
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({
      code: codes.RESOURCE_EXHAUSTED,
      message: 'Limit exceeded: at most 2 leases on one heartbeat stream',
    });
  });

  test('is one of a limited number', async () => {
    const { client } = await startTestServer(['--max-heartbeat-streams', '1']);
    const first = new TestHeartbeat(client);
    await first.acknowledged(first.send());
    const refusal = readRefusal(await new TestHeartbeat(client).failure());
    expect(refusal).toMatchObject({ code: codes.RESOURCE_EXHAUSTED, reason: 'LIMIT_EXCEEDED' });
    first.end();
    expect(await first.ended).toBeUndefined();
    const next = new TestHeartbeat(client);
    await next.acknowledged(next.send());
  });

  test('keeps 10,000 leases that were attached by one message', async () => {
    const started: LeaseCoordinator[] = [];
    const { client } = await startTestServer([], {
      startCoordinator: async (options) => {
        const coordinator = await startCoordinator(options);
        started.push(coordinator);
        return coordinator;
      },
    });
    const claim = { holder: 'holder', acquireId: '', durationMs: 60_000 };
    const grants = started.flatMap((coordinator) =>
      Array.from({ length: 10_000 }, (_, index) =>
        coordinator.submit({ kind: 'acquire', namespace: 'default', name: `node-${index}`, claim, waitMs: 0, priority: 0 }),
      ),
    );
    const leases = (await Promise.all(grants)).flatMap((answer) => (answer.kind === 'granted' ? [answer.record] : []));
    const stream = new TestHeartbeat(client);
    stream.send({
      attach: leases.map(({ namespace, name, holder, fencingToken }) => ({ namespace, name, holder, fencingToken })),
    });
    await stream.until((received) => (received.flatMap(({ attached }) => attached).length === 10_000 ? true : undefined));
    const handles = stream.received
      .flatMap(({ attached }) => attached)
      .map(({ outcome }) => (outcome?.$case === 'handle' ? outcome.value.handle : 0));
    expect(handles).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1));
    const message = await stream.acknowledged(stream.send({ all: true }));
    expect(message.excepted).toEqual([]);
  });

  test('is told that the server drains, and then ended', async () => {
    const { client, server } = await startTestServer();
    const stream = new TestHeartbeat(client);
    const handle = await stream.attach(await acquire(client));
    const drained = server.drain();
    await stream.until((received) => received.find(({ draining }) => draining));
    const sequence = stream.send({ handles: [handle] });
    await stream.acknowledged(sequence);
    expect(readRefusal(await stream.failure())).toMatchObject({ code: codes.UNAVAILABLE, reason: 'DRAINING' });
    await drained;
    expect(stream.received.flatMap(({ lost }) => lost)).toEqual([]);
  });
});

function positionOf(received: readonly HeartbeatResponse[], found: (message: HeartbeatResponse) => boolean): number {
  const position = received.findIndex(found);
  return position === -1 ? Number.POSITIVE_INFINITY : position;
}
