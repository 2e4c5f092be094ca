import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDeleteOptions, decodeLease, decodeObject } from '../../server/dist/kubernetes/codec/decode.js';
import { encode, encodeWatchEvent } from '../../server/dist/kubernetes/codec/encode.js';
import { openEnvelope, sealEnvelope } from '../../server/dist/kubernetes/codec/envelope.js';
import { leaseKind, namespaceKind, protobufShapes } from '../../server/dist/kubernetes/codec/kinds.js';
import { readMessage, writeMessage } from '../../server/dist/kubernetes/codec/protobuf.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { StatusError } from '../../server/dist/kubernetes/status.js';
import { anyLease } from './arbitrary-lease.js';
import { recordedMessages } from './recordings.js';

const protobuf = 'application/vnd.kubernetes.protobuf';
const how = { format: 'protobuf', pretty: false } as const;
const magic = Buffer.from('k8s\0');

/** Encodes the bytes of a message of protobuf again, by way of the object that it stands for. */
function again(bytes: Buffer): Buffer {
  const { apiVersion, kind, raw } = openEnvelope(bytes);
  const object = readMessage(protobufShapes.get(kind)!, raw);
  return Buffer.from(encode({ ...object, apiVersion, kind }, how).body);
}

/** A body with a lease of these bytes. */
function leaseOf(...bytes: number[]): Uint8Array {
  return sealEnvelope({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', raw: Uint8Array.from(bytes) });
}

const decode = (body: Uint8Array) => decodeLease(body, protobuf, 'Strict');
const cannot = 'Lease in version "v1" cannot be handled as a Lease: ';

describe('recorded protobuf', () => {
  const messages = recordedMessages();
  const envelopes = messages.filter(({ bytes }) => bytes.subarray(0, 4).equals(magic));
  const watches = messages.filter(({ bytes }) => bytes[0] === 0);

  test('is there', () => {
    const kinds = new Set(envelopes.map(({ bytes }) => openEnvelope(bytes).kind));
    expect([...kinds].sort()).toEqual(['DeleteOptions', 'Lease', 'LeaseList', 'Namespace', 'Status']);
    expect(envelopes.length).toBeGreaterThan(80);
    expect(watches.length).toBeGreaterThan(1);
    expect(envelopes.length + watches.length).toBe(messages.length);
  });

  test.each(envelopes)('is written as it was read: $what', ({ bytes }) => {
    expect(again(bytes).toString('hex')).toBe(bytes.toString('hex'));
  });

  test.each(watches)('of a watch is written as it was read: $what', ({ bytes }) => {
    const events: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 4 + bytes.readUInt32BE(at);
      events.push(Buffer.from(eventAgain(bytes.subarray(at + 4, end))));
      at = end;
    }
    expect(Buffer.concat(events).toString('hex')).toBe(bytes.toString('hex'));
  });

  test('of client-go is read as a lease without complaint', () => {
    const requests = envelopes.filter(
      ({ what, bytes }) => /^(PUT|POST) .*leases/.test(what) && openEnvelope(bytes).kind === 'Lease',
    );
    expect(requests.length).toBeGreaterThan(20);
    for (const { bytes } of requests) expect(decode(bytes).warnings).toEqual([]);
  });

  test('of a namespace and of options of deletions is read', () => {
    const of = (kind: string) => envelopes.find(({ bytes }) => openEnvelope(bytes).kind === kind)!.bytes;
    expect(decodeObject(namespaceKind, of('Namespace'), protobuf, 'Warn').object).toMatchObject({
      metadata: { name: 'conf-691341' },
    });
    const options = envelopes.filter(({ bytes }) => openEnvelope(bytes).kind === 'DeleteOptions');
    expect(options.map(({ bytes }) => decodeDeleteOptions(bytes, protobuf))).toContainEqual({
      preconditions: { uid: 'not-the-uid' },
    });
  });
});

/** An event of a watch as it was recorded, written again. */
function eventAgain(event: Buffer): string | Uint8Array {
  // Both fields are short enough here that their tags and lengths are known: 0a <type>, 12 <object>, and in that 0a <raw>.
  const type = event.subarray(2, 2 + event[1]!).toString();
  const raw = event.subarray(event.indexOf(magic));
  const { apiVersion, kind } = openEnvelope(raw);
  const object = readMessage(protobufShapes.get(kind)!, openEnvelope(raw).raw);
  return encodeWatchEvent(type as 'ADDED', { ...object, apiVersion, kind }, 'protobuf');
}

describe('a lease in protobuf', () => {
  test('is what was encoded', () => {
    fc.assert(
      fc.property(anyLease, (lease) => {
        const { contentType, body } = encode(lease, how);
        expect(contentType).toBe(protobuf);
        expect(decodeLease(Buffer.from(body), contentType, 'Strict')).toEqual({ object: lease, warnings: [] });
      }),
    );
  });

  test('that ends too early is refused, wherever it ends', () => {
    const lease: LeaseObject = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: 'a',
        labels: { k: 'v' },
        finalizers: ['f'],
        managedFields: [{ manager: 'm', fieldsV1: { 'f:spec': {} } }],
      },
      spec: { holderIdentity: 'h', renewTime: '2024-01-02T03:04:05.678901Z', leaseTransitions: -1 },
    };
    const { raw } = openEnvelope(Buffer.from(encode(lease, how).body));
    for (let length = 1; length < raw.length; length += 1) {
      const read = (): unknown => decode(leaseOf(...raw.subarray(0, length)));
      // Behind the metadata, what is there is a whole message.
      const isWhole = raw[length] === 0x12 && raw[0] === 0x0a && length === 2 + raw[1]!;
      if (isWhole) {
        expect(read).not.toThrow();
      } else {
        expect(read).toThrow(`${cannot}unexpected EOF`);
      }
    }
  });

  test('of any bytes is read or refused, and nothing else', () => {
    const { body } = encode({ apiVersion: 'v1', kind: 'Lease', metadata: { name: 'abc' } } as never, how);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.nat(body.length - 1), fc.nat(255))
        .map(([at, byte]) => Uint8Array.from(Buffer.from(body)).fill(byte, at, at + 1)),
    );
    fc.assert(
      fc.property(bytes, (message) => {
        for (const whole of [message, Buffer.concat([magic, message]), leaseOf(...message)]) {
          try {
            decode(whole);
          } catch (cause) {
            expect(cause).toBeInstanceOf(StatusError);
            expect((cause as StatusError).status.code).toBe(400);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['no bytes', Buffer.alloc(0), /: empty data \(<empty>\)$/],
    ['JSON', Buffer.from('{}'), /does not appear to be a protobuf message, expected prefix \[107 56 115 0\] \(\{\}\)$/],
    ['nothing but the beginning', magic, /: empty body \(6b387300\)$/],
    ['zeros', Buffer.concat([magic, Buffer.alloc(9)]), /: proto: illegal tag 0 \(wire type 0\) /],
    ['an endless number', Buffer.concat([magic, Buffer.alloc(12, 0xff)]), /: proto: integer overflow /],
    ['a group', Buffer.concat([magic, Buffer.of(0x2b)]), /: proto: illegal wireType 3 /],
    ['a length past the end', Buffer.concat([magic, Buffer.of(0x0a, 0x05)]), /: unexpected EOF /],
    ['a negative length', Buffer.concat([magic, Buffer.of(0x0a, 255, 255, 255, 255, 15)]), /: proto: negative length found/],
    [
      'a version of many parts',
      sealEnvelope({ apiVersion: 'a/b/c', kind: 'Lease', raw: Buffer.alloc(0) }),
      /unexpected GroupVersion string: a\/b\/c/,
    ],
  ])('of %s is refused', (_, body, message) => {
    expect(() => decode(body)).toThrow(/^the object provided is unrecognized \(must be of type Lease\): /);
    expect(() => decode(body)).toThrow(message);
  });

  test.each([
    ['a name that is a number', [0x0a, 0x02, 0x08, 0x01], 'proto: wrong wireType = 0 for field Name'],
    ['a uid that is a number', [0x0a, 0x02, 0x28, 0x01], 'proto: wrong wireType = 0 for field UID'],
    ['a duration that is a text', [0x12, 0x02, 0x12, 0x00], 'proto: wrong wireType = 2 for field LeaseDurationSeconds'],
    ['metadata longer than it is', [0x0a, 0x03, 0x0a, 0x05, 0x61], 'unexpected EOF'],
    ['a year beyond 9999', [0x12, 0x08, 0x1a, 0x06, 0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 'unexpected EOF'],
    [
      'a time far away',
      [0x12, 0x0b, 0x1a, 0x09, 0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
      'proto: Timestamp: seconds out of range',
    ],
  ])('with %s is refused', (_, bytes, message) => {
    expect(() => decode(leaseOf(...bytes))).toThrow(new StatusError(400, 'BadRequest', `${cannot}${message}`));
  });

  test('may have fields that nobody knows', () => {
    const unknown = [0xf8, 0x01, 0x05, 0xf9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x01, 0x01, 0x00, 0xfd, 0x01, 1, 2, 3, 4];
    expect(decode(leaseOf(...unknown, 0x0a, 0x03, 0x0a, 0x01, 0x61, ...unknown)).object.metadata).toEqual({ name: 'a' });
  });

  test('with a field that comes twice has the last, and messages together', () => {
    const first = [0x0a, 0x06, 0x0a, 0x01, 0x61, 0x1a, 0x01, 0x6e];
    const second = [0x0a, 0x03, 0x0a, 0x01, 0x62];
    expect(decode(leaseOf(...first, ...second)).object.metadata).toEqual({ name: 'b', namespace: 'n' });
  });

  test('keeps numbers to their ends', () => {
    const spec = { leaseDurationSeconds: 2 ** 31 - 1, leaseTransitions: -(2 ** 31) };
    const metadata = { generation: Number.MAX_SAFE_INTEGER, deletionGracePeriodSeconds: Number.MIN_SAFE_INTEGER };
    const body = writeMessage(leaseKind.shape, { metadata, spec });
    expect(readMessage(leaseKind.shape, body)).toEqual({ metadata, spec });
  });

  test('is read in time that grows with its length', () => {
    const finalizers = Buffer.alloc(400_000, Buffer.of(0x72, 0x00));
    const raw = Buffer.concat([Buffer.of(0x0a, 0x80, 0xb5, 0x18), finalizers]);
    const { metadata } = decode(sealEnvelope({ apiVersion: '', kind: '', raw })).object;
    expect(metadata.finalizers).toHaveLength(200_000);

    const labels = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, '']));
    expect(decode(Buffer.from(encode(lease({ labels }), how).body)).object.metadata.labels).toEqual(labels);
  });

  test('without a kind is a lease, and with another one none', () => {
    const raw = Uint8Array.of(0x0a, 0x03, 0x0a, 0x01, 0x61);
    expect(decode(sealEnvelope({ apiVersion: '', kind: '', raw })).object).toMatchObject({
      kind: 'Lease',
      metadata: { name: 'a' },
    });
    expect(() => decode(sealEnvelope({ apiVersion: 'v1', kind: 'Pod', raw }))).toThrow(
      'Pod in version "v1" cannot be handled as a Lease: converting (v1.Pod) to (coordination.Lease): unknown conversion',
    );
  });

  test('is the same bytes for the same labels, in whatever order', () => {
    const bytes = (labels: Record<string, string>) => encode({ ...lease({ labels }) }, how).body;
    expect(bytes({ b: '2', a: '1' })).toEqual(bytes({ a: '1', b: '2' }));
  });
});

function lease(metadata: LeaseObject['metadata']): LeaseObject {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
}

describe('an answer in protobuf', () => {
  test('that has no message is JSON', () => {
    const table = { apiVersion: 'meta.k8s.io/v1', kind: 'Table', rows: [] };
    expect(encode(table, how)).toEqual({ contentType: 'application/json', body: `${JSON.stringify(table)}\n` });
  });
});
