import { status as codes } from '@grpc/grpc-js';
import {
  AcquireRequest,
  CreateRequest,
  DeleteRequest,
  HeartbeatAttach,
  ListRequest,
  ReleaseRequest,
  RenewRequest,
  RevokeRequest,
  UpdateRequest,
  WatchRequest,
  type LeaseServiceClient,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { describe, expect, test } from 'vitest';
import {
  acquire,
  call,
  frame,
  get,
  post,
  readRefusal,
  refusalOf,
  seconds,
  startTestServer,
  TestHeartbeat,
  TestWatch,
  tryAcquire,
} from './support.js';

const manyLabels = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`label-${index}`, 'x']));

const badAcquires: [string, Partial<AcquireRequest>, string, string][] = [
  ['an empty namespace', { namespace: '' }, 'namespace', 'got ""'],
  ['a namespace with a slash', { namespace: 'a/b' }, 'namespace', 'got "a/b"'],
  ['a namespace of 64 characters', { namespace: 'n'.repeat(64) }, 'namespace', 'must be a DNS label of 1 to 63'],
  ['a namespace in capitals', { namespace: 'Default' }, 'namespace', 'got "Default"'],
  ['an empty name', { name: '' }, 'name', 'got ""'],
  ['a name of 254 characters', { name: 'n'.repeat(254) }, 'name', 'must be a DNS subdomain of 1 to 253'],
  ['a name with two dots', { name: 'a..b' }, 'name', 'got "a..b"'],
  ['no holder', { holder: '' }, 'holder', 'must have 1 to 512 bytes, got ""'],
  ['a holder of 513 bytes', { holder: 'h'.repeat(513) }, 'holder', 'must have at most 512 bytes, got "513 bytes"'],
  ['a holder of 171 characters of 3 bytes', { holder: '€'.repeat(171) }, 'holder', 'got "513 bytes"'],
  ['a holder that was not UTF-8', { holder: 'a\uFFFD' }, 'holder', 'must be valid UTF-8 without U+FFFD'],
  ['no duration', { duration: undefined }, 'duration', 'is required'],
  ['a duration of 0', { duration: seconds(0) }, 'duration', 'must be 100 ms to 86400000 ms, got "0 ms"'],
  ['a duration of 99 ms', { duration: seconds(0.099) }, 'duration', 'got "99 ms"'],
  ['a negative duration', { duration: seconds(-5) }, 'duration', 'must not be negative, got "-5 s and 0 ns"'],
  ['a duration of 25 h', { duration: seconds(90_000) }, 'duration', 'got "90000000 ms"'],
  [
    'a duration of an absurd length',
    { duration: { seconds: 2n ** 62n, nanos: 0 } },
    'duration',
    'must have at most 315576000000 s',
  ],
  [
    'a duration with nanos beyond a second',
    { duration: { seconds: 1n, nanos: 2_000_000_000 } },
    'duration',
    'must have nanos below a second',
  ],
  ['a negative wait', { wait: seconds(-1) }, 'wait', 'must not be negative'],
  ['a wait of 25 h', { wait: seconds(90_000) }, 'wait', 'must be 0 ms to 86400000 ms'],
  ['an acquire id of 129 bytes', { acquireId: 'i'.repeat(129) }, 'acquire_id', 'must have at most 128 bytes, got "129 bytes"'],
  ['65 labels', { labels: manyLabels }, 'labels', 'must have at most 64 entries, got 65'],
  ['a label key with a space', { labels: { 'a b': 'x' } }, 'labels', 'got "a b"'],
  ['a label value of 64 characters', { labels: { a: 'x'.repeat(64) } }, 'labels["a"]', 'must be empty or 1 to 63 characters'],
  [
    '257 KiB of annotations',
    { annotations: { a: 'x'.repeat(257 * 1024) } },
    'annotations',
    'must have at most 262144 bytes of keys and values',
  ],
  ['a lock delay of 2 h', { lockDelay: seconds(7200) }, 'lock_delay', 'must be 0 ms to 3600000 ms, got "7200000 ms"'],
  ['a retention that is negative', { keepAfterExpiry: seconds(-1) }, 'keep_after_expiry', 'must not be negative'],
];

describe('bad input', () => {
  test.each(badAcquires)('Acquire with %s names field, rule and value', async (_, fields, field, says) => {
    const { client } = await startTestServer();
    const refusal = await refusalOf(tryAcquire(client, fields));
    expect(refusal).toMatchObject({ code: codes.INVALID_ARGUMENT, reason: 'INVALID_FIELD', domain: 'leasehold', field });
    expect(refusal.message).toContain(`Invalid ${field}: `);
    expect(refusal.message).toContain(says);
    await acquire(client);
  });

  const lease = { namespace: 'default', name: 'a' };
  const others: [string, (c: LeaseServiceClient) => Promise<unknown>, string][] = [
    ['Renew without a token', (c) => call(c, 'renew', RenewRequest.fromPartial({ ...lease, holder: 'h' })), 'fencing_token'],
    [
      'Renew with a negative token',
      (c) => call(c, 'renew', RenewRequest.fromPartial({ ...lease, holder: 'h', fencingToken: -1n })),
      'fencing_token',
    ],
    ['Renew without a holder', (c) => call(c, 'renew', RenewRequest.fromPartial({ ...lease, fencingToken: 1n })), 'holder'],
    ['RenewBatch without renewals', (c) => call(c, 'renewBatch', { renewals: [] }), 'renewals'],
    [
      'RenewBatch of 1,001',
      (c) => call(c, 'renewBatch', { renewals: Array.from({ length: 1001 }, () => RenewRequest.fromPartial(lease)) }),
      'renewals',
    ],
    ['Release without a token', (c) => call(c, 'release', ReleaseRequest.fromPartial(lease)), 'fencing_token'],
    [
      'Revoke with a negative grace',
      (c) => call(c, 'revoke', RevokeRequest.fromPartial({ ...lease, fencingToken: 1n, grace: seconds(-1) })),
      'grace',
    ],
    [
      'Revoke with a grace and by force',
      (c) => call(c, 'revoke', RevokeRequest.fromPartial({ ...lease, fencingToken: 1n, grace: seconds(1), force: true })),
      'grace',
    ],
    ['Get of a bad name', (c) => call(c, 'get', { namespace: 'default', name: 'A', cached: false }), 'name'],
    ['List of a bad namespace', (c) => call(c, 'list', ListRequest.fromPartial({ namespace: 'A' })), 'namespace'],
    ['List with a bad selector', (c) => call(c, 'list', ListRequest.fromPartial({ labelSelector: 'a in b' })), 'label_selector'],
    ['List with a negative page size', (c) => call(c, 'list', ListRequest.fromPartial({ pageSize: -1 })), 'page_size'],
    ['List with a page size of 1,001', (c) => call(c, 'list', ListRequest.fromPartial({ pageSize: 1001 })), 'page_size'],
    ['List with a page token of its own', (c) => call(c, 'list', ListRequest.fromPartial({ pageToken: 'x' })), 'page_token'],
    ['Create with bad labels', (c) => call(c, 'create', CreateRequest.fromPartial({ ...lease, labels: { '': 'x' } })), 'labels'],
    [
      'Update with a negative version',
      (c) => call(c, 'update', UpdateRequest.fromPartial({ ...lease, resourceVersion: -1n })),
      'resource_version',
    ],
    [
      'Delete with a negative token',
      (c) => call(c, 'delete', DeleteRequest.fromPartial({ ...lease, fencingToken: -1n })),
      'fencing_token',
    ],
  ];

  test.each(others)('%s is refused by field', async (_, make, field) => {
    const { client } = await startTestServer();
    const refusal = await refusalOf(make(client));
    expect(refusal).toMatchObject({ code: codes.INVALID_ARGUMENT, reason: 'INVALID_FIELD', field });
    await acquire(client);
  });

  test.each([
    ['a bad selector', { labelSelector: '=' }, 'label_selector'],
    ['a name without a namespace', { name: 'a' }, 'namespace'],
    ['a negative revision', { fromRevision: -1n }, 'from_revision'],
  ])('Watch with %s is refused by field', async (_, fields, field) => {
    const { client } = await startTestServer();
    const refusal = readRefusal(await new TestWatch(client, WatchRequest.fromPartial(fields)).ended);
    expect(refusal).toMatchObject({ code: codes.INVALID_ARGUMENT, reason: 'INVALID_FIELD', field });
    await acquire(client);
  });

  test('a wrong token names the holder', async () => {
    const { client } = await startTestServer();
    const { fencingToken } = await acquire(client);
    const request = { namespace: 'default', name: 'a', holder: 'holder', fencingToken: fencingToken + 1n };
    const refusal = await refusalOf(call(client, 'renew', request));
    expect(refusal).toMatchObject({
      code: codes.FAILED_PRECONDITION,
      reason: 'LEASE_LOST',
      detail: { holder: 'holder', fencingToken },
    });
  });

  test('a heartbeat whose sequence does not rise ends the stream', async () => {
    const { client } = await startTestServer();
    const stream = new TestHeartbeat(client);
    await stream.acknowledged(stream.send());
    stream.send({ sequence: 1n });
    const refusal = readRefusal(await stream.failure());
    expect(refusal).toMatchObject({ code: codes.INVALID_ARGUMENT, reason: 'INVALID_FIELD', field: 'sequence' });
    expect(refusal.message).toBe('Invalid sequence: must be greater than that of the message before (1), got 1');
  });

  test('more attaches in a message than are taken end the stream', async () => {
    const { client } = await startTestServer();
    const stream = new TestHeartbeat(client);
    stream.send({ attach: Array.from({ length: 10_001 }, () => HeartbeatAttach.fromPartial({})) });
    expect(readRefusal(await stream.failure())).toMatchObject({ code: codes.INVALID_ARGUMENT, field: 'attach' });
  });

  test('a message of 10 MB is RESOURCE_EXHAUSTED', async () => {
    const { client } = await startTestServer();
    const refusal = await refusalOf(tryAcquire(client, { annotations: { a: 'x'.repeat(10_000_000) } }));
    expect(refusal.code).toBe(codes.RESOURCE_EXHAUSTED);
    await acquire(client);
  });

  test('unknown fields and enum values are passed over', async () => {
    const { server, client } = await startTestServer();
    const known = AcquireRequest.encode({
      ...AcquireRequest.fromPartial({}),
      namespace: 'default',
      name: 'a',
      holder: 'h',
      duration: seconds(30),
    }).finish();
    // Field 100, an enum by its wire type, value 99; field 101, text.
    const unknown = Buffer.from([0xa0, 0x06, 99, 0xaa, 0x06, 1, 0x78]);
    expect(await post(server.address, 'Acquire', frame(Buffer.concat([known, unknown])))).toMatchObject({ status: '0' });
    expect((await get(client)).lease?.holder).toBe('h');
  });

  const garbage = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  test.each([
    ['a body that is no protobuf', 'Acquire', frame(garbage), codes.INTERNAL],
    ['a body that ends early', 'Acquire', frame(Buffer.from([0x0a, 0x7f, 0x61])), codes.INTERNAL],
    ['a beat that is no protobuf', 'Heartbeat', frame(garbage), codes.INTERNAL],
    ['a frame that announces 1 GiB', 'Acquire', Buffer.from([0, 0x40, 0, 0, 0, 1, 2, 3]), codes.RESOURCE_EXHAUSTED],
    ['a compressed frame that is not', 'Acquire', Buffer.from([1, 0, 0, 0, 1, 0]), codes.INTERNAL],
    ['no message', 'Acquire', Buffer.alloc(0), codes.UNIMPLEMENTED],
    ['a method that does not exist', 'Steal', frame(Buffer.alloc(0)), codes.UNIMPLEMENTED],
  ])('a request with %s gets a status, and the server goes on', async (_, method, body, code) => {
    const { server, client } = await startTestServer();
    expect(await post(server.address, method, body)).toMatchObject({ status: String(code) });
    await acquire(client);
  });

  test('a server that is spoken to in another protocol goes on', async () => {
    const { server, client } = await startTestServer();
    await fetch(`http://${server.address}/`).catch(() => undefined);
    await acquire(client);
  });
});
