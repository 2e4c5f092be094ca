import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDeleteOptions, decodeLease, decodeObject, leaseFromJson } from '../../server/dist/kubernetes/codec/decode.js';
import { DocumentError, toPlain } from '../../server/dist/kubernetes/codec/document.js';
import { encode } from '../../server/dist/kubernetes/codec/encode.js';
import { unreadable } from '../../server/dist/kubernetes/codec/json-decode.js';
import { parseJson } from '../../server/dist/kubernetes/codec/json-parse.js';
import { accessReviewKind } from '../../server/dist/kubernetes/codec/kinds.js';
import { readJsonPatch } from '../../server/dist/kubernetes/codec/patch-body.js';
import { StatusError } from '../../server/dist/kubernetes/status.js';
import { anyLease } from './arbitrary-lease.js';

const json = 'application/json';
const decode = (text: string, validation: 'Ignore' | 'Warn' | 'Strict' = 'Warn') =>
  decodeLease(Buffer.from(text), json, validation);
const inSpec = (spec: string) => decode(`{"spec":{${spec}}}`);
const inMetadata = (metadata: string) => decode(`{"metadata":{${metadata}}}`);

const cannot = 'Lease in version "v1" cannot be handled as a Lease: ';
const unrecognized = "the object provided is unrecognized (must be of type Lease): couldn't get version/kind; json parse error: ";

describe('JSON', () => {
  test('is what JSON.parse takes for it', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(toPlain(parseJson(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  test('with a mistake is refused where JSON.parse refuses it', () => {
    const broken = fc.tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.string({ maxLength: 2 })).map(([text, at, change]) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + change + text.slice(index + 1);
    });
    fc.assert(
      fc.property(broken, (text) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => parseJson(text)).toThrow(/^invalid character .* |^unexpected end of JSON input$/);
          return;
        }
        expect(toPlain(parseJson(text))).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['', 'unexpected end of JSON input'],
    ['  ', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['{"a":"b', 'unexpected end of JSON input'],
    ['[1,', 'unexpected end of JSON input'],
    ['-', 'unexpected end of JSON input'],
    ['nul', 'unexpected end of JSON input'],
    ['nope', "invalid character 'o' in literal null (expecting 'u')"],
    ['falsy', "invalid character 'y' in literal false (expecting 'e')"],
    ['tru e', "invalid character ' ' in literal true (expecting 'e')"],
    ['hello', "invalid character 'h' looking for beginning of value"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
    ['[,]', "invalid character ',' looking for beginning of value"],
    ['[1 2]', "invalid character '2' after array element"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b":2}', `invalid character '"' after object key:value pair`],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{} {}', "invalid character '{' after top-level value"],
    ['01', "invalid character '1' after top-level value"],
    ['-a', "invalid character 'a' in numeric literal"],
    ['1.', 'unexpected end of JSON input'],
    ['1.e', "invalid character 'e' after decimal point in numeric literal"],
    ['1e+x', "invalid character 'x' in exponent of numeric literal"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ['"a\\x"', "invalid character 'x' in string escape code"],
    ['"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['\u0001', "invalid character '\\x01' looking for beginning of value"],
    ['é', "invalid character 'Ã' looking for beginning of value"],
    ['\ufeff{}', "invalid character 'ï' looking for beginning of value"],
  ])('%j is refused in the words of Go', (text, message) => {
    expect(() => parseJson(text)).toThrow(new DocumentError(message));
  });

  test('nests as deep as an object can, and not without end', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(() => parseJson(nested(1000))).not.toThrow();
    expect(() => parseJson(nested(1001))).toThrow("invalid character '[' exceeded max depth");
    expect(() => parseJson('{"a":'.repeat(1_000_000))).toThrow("invalid character '{' exceeded max depth");
  });

  test('has bytes that are no UTF-8, and halves of characters, replaced', () => {
    const body = Buffer.from([...Buffer.from('{"spec":{"holderIdentity":"a'), 0xff, ...Buffer.from('\\ud800\\ud83d\\ude00"}}')]);
    expect(decodeLease(body, json, 'Warn').object.spec?.holderIdentity).toBe('a\ufffd\ufffd😀');
  });
});

describe('a lease in JSON', () => {
  test('is what was encoded', () => {
    fc.assert(
      fc.property(anyLease, fc.boolean(), (lease, pretty) => {
        const { contentType, body } = encode(lease, { format: 'json', pretty });
        expect(decodeLease(Buffer.from(body), contentType, 'Strict')).toEqual({ object: lease, warnings: [] });
      }),
    );
  });

  test.each([undefined, '', 'application/json', 'Application/JSON; charset=utf-8', 'application/json ;q=1'])(
    'is read under the content type %j',
    (contentType) => {
      const { object } = decodeLease(Buffer.from('{"metadata":{"name":"a"}}'), contentType, 'Warn');
      expect(object).toEqual({
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'a' },
        spec: {},
      });
    },
  );

  test('leaves out what is null, empty or the zero time in whole seconds', () => {
    const { object, warnings } = decode(
      `{"kind":null,"apiVersion":"","metadata":{"name":"","generation":0,"labels":{},"annotations":null,"finalizers":[],
        "creationTimestamp":null,"deletionTimestamp":"0001-01-01T00:00:00Z","deletionGracePeriodSeconds":null,"managedFields":null},
        "spec":{"holderIdentity":null,"renewTime":null,"leaseTransitions":null}}`,
    );
    expect(object).toStrictEqual({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: {}, spec: {} });
    expect(warnings).toEqual([]);
  });

  test('keeps what is empty by intention', () => {
    const { object } = inSpec('"holderIdentity":"","leaseTransitions":0,"strategy":"","preferredHolder":""');
    expect(object.spec).toStrictEqual({ holderIdentity: '', leaseTransitions: 0, strategy: '', preferredHolder: '' });
    expect(inMetadata('"deletionGracePeriodSeconds":0').object.metadata).toStrictEqual({ deletionGracePeriodSeconds: 0 });
  });

  test('takes the last of a field that comes twice, and puts objects that come twice together', () => {
    const { object, warnings } = decode(
      `{"spec":{"holderIdentity":"a","leaseTransitions":1},"spec":{"holderIdentity":"b"},
        "metadata":{"labels":{"x":"1"}},"metadata":{"labels":{"y":"2","y":"3"},"finalizers":["f"],"finalizers":null}}`,
    );
    expect(object.spec).toEqual({ holderIdentity: 'b', leaseTransitions: 1 });
    expect(object.metadata).toEqual({ labels: { x: '1', y: '3' } });
    expect(warnings).toEqual([
      'duplicate field "spec"',
      'duplicate field "metadata"',
      'duplicate field "metadata.labels.y"',
      'duplicate field "metadata.finalizers"',
    ]);
  });

  test('is read in time that grows with its length', () => {
    const parts = Array.from({ length: 60_000 }, (_, index) => `"metadata":{"labels":{"k${index}":""}}`);
    expect(Object.keys(decode(`{${parts.join(',')}}`).object.metadata.labels ?? {})).toHaveLength(60_000);
  });

  test('has names that count to the letter, but for its kind and version', () => {
    const { object, warnings } = decode('{"Kind":"Lease","APIVERSION":"coordination.k8s.io/v1","Spec":{"holderIdentity":"x"}}');
    expect(object.spec).toEqual({});
    expect(warnings).toEqual(['unknown field "Kind"', 'unknown field "APIVERSION"', 'unknown field "Spec"']);
    expect(() => decode('{"Kind":"Pod"}')).toThrow('no kind "Pod" is registered');
  });

  test('has unknown fields named with the way to them, each once and in order', () => {
    const text = `{"metadata":{"managedFields":[{},{"x":1,"x":2}],"ownerReferences":[{"who":{"deep":1}}],"a\\"b":1},"status":{}}`;
    const complaints = [
      'unknown field "metadata.managedFields[1].x"',
      'unknown field "metadata.ownerReferences[0].who"',
      'unknown field "metadata.a\\"b"',
      'unknown field "status"',
    ];
    expect(decode(text, 'Warn').warnings).toEqual(complaints);
    expect(decode(text, 'Ignore').warnings).toEqual([]);
    expect(() => decode(text, 'Strict')).toThrow(`${cannot}strict decoding error: ${complaints.join(', ')}`);
  });

  test('has no more than a hundred complaints', () => {
    const fields = Array.from({ length: 500 }, (_, index) => `"x${index}":1`);
    expect(decode(`{${fields.join(',')}}`).warnings).toHaveLength(100);
  });

  test.each([
    ['"holderIdentity":5', 'number into Go struct field LeaseSpec.spec.holderIdentity of type string'],
    ['"holderIdentity":{}', 'object into Go struct field LeaseSpec.spec.holderIdentity of type string'],
    ['"holderIdentity":["a"]', 'array into Go struct field LeaseSpec.spec.holderIdentity of type string'],
    ['"holderIdentity":true', 'bool into Go struct field LeaseSpec.spec.holderIdentity of type string'],
    ['"leaseDurationSeconds":"15"', 'string into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32'],
    ['"leaseDurationSeconds":15.0', 'number 15.0 into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32'],
    ['"leaseDurationSeconds":1e3', 'number 1e3 into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32'],
    [
      '"leaseDurationSeconds":2147483648',
      'number 2147483648 into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32',
    ],
    ['"leaseTransitions":-2147483649', 'number -2147483649 into Go struct field LeaseSpec.spec.leaseTransitions of type int32'],
    ['"strategy":1', 'number into Go struct field LeaseSpec.spec.strategy of type v1.CoordinatedLeaseStrategy'],
    ['"renewTime":5', 'number into Go struct field LeaseSpec.spec.renewTime of type string'],
    ['"renewTime":{}', 'object into Go struct field LeaseSpec.spec.renewTime of type string'],
    ['"renewTime":false', 'bool into Go struct field LeaseSpec.spec.renewTime of type string'],
  ])('with the spec {%s} is refused', (spec, message) => {
    expect(() => inSpec(spec)).toThrow(new StatusError(400, 'BadRequest', `${cannot}json: cannot unmarshal ${message}`));
  });

  test.each([
    ['"name":{}', 'object into Go struct field ObjectMeta.metadata.name of type string'],
    ['"uid":1', 'number into Go struct field ObjectMeta.metadata.uid of type types.UID'],
    ['"generation":"1"', 'string into Go struct field ObjectMeta.metadata.generation of type int64'],
    [
      '"generation":9223372036854775808',
      'number 9223372036854775808 into Go struct field ObjectMeta.metadata.generation of type int64',
    ],
    ['"labels":[]', 'array into Go struct field ObjectMeta.metadata.labels of type map[string]string'],
    ['"annotations":{"a":{}}', 'object into Go struct field ObjectMeta.metadata.annotations of type string'],
    ['"finalizers":"f"', 'string into Go struct field ObjectMeta.metadata.finalizers of type []string'],
    ['"finalizers":["f",1]', 'number into Go struct field ObjectMeta.metadata.finalizers of type string'],
    ['"ownerReferences":{}', 'object into Go struct field ObjectMeta.metadata.ownerReferences of type []v1.OwnerReference'],
    ['"ownerReferences":[1]', 'number into Go struct field ObjectMeta.metadata.ownerReferences of type v1.OwnerReference'],
    [
      '"ownerReferences":[{"controller":"yes"}]',
      'string into Go struct field OwnerReference.metadata.ownerReferences.controller of type bool',
    ],
    [
      '"managedFields":[{"operation":1}]',
      'number into Go struct field ManagedFieldsEntry.metadata.managedFields.operation of type v1.ManagedFieldsOperationType',
    ],
  ])('with the metadata {%s} is refused', (metadata, message) => {
    expect(() => inMetadata(metadata)).toThrow(`${cannot}json: cannot unmarshal ${message}`);
  });

  test.each([
    ['{"spec":[]}', 'array into Go struct field Lease.spec of type v1.LeaseSpec'],
    ['{"metadata":"a"}', 'string into Go struct field Lease.metadata of type v1.ObjectMeta'],
    [
      '{"spec":{"holderIdentity":1,"leaseTransitions":"x"}}',
      'number into Go struct field LeaseSpec.spec.holderIdentity of type string',
    ],
  ])('%s is refused for its first value of the wrong type', (text, message) => {
    expect(() => decode(text)).toThrow(`${cannot}json: cannot unmarshal ${message}`);
  });

  test('is refused for a bad time before a value of the wrong type', () => {
    expect(() => inSpec('"holderIdentity":1,"renewTime":"now"')).toThrow(`${cannot}parsing time "now"`);
  });

  test.each([
    [
      '{"kind":"Lease","apiVersion":"v1"}',
      'Lease in version "v1" cannot be handled as a Lease: no kind "Lease" is registered for version "v1" in scheme',
    ],
    [
      '{"kind":"LeaseList","apiVersion":"coordination.k8s.io/v1"}',
      'LeaseList in version "v1" cannot be handled as a Lease: converting (v1.LeaseList) to (coordination.Lease): unknown conversion',
    ],
    [
      '{"kind":"Pod"}',
      'Pod in version "v1" cannot be handled as a Lease: no kind "Pod" is registered for version "coordination.k8s.io/v1"',
    ],
    [
      '{"apiVersion":"a/b/c"}',
      'the object provided is unrecognized (must be of type Lease): unexpected GroupVersion string: a/b/c ({"apiVersion":"a/b/c"})',
    ],
    [
      '{"apiVersion":1}',
      `${unrecognized}json: cannot unmarshal number into Go struct field .apiVersion of type string ({"apiVersion":1})`,
    ],
    ['{"kind":["Lease"]}', `${unrecognized}json: cannot unmarshal array into Go struct field .kind of type string`],
    [
      '"text"',
      `${unrecognized}json: cannot unmarshal string into Go value of type struct { APIVersion string "json:\\"apiVersion`,
    ],
    ['12', `${unrecognized}json: cannot unmarshal number into Go value of type struct {`],
    [
      `{"spec": {"holderIdentity": "${'x'.repeat(50)}"}`,
      `${unrecognized}unexpected end of JSON input ({"spec": {"holderIdentity": "x ...)`,
    ],
    ['[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[', `${unrecognized}unexpected end of JSON input (${'5b'.repeat(30)} ...)`],
  ])('%s is refused', (text, message) => {
    expect(() => decode(text)).toThrow(message);
  });

  test.each(['{}', 'null', '{"apiVersion":"coordination.k8s.io/"}', '{"kind":"Lease"}'])('%s is one without a name', (text) => {
    const { object, warnings } = decode(text, 'Strict');
    expect(object).toEqual({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: {}, spec: {} });
    expect(warnings).toEqual([]);
  });

  test('takes names as they are, whatever they mean elsewhere', () => {
    const { object } = inMetadata('"labels":{"__proto__":"x","constructor":"y"}');
    expect(Object.entries(object.metadata.labels ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(decode('{"__proto__":{"spec":{}},"toString":1}').warnings).toEqual([
      'unknown field "__proto__"',
      'unknown field "toString"',
    ]);
  });

  test('marks a set of fields that is none', () => {
    const sets = ['5', '"x"', '[]', '{"f:spec":1}', `${'{"a":'.repeat(200)}{}${'}'.repeat(200)}`];
    for (const set of sets) {
      expect(inMetadata(`"managedFields":[{"manager":"m","fieldsV1":${set}}]`).object.metadata.managedFields).toEqual([
        { manager: 'm', fieldsV1: unreadable },
      ]);
    }
  });
});

describe('other bodies in JSON', () => {
  test('are options of a deletion, of any group', () => {
    const options = decodeDeleteOptions(
      Buffer.from(`{"kind":"DeleteOptions","apiVersion":"policy/v1","gracePeriodSeconds":0,"dryRun":["All"],"extra":1,
        "preconditions":{"uid":"u","resourceVersion":"5"},"propagationPolicy":"Sideways","orphanDependents":false}`),
      json,
    );
    expect(options).toStrictEqual({
      gracePeriodSeconds: 0,
      dryRun: ['All'],
      preconditions: { uid: 'u', resourceVersion: '5' },
      propagationPolicy: 'Sideways',
      orphanDependents: false,
    });
    expect(decodeDeleteOptions(Buffer.from('{}'), undefined)).toStrictEqual({});
  });

  test.each([
    [
      '{"kind":"Lease"}',
      'no kind "Lease" is registered for version "meta.k8s.io/v1" in scheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"',
    ],
    ['{"kind":"Status","apiVersion":"v1"}', 'converting (v1.Status) to (v1.DeleteOptions): unknown conversion'],
    ['{"dryRun":"All"}', 'json: cannot unmarshal string into Go struct field DeleteOptions.dryRun of type []string'],
    ['{', "couldn't get version/kind; json parse error: unexpected end of JSON input"],
  ])('%s are no options of a deletion', (text, message) => {
    expect(() => decodeDeleteOptions(Buffer.from(text), json)).toThrow(new StatusError(400, 'BadRequest', message));
  });

  test('are access reviews', () => {
    const body = Buffer.from(
      '{"spec":{"resourceAttributes":{"verb":"get","resource":"leases","x":1}},"status":{"allowed":true}}',
    );
    const { object, warnings } = decodeObject(accessReviewKind, body, json, 'Warn');
    expect(object).toEqual({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      metadata: {},
      spec: { resourceAttributes: { verb: 'get', resource: 'leases' } },
      status: { allowed: true },
    });
    expect(warnings).toEqual(['unknown field "spec.resourceAttributes.x"']);
  });

  test('are patches, of which fields that come twice are named', () => {
    const body = Buffer.from('{"a":{"b":1,"b":{"c":null}},"list":[{"x":1,"x":1},{"x":1,"x":1}]}');
    expect(readJsonPatch(body)).toEqual({
      value: { a: { b: { c: null } }, list: [{ x: 1 }, { x: 1 }] },
      complaints: ['duplicate field "a.b"', 'duplicate field "list[0].x"', 'duplicate field "list[1].x"'],
    });
    expect(() => readJsonPatch(Buffer.from('{"spec":'))).toThrow(new DocumentError('unexpected end of JSON input'));
  });

  test('are what a patch has made of a lease', () => {
    const apiVersion = 'coordination.k8s.io/v1';
    const value = { apiVersion, kind: 'Lease', metadata: { name: 'a' }, spec: { leaseDurationSeconds: 15, holder: 'x' } };
    expect(leaseFromJson({ ...value, apiVersion: '' })).toMatchObject({
      object: { metadata: {}, spec: {} },
      complaints: ['unknown field "metadata"', 'unknown field "spec"'],
    });
    expect(leaseFromJson(value)).toEqual({
      object: {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'a' },
        spec: { leaseDurationSeconds: 15 },
      },
      complaints: ['unknown field "spec.holder"'],
    });
    expect(() => leaseFromJson({ ...value, spec: { leaseDurationSeconds: 'x' } })).toThrow(
      new DocumentError('json: cannot unmarshal string into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32'),
    );
    expect(() => leaseFromJson({ kind: 'Pod' })).toThrow(/^no kind "Pod" is registered/);
  });
});
