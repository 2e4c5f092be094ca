import { beforeEach, describe, expect, test } from 'vitest';
import { heldBy, leases, LeaseWorld, merge, one } from './lease-world.js';

let api: LeaseWorld;

beforeEach(async () => {
  api = await LeaseWorld.start();
});

const names = async (query: string): Promise<(string | undefined)[]> =>
  (await api.ask('GET', `${leases}?${query}`)).list.items.map(({ metadata }) => metadata.name);

describe('a read', () => {
  test('of a version that has not been waits for it for a moment', async () => {
    const { metadata } = await api.create();
    const next = BigInt(metadata.resourceVersion ?? 0) + 1n;
    expect((await api.ask('GET', `${one}?resourceVersion=${metadata.resourceVersion}`)).code).toBe(200);
    expect((await api.ask('GET', `${one}?resourceVersion=0`)).code).toBe(200);
    const soon = api.ask('GET', `${one}?resourceVersion=${next}`);
    const never = api.ask('GET', `${one}?resourceVersion=${next + 1n}`);
    await api.ask('PATCH', one, { headers: merge, body: { metadata: { labels: { a: 'b' } } } });
    expect(await soon).toMatchObject({ code: 200, lease: { metadata: { resourceVersion: String(next) } } });
    await api.world.clock.advance(3000);
    expect(await never).toMatchObject({
      code: 504,
      headers: { 'retry-after': '1' },
      status: {
        reason: 'Timeout',
        message: `Timeout: Too large resource version: ${next + 1n}, current: ${next}`,
        details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] },
      },
    });
  });

  test.each(['A_B', '-a', 'a'.repeat(254)])('of a name that no lease can have is 404: %s', async (name) => {
    expect((await api.ask('GET', `${leases}/${name}`)).status.details?.name).toBe(name);
    expect((await api.ask('DELETE', `${leases}/${name}`)).code).toBe(404);
  });

  test('in a namespace that there cannot be finds nothing', async () => {
    expect((await api.ask('GET', leases.replace('default', 'No_Such'))).list.items).toEqual([]);
    expect((await api.ask('GET', one.replace('default', 'No_Such'))).code).toBe(404);
  });

  test('is refused for its form before anything is looked for', async () => {
    expect((await api.ask('GET', one, { headers: { accept: 'image/png' } })).code).toBe(406);
    expect((await api.ask('DELETE', one, { headers: { accept: 'image/png' } })).code).toBe(406);
  });

  test('of a list as metadata of one lease is 406', async () => {
    await api.create();
    const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
    expect((await api.ask('GET', one, { headers: { accept } })).code).toBe(200);
    expect((await api.ask('GET', leases, { headers: { accept } })).code).toBe(406);
  });

  test('in protobuf begins as such bodies do', async () => {
    await api.create(heldBy('a'));
    for (const [method, path] of [
      ['GET', one],
      ['GET', leases],
      ['DELETE', one],
    ] as const) {
      const answer = await api.ask(method, path, { headers: { accept: 'application/vnd.kubernetes.protobuf,application/json' } });
      expect(answer).toMatchObject({ code: 200, contentType: 'application/vnd.kubernetes.protobuf' });
      expect(answer.text.startsWith('k8s\0')).toBe(true);
    }
  });
});

describe('a list', () => {
  beforeEach(async () => {
    for (const [name, labels] of [
      ['a', { env: 'prod', n: '5' }],
      ['b', { env: 'dev', n: '10' }],
      ['c', { n: 'x' }],
    ] as const) {
      await api.ask('POST', leases, { body: { metadata: { name, labels } } });
    }
  });

  test.each([
    ['', 'abc'],
    ['env', 'ab'],
    ['!env', 'c'],
    [' ! env ', 'c'],
    ['env=prod', 'a'],
    ['env == prod', 'a'],
    ['env!=prod', 'bc'],
    ['env=', ''],
    ['env in (prod, dev)', 'ab'],
    ['env in(prod)', 'a'],
    ['env notin (prod)', 'bc'],
    ['env notin ()', 'abc'],
    ['env in (,)', ''],
    ['n>5', 'b'],
    ['n < 10', 'a'],
    ['n>4,n<11,env', 'ab'],
    ['in', ''],
    ['env=in', ''],
    ['env in (in,notin)', ''],
    ['toString', ''],
    ['!constructor', 'abc'],
  ])('with the label selector %j has %j', async (labelSelector, expected) => {
    expect((await names(new URLSearchParams({ labelSelector }).toString())).join('')).toBe(expected);
  });

  test.each([
    ['a=b=c', "found '=', expected: ',' or 'end of string'"],
    ['=x', "found '=', expected: !, identifier, or 'end of string'"],
    [',', "found ',', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a,,b', "found ',', expected: identifier after ','"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
    ['!a=b', "found '=', expected: ',' or 'end of string'"],
    ['a=(b)', "unable to parse requirement: found '(', expected: identifier"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a in (b c)', "unable to parse requirement: found 'c', expected: ',' or ')'"],
    ['a>b', `unable to parse requirement: values[0]: Invalid value: "b": for 'Gt', 'Lt' operators, the value must be an integer`],
    ['a>9223372036854775808', /the value must be an integer$/],
    ['-a', /^unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of alphanumeric characters/],
    ['a=-b', /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-b": a valid label must be an empty string or/],
  ])('with the label selector %j is 400', async (labelSelector, message) => {
    const answer = await api.ask('GET', `${leases}?${new URLSearchParams({ labelSelector }).toString()}`);
    expect(answer.code).toBe(400);
    expect(answer.status.message).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  test.each([
    ['metadata.name=a', 'a'],
    ['metadata.name==a', 'a'],
    ['metadata.name!=a', 'bc'],
    ['metadata.name!=a,metadata.name!=b', 'c'],
    ['metadata.name=a,metadata.namespace=default', 'a'],
    ['metadata.namespace=other', ''],
    ['metadata.namespace!=other', 'abc'],
    [',metadata.name=a,', 'a'],
    ['metadata.name=A_B', ''],
    ['metadata.name=a\\,b', ''],
    ['metadata.name=', ''],
  ])('with the field selector %j has %j', async (fieldSelector, expected) => {
    expect((await names(new URLSearchParams({ fieldSelector }).toString())).join('')).toBe(expected);
  });

  test.each([
    ['nonsense', "invalid selector: 'nonsense'; can't understand 'nonsense'"],
    ['spec.holderIdentity=a', '"spec.holderIdentity" is not a known field selector: only "metadata.name", "metadata.namespace"'],
    ['metadata.name=a\\b', 'invalid field selector: invalid escape sequence: \\b'],
    ['metadata.name=a\\', 'invalid field selector: invalid escape sequence: \\'],
    ['metadata.name=a=b', 'invalid field selector: unescaped character in value: 61'],
  ])('with the field selector %j is 400', async (fieldSelector, message) => {
    expect(await api.ask('GET', `${leases}?${new URLSearchParams({ fieldSelector }).toString()}`)).toMatchObject({
      code: 400,
      status: { message },
    });
  });

  test.each([
    ['resourceVersionMatch=Exact', 422],
    ['resourceVersionMatch=NotOlderThan&resourceVersion=1&continue=x', 422],
    ['sendInitialEvents=true', 422],
    ['limit=1.5', 400],
    ['limit=9223372036854775808', 400],
    ['timeoutSeconds=soon', 400],
    ['resourceVersion=abc', 400],
    ['resourceVersion=-1', 400],
    ['resourceVersion=99999999999999999999999', 400],
    ['limit=-1', 200],
    ['limit=0', 200],
    ['allowWatchBookmarks=true&timeoutSeconds=5', 200],
  ])('with %s is %d', async (query, code) => {
    const answer = await api.ask('GET', `${leases}?${query}`);
    expect(answer.code).toBe(code);
    if (code === 200) expect(answer.list.items).toHaveLength(3);
  });

  test.each([
    ['{}', 'continue key is not valid: server does not recognize this encoded version '],
    ['{"v":"meta.k8s.io/v1"}', 'continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)'],
    ['{"v":"meta.k8s.io/v1","rv":-1}', 'continue key is not valid: encoded start key empty (version meta.k8s.io/v1)'],
    ['{"v":"meta.k8s.io/v1","rv":-1,"start":"../x"}', 'continue key is not valid: ../x'],
    ['[]', "continue key is not valid: invalid character '[' looking for beginning of value"],
    ['{', 'continue key is not valid: unexpected end of JSON input'],
  ])('that goes on at %s is 400', async (token, problem) => {
    const encoded = Buffer.from(token).toString('base64url');
    const answer = await api.ask('GET', `${leases}?continue=${encoded}`);
    expect(answer).toMatchObject({ code: 400, status: { message: `invalid continue token: ${problem}` } });
  });

  test('goes on where a page ended, with leases as they are now where the token says so', async () => {
    const token = Buffer.from('{"v":"meta.k8s.io/v1","rv":-1,"start":"a\\u0000","more":1}').toString('base64url');
    expect(await names(`continue=${token}`)).toEqual(['b', 'c']);
    expect((await api.ask('GET', `${leases}?continue=a%2Bb`)).status.message).toMatch(/illegal base64 data at input byte 1$/);
  });
});
