import { describe, expect, test } from 'vitest';
import { encode, encodeWatchEvent, watchContentType } from '../../server/dist/kubernetes/codec/encode.js';
import { humanDuration } from '../../server/dist/kubernetes/codec/human-duration.js';
import { parseIncludeObject } from '../../server/dist/kubernetes/codec/table.js';
import { transform } from '../../server/dist/kubernetes/codec/transform.js';
import { warningHeader } from '../../server/dist/kubernetes/codec/warnings.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import type { LeaseList, Table } from '../../server/dist/kubernetes/objects.js';
import { leaseNotFound, StatusError } from '../../server/dist/kubernetes/status.js';

const created = '2024-01-02T03:04:05Z';
const nowMs = Date.parse(created) + 90_000;
const options = { includeObject: 'Metadata', nowMs, withColumns: true } as const;
const meta = (kind: string, version = 'v1') => ({ kind, group: 'meta.k8s.io', version });

const held: LeaseObject = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'b', namespace: 'ns', resourceVersion: '7', creationTimestamp: created },
  spec: { holderIdentity: 'h1' },
};
const bare: LeaseObject = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'a' } };
const list: LeaseList = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'LeaseList',
  metadata: { resourceVersion: '9', continue: 'more', remainingItemCount: 3 },
  items: [bare, held],
};

describe('a table', () => {
  test('of one lease', () => {
    expect(transform(held, meta('Table'), options)).toEqual({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '7' },
      columnDefinitions: [
        { name: 'Name', type: 'string', format: 'name', description: expect.any(String) as string, priority: 0 },
        { name: 'Holder', type: 'string', format: '', description: expect.any(String) as string, priority: 0 },
        { name: 'Age', type: 'string', format: '', description: expect.any(String) as string, priority: 0 },
      ],
      rows: [
        {
          cells: ['b', 'h1', '90s'],
          object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: held.metadata },
        },
      ],
    });
  });

  test('of many leases, without columns and objects', () => {
    const how = { ...options, includeObject: 'None', withColumns: false } as const;
    expect(transform(list, meta('Table', 'v1beta1'), how)).toEqual({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1beta1',
      metadata: list.metadata,
      columnDefinitions: null,
      rows: [
        { cells: ['a', '', '<unknown>'], object: null },
        { cells: ['b', 'h1', '90s'], object: null },
      ],
    });
  });

  test('with whole objects', () => {
    const table = transform(list, meta('Table'), { ...options, includeObject: 'Object' }) as Table;
    expect(table.rows.map(({ object }) => object)).toEqual([bare, held]);
  });

  test('of no leases has no rows', () => {
    expect((transform({ ...list, items: [] }, meta('Table'), options) as Table).rows).toEqual([]);
  });

  test.each([
    [null, 'Metadata'],
    ['', 'Metadata'],
    ['None', 'None'],
    ['Object', 'Object'],
  ])('asked for with includeObject=%s includes %s', (text, include) => {
    expect(parseIncludeObject(text)).toBe(include);
  });

  test('asked for with something else to include is refused', () => {
    const message = `Unable to convert to Table as requested: includeObject: Invalid value: "All": must be 'Metadata', 'Object', 'None', or empty`;
    expect(() => parseIncludeObject('All')).toThrow(new StatusError(400, 'BadRequest', message));
  });
});

describe('metadata alone', () => {
  test('of one lease and of many', () => {
    const one = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: held.metadata };
    expect(transform(held, meta('PartialObjectMetadata'), options)).toEqual(one);
    expect(transform(list, meta('PartialObjectMetadataList'), options)).toEqual({
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata: list.metadata,
      items: [{ ...one, metadata: bare.metadata }, one],
    });
  });

  test('of many where there is one, or the other way round, is refused', () => {
    expect(() => transform(list, meta('PartialObjectMetadata'), options)).toThrow(
      'you requested PartialObjectMetadata, but the requested object is a list (*coordination.LeaseList)',
    );
    expect(() => transform(held, meta('PartialObjectMetadataList'), options)).toThrow(
      'you requested PartialObjectMetadataList, but the requested object is not a list (*coordination.Lease)',
    );
  });

  test('is not made of a Status, nor of anything when it is not asked for', () => {
    const { status } = leaseNotFound('a');
    expect(transform(status, meta('Table'), options)).toBe(status);
    expect(transform(held, undefined, options)).toBe(held);
  });
});

describe('an answer', () => {
  test('with a lease always has a spec', () => {
    const { body } = encode(bare, { format: 'json', pretty: false });
    expect(body).toBe('{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"a"},"spec":{}}\n');
  });

  test('with many leases names their kind once', () => {
    const { body } = encode(list, { format: 'json', pretty: false });
    expect(JSON.parse(body as string)).toEqual({
      ...list,
      items: [
        { metadata: bare.metadata, spec: {} },
        { metadata: held.metadata, spec: held.spec },
      ],
    });
  });

  test('for people is indented', () => {
    const { contentType, body } = encode(leaseNotFound('a').status, { format: 'json', pretty: true });
    expect(contentType).toBe('application/json');
    expect(body).toMatch(/^\{\n {2}"kind": "Status",\n/);
  });
});

describe('an event of a watch', () => {
  test('in JSON is a line', () => {
    expect(watchContentType('json')).toBe('application/json');
    expect(encodeWatchEvent('ADDED', bare, 'json')).toBe(
      `{"type":"ADDED","object":{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"a"},"spec":{}}}\n`,
    );
  });

  test('in protobuf stands behind its length', () => {
    expect(watchContentType('protobuf')).toBe('application/vnd.kubernetes.protobuf;stream=watch');
    const event = Buffer.from(encodeWatchEvent('ERROR', leaseNotFound('a').status, 'protobuf'));
    expect(event.readUInt32BE(0)).toBe(event.length - 4);
    expect(event.subarray(4, 11).toString('latin1')).toBe('\n\x05ERROR');
    expect(event.includes('k8s\0')).toBe(true);
  });
});

describe('an age', () => {
  test.each([
    [-2, '<invalid>'],
    [-1, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [121, '2m1s'],
    [599, '9m59s'],
    [600, '10m'],
    [3 * 3600 - 1, '179m'],
    [3 * 3600, '3h'],
    [3 * 3600 + 60, '3h1m'],
    [8 * 3600 - 1, '7h59m'],
    [8 * 3600, '8h'],
    [48 * 3600 - 1, '47h'],
    [48 * 3600, '2d'],
    [49 * 3600, '2d1h'],
    [8 * 86_400 - 1, '7d23h'],
    [8 * 86_400, '8d'],
    [2 * 365 * 86_400 - 1, '729d'],
    [2 * 365 * 86_400, '2y'],
    [(2 * 365 + 1) * 86_400, '2y1d'],
    [8 * 365 * 86_400 - 1, '7y364d'],
    [8 * 365 * 86_400, '8y'],
  ])('of %d s is %s', (seconds, text) => {
    expect(humanDuration(seconds * 1000)).toBe(text);
  });

  test('counts whole seconds', () => {
    expect(humanDuration(1999)).toBe('1s');
    expect(humanDuration(-1999)).toBe('0s');
  });
});

describe('warnings', () => {
  test('are a header', () => {
    expect(warningHeader(['unknown field "spec.holder"', 'unknown field "extra"', 'unknown field "extra"'])).toBe(
      String.raw`299 - "unknown field \"spec.holder\"", 299 - "unknown field \"extra\""`,
    );
  });

  test('that no header can hold are left out or cut', () => {
    expect(warningHeader(['a\nb', 'c'])).toBe('299 - "c"');
    expect(warningHeader(['é'])).toBe('299 - "\u00c3\u00a9"');
    const many = Array.from({ length: 100 }, (_, index) => String(index).padStart(3, '0').repeat(200));
    const header = warningHeader(many);
    expect(header.split(', ')).toHaveLength(16);
    expect(header.split(', ')[0]).toBe(`299 - "${'000'.repeat(100).slice(0, 256)}"`);
  });
});
