import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLease } from '../../server/dist/kubernetes/codec/decode.js';
import { toPlain } from '../../server/dist/kubernetes/codec/document.js';
import { encode } from '../../server/dist/kubernetes/codec/encode.js';
import { readYamlPatch } from '../../server/dist/kubernetes/codec/patch-body.js';
import { parseYaml } from '../../server/dist/kubernetes/codec/yaml-decode.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { anyLease } from './arbitrary-lease.js';

const plain = (text: string): unknown => toPlain(parseYaml(Buffer.from(text)).value);
const decode = (text: string, validation: 'Ignore' | 'Warn' | 'Strict' = 'Warn') =>
  decodeLease(Buffer.from(text), 'application/yaml', validation);

describe('YAML', () => {
  test('that is JSON means the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme-ascii' }), (value) => {
        const text = JSON.stringify(value, null, 1);
        expect(plain(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each([
    ['y', true],
    ['Yes', true],
    ['on', true],
    ['N', false],
    ['OFF', false],
    ['yEs', 'yEs'],
    ['"y"', 'y'],
    ["'no'", 'no'],
    ['~', null],
    ['', null],
    ['Null', null],
    ['nil', 'nil'],
    ['12', 12],
    ['-1_000', -1000],
    ['_1', '_1'],
    ['._5', '._5'],
    ['+5', 5],
    ['010', 8],
    ['0o17', 15],
    ['0x1F', 31],
    ['0b101', 5],
    ['09', 9],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1e3', 1000],
    ['15.0', 15],
    ['1:30', '1:30'],
    ['1.2.3', '1.2.3'],
    ['2024-01-02', '2024-01-02'],
    ['2024-01-02T03:04:05Z', '2024-01-02T03:04:05Z'],
    ['!!str 5', '5'],
    ['!!int "5"', 5],
    ['!!binary aGk=', 'hi'],
    ['!custom 5', '5'],
    ['|\n  a\n  b', 'a\nb\n'],
    ['>-\n  a\n  b', 'a b'],
  ])('%j stands for %j', (text, value) => {
    expect(plain(`a: ${text}\n`)).toEqual({ a: value });
  });

  test('has no halves of characters', () => {
    expect(plain('a: "\\ud83d\\ude00"')).toEqual({ a: '😀' });
    expect(() => plain('a: "\\ud83d"')).toThrow('yaml: found invalid Unicode character escape code');
    expect(() => plain('"\\ude00x": a')).toThrow('yaml: found invalid Unicode character escape code');
  });

  test('has keys of any kind as text, in order', () => {
    expect(plain('b: 1\n5: x\ny: z\n1.5: w\n')).toEqual({ b: 1, 5: 'x', true: 'z', '1.5': 'w' });
    expect(parseYaml(Buffer.from('c: 1\nb: 1\na: 1')).value).toHaveProperty('names', ['a', 'b', 'c']);
    expect(() => plain('? [a]\n: b')).toThrow('yaml: invalid map key');
    expect(() => plain('~: b')).toThrow('yaml: invalid map key');
  });

  test('has anchors, aliases and merges', () => {
    expect(plain('a: &x {p: 1, q: 2}\nb: *x\nc:\n  <<: *x\n  q: 3\nd:\n  <<: [{q: 4}, *x]\n')).toEqual({
      a: { p: 1, q: 2 },
      b: { p: 1, q: 2 },
      c: { p: 1, q: 3 },
      d: { p: 1, q: 4 },
    });
    expect(() => plain('a: *x')).toThrow();
    expect(() => plain('a: &x [*x]')).toThrow("yaml: anchor 'x' value contains itself");
    expect(() => plain('a:\n  <<: 5')).toThrow('yaml: map merge requires map or sequence of maps as the value');
  });

  test('that would come to much more than what was written is refused', () => {
    const letters = 'abcdefghi';
    const lines = Array.from(letters).map((letter, index) => {
      const items = index === 0 ? 'x' : `*${letters[index - 1] ?? ''}`;
      return `${letter}: &${letter} [${Array(9).fill(items).join(', ')}]`;
    });
    expect(() => plain(lines.join('\n'))).toThrow('yaml: document contains excessive aliasing');
  });

  test.each([
    ['[', 1_000_000, /exceeded max/],
    ['- ', 1_000_000, /exceeded max/],
    ['a: ', 1_000_000, /exceeded max/],
    ['a: 1\n', 500_000, /exceeded max size/],
    ['---\n', 500_000, /exceeded max size/],
    ['#\n', 1_000_000, /exceeded max size/],
  ])('of %j over and over is refused at once', (part, count, message) => {
    expect(() => plain(part.repeat(count))).toThrow(message);
  });

  test('nests as deep as an object can, and not much deeper', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(() => plain(nested(100))).not.toThrow();
    expect(() => plain(nested(110))).toThrow('yaml: exceeded max depth of 100');
  });

  test.each([
    ['a: b: c', /^yaml: line 1: /],
    ['a: [1', /^yaml: line /],
    ['a: 1\n b: 2', /^yaml: line 1: /],
    ['a: .inf', /^json: unsupported value: /],
  ])('%j is refused', (text, message) => {
    expect(() => plain(text)).toThrow(message);
  });

  test('may have marks around its one document', () => {
    expect(plain('%YAML 1.1\n---\na: 1\n...\n')).toEqual({ a: 1 });
    expect(plain('---\na: 1\n---\n')).toEqual({ a: 1 });
    expect(plain('')).toBeNull();
  });

  test('of several documents is the first', () => {
    expect(plain('a: 1\n---\nb: 2\n')).toEqual({ a: 1 });
  });

  test('that is no UTF-8 is refused', () => {
    expect(() => parseYaml(Buffer.from([0x61, 0x3a, 0x20, 0xff]))).toThrow('yaml: invalid UTF-8');
  });
});

describe('a lease in YAML', () => {
  test('is what was encoded', () => {
    fc.assert(
      fc.property(anyLease, (lease) => {
        const { contentType, body } = encode(lease, { format: 'yaml', pretty: false });
        expect(contentType).toBe('application/yaml');
        expect(decodeLease(Buffer.from(body), contentType, 'Strict').object).toEqual(lease);
      }),
    );
  });

  test('is printed as Kubernetes prints it', () => {
    const lease: LeaseObject = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: 'a',
        resourceVersion: '29265',
        creationTimestamp: '2026-11-21T10:43:01Z',
        annotations: {
          n: 'null',
          flag: 'y',
          empty: '',
          lines: 'one\ntwo\n',
          pair: 'a: b',
          at: '2024-01-02',
          span: '1:30',
          merge: '<<',
        },
        managedFields: [{ manager: 'unknown', fieldsV1: { 'f:spec': { 'f:holderIdentity': {} } } }],
      },
      spec: { leaseDurationSeconds: 15, holderIdentity: 'h' },
    };
    const { body } = encode(lease, { format: 'yaml', pretty: true });
    expect(body).toBe(`apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  annotations:
    at: "2024-01-02"
    empty: ""
    flag: "y"
    lines: |
      one
      two
    merge: <<
    "n": "null"
    pair: 'a: b'
    span: "1:30"
  creationTimestamp: "2026-11-21T10:43:01Z"
  managedFields:
  - fieldsV1:
      f:spec:
        f:holderIdentity: {}
    manager: unknown
  name: a
  resourceVersion: "29265"
spec:
  holderIdentity: h
  leaseDurationSeconds: 15
`);
  });

  test('has keys that come twice named with their lines', () => {
    const text = 'metadata:\n  name: a\nspec:\n  holderIdentity: x\n  holderIdentity: z\n  extra: 1\nspec: {}\n';
    expect(decode(text).warnings).toEqual([
      'line 5: key "holderIdentity" already set in map',
      'line 7: key "spec" already set in map',
    ]);
    expect(decode(text, 'Ignore')).toMatchObject({ object: { spec: {} }, warnings: [] });
    expect(() => decode('spec:\n  a: 1\n  a: 2\n', 'Strict')).toThrow(
      'Lease in version "v1" cannot be handled as a Lease: strict decoding error: ' +
        'yaml: unmarshal errors:\n  line 3: key "a" already set in map, unknown field "spec.a"',
    );
  });

  test('has unknown fields in the order of their names', () => {
    expect(decode('z: 1\nb: 1\nspec:\n  x: 1\n').warnings).toEqual([
      'unknown field "b"',
      'unknown field "spec.x"',
      'unknown field "z"',
    ]);
  });

  test('that is no YAML is refused, with its beginning', () => {
    expect(() => decode('\t[')).toThrow(
      /^the object provided is unrecognized \(must be of type Lease\): yaml: line 1: .* \(095b\)$/s,
    );
  });

  test('can be what is to be applied', () => {
    expect(readYamlPatch(Buffer.from('a: 1\na: 2\n'))).toEqual({
      value: { a: 2 },
      complaints: ['yaml: unmarshal errors:\n  line 2: key "a" already set in map'],
    });
  });
});
