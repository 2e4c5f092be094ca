import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { json, leaseOf, leases, merge, one, titled, Victim, yaml } from './support.js';

const victim = Victim.ofThisFile();
const post = (body: string, headers: Record<string, string> = json, query = '') =>
  victim.ask({ method: 'POST', path: `${leases}${query}`, headers, body });

describe('a query', () => {
  const token = (fields: object): string => `continue=${Buffer.from(JSON.stringify(fields)).toString('base64url')}`;

  test.each(
    titled([
      ['labelSelector=a+b', 400],
      ['labelSelector==', 400],
      ['labelSelector=a+in', 400],
      ['labelSelector=a+in+(b', 400],
      ['labelSelector=a%3E1.5', 400],
      ['labelSelector=!', 400],
      ['labelSelector=a%3D%00', 400],
      ['labelSelector=a%3D%FF', 400],
      [`labelSelector=${'a'.repeat(64)}`, 400],
      [`labelSelector=${'('.repeat(5000)}`, 400],
      [`labelSelector=${'a%3Db,'.repeat(5000)}a`, 200],
      ['labelSelector=__proto__', 400],
      ['fieldSelector=spec.holderIdentity%3Da', 400],
      ['fieldSelector=metadata.name', 400],
      ['fieldSelector=metadata.name%3D%5C', 400],
      [`fieldSelector=${'%5C'.repeat(5001)}`, 400],
      ['limit=x', 400],
      ['limit=1e3', 400],
      ['limit=NaN', 400],
      ['limit=9223372036854775808', 400],
      [`limit=${'9'.repeat(10_000)}`, 400],
      ['limit=-1', 200],
      ['timeoutSeconds=1.5', 400],
      ['resourceVersion=x', 400],
      ['resourceVersion=-1', 400],
      ['resourceVersion=18446744073709551616', 400],
      [`resourceVersion=${'9'.repeat(10_000)}`, 400],
      ['resourceVersion=1&resourceVersionMatch=x', 422],
      ['resourceVersionMatch=Exact', 422],
      ['resourceVersion=0&resourceVersionMatch=Exact', 422],
      ['sendInitialEvents=true', 422],
      ['continue=%00', 400],
      ['continue=!!!', 400],
      ['continue=eyJ', 400],
      ['continue=AAAA', 400],
      ['continue=bnVsbA', 400],
      [`continue=${'A'.repeat(20_000)}`, 400],
      [token({}), 400],
      [token({ v: 'meta.k8s.io/v1', rv: 0, start: 'a' }), 400],
      [token({ v: 'meta.k8s.io/v1', rv: 1, start: '' }), 400],
      [token({ v: 'meta.k8s.io/v1', rv: 1, start: '../../etc/passwd' }), 400],
      [token({ v: 'meta.k8s.io/v1', rv: '1', start: 'a' }), 400],
      [token({ v: 'v9', rv: 1, start: 'a' }), 400],
      [token({ v: 'meta.k8s.io/v1', rv: 1, start: 'a' }), 410],
      [`continue=${Buffer.from(`{"v":"meta.k8s.io/v1","rv":${'9'.repeat(5000)},"start":"a"}`).toString('base64url')}`, 400],
      ['watch=1&resourceVersionMatch=Exact&resourceVersion=1', 422],
      ['watch=1&sendInitialEvents=true', 422],
      ['watch=1&resourceVersion=x', 500],
      ['watch=1&timeoutSeconds=x', 400],
      ['watch=1&labelSelector=%3D', 400],
      ['__proto__=1&constructor=2&toString=3', 200],
      ['%00=%00&%ff=%ff', 200],
      ['&'.repeat(30_000), 200],
    ]),
  )('%s is answered as kube-apiserver does', async (_, query, code) => {
    expect((await victim.ask({ path: `${leases}?${query}` })).code).toBe(code);
    await victim.expectAlive();
  });

  test.each<[string, string, string, number]>([
    ['POST', leases, 'dryRun=x', 422],
    ['POST', leases, 'fieldValidation=x', 422],
    ['POST', leases, `fieldManager=${'m'.repeat(129)}`, 422],
    ['POST', leases, 'fieldManager=%01', 422],
    ['PATCH', one, 'force=true', 422],
    ['DELETE', one, 'gracePeriodSeconds=x', 400],
    ['DELETE', one, 'propagationPolicy=x', 422],
    ['DELETE', one, 'dryRun=x', 422],
    ['DELETE', leases, 'labelSelector=%3D', 400],
  ])('of %s %s: %s', async (method, path, query, code) => {
    const headers = method === 'PATCH' ? merge : json;
    const body = method === 'DELETE' ? undefined : '{}';
    expect((await victim.ask({ method, path: `${path}?${query}`, headers, ...(body === undefined ? {} : { body }) })).code).toBe(
      code,
    );
    await victim.expectAlive();
  });

  test('asks for a version that is yet to come in vain, and is told when to come again', async () => {
    const answer = await victim.ask({ path: `${leases}?resourceVersion=18446744073709551615` });
    expect(answer).toMatchObject({ code: 504, json: { reason: 'Timeout' }, headers: { 'retry-after': '1' } });
  });

  test.each(['0', '-1', '-9223372036854775808'])('watches for %s seconds', async (timeoutSeconds) => {
    const { code } = await (timeoutSeconds === '0'
      ? victim.ask({ path: `${leases}?watch=1&timeoutSeconds=1` })
      : victim.ask({ path: `${leases}?watch=1&timeoutSeconds=${timeoutSeconds}` }));
    expect(code).toBe(200);
  });

  test('can watch for longer than any timer goes', async () => {
    for (const seconds of ['2147484', '9223372036854775807']) {
      const socket = victim.connect();
      let closed = false;
      socket
        .on('close', () => (closed = true))
        .on('end', () => (closed = true))
        .resume();
      socket.write(`GET ${leases}?watch=1&timeoutSeconds=${seconds} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await sleep(300);
      expect(closed).toBe(false);
    }
    await victim.expectAlive();
  });
});

describe('a duration', () => {
  test.each(
    titled([
      ['0', 422],
      ['-1', 422],
      ['-2147483648', 422],
      ['-2147483649', 400],
      ['1', 201],
      ['2147483647', 201],
      ['2147483648', 400],
      ['4294967297', 400],
      ['9223372036854775808', 400],
      ['1.5', 400],
      ['1.0', 400],
      ['1e3', 400],
      ['1e999', 400],
      ['-0', 422],
      ['"10"', 400],
      ['"NaN"', 400],
      ['true', 400],
      ['{}', 400],
      ['[10]', 400],
      ['null', 201],
      ['9'.repeat(100_000), 400],
    ]),
  )('of %s seconds', async (_, text, code) => {
    const body = `{"metadata":{"name":"d"},"spec":{"holderIdentity":"h","leaseDurationSeconds":${text}}}`;
    expect((await post(body)).code).toBe(code);
    await victim.ask({ method: 'DELETE', path: `${leases}/d` });
    await victim.expectAlive();
  });

  test('of 68 years is held for as long, by a server whose timers go for 24 days', async () => {
    const spec = { holderIdentity: 'h', leaseDurationSeconds: 2147483647 };
    await post(leaseOf({ name: 'long' }, spec));
    await sleep(300);
    const { json: lease } = await victim.ask({ path: `${leases}/long` });
    expect(lease).toMatchObject({ spec, metadata: { annotations: { 'leasehold.dev/state': 'HELD' } } });
    await victim.ask({ method: 'DELETE', path: `${leases}/long` });
  });

  test.each([
    ['leaseTransitions', '-1', 422],
    ['leaseTransitions', '2147483647', 201],
    ['leaseTransitions', '2147483648', 400],
  ])('%s of %s', async (field, value, code) => {
    expect((await post(`{"metadata":{"name":"d"},"spec":{"${field}":${value}}}`)).code).toBe(code);
    await victim.ask({ method: 'DELETE', path: `${leases}/d` });
  });
});

describe('a time', () => {
  test.each(
    titled([
      ['"0000-01-01T00:00:00.000000Z"', 201],
      ['"0001-01-01T00:00:00.000000Z"', 201],
      ['"9999-12-31T23:59:59.999999Z"', 201],
      ['"9999-12-31T23:59:59.999999-00:01"', 400],
      ['"0000-01-01T00:00:00.000000+00:01"', 400],
      ['"10000-01-01T00:00:00.000000Z"', 400],
      ['"-001-01-01T00:00:00.000000Z"', 400],
      ['"2026-13-01T00:00:00.000000Z"', 400],
      ['"2026-02-30T00:00:00.000000Z"', 400],
      ['"2026-01-01T24:00:00.000000Z"', 400],
      ['"2026-01-01T23:59:60.000000Z"', 400],
      ['"2026-01-01T00:00:00.0000000000Z"', 400],
      ['"2026-01-01T00:00:00.000000"', 400],
      ['"2026-01-01 00:00:00.000000Z"', 400],
      ['"NaN"', 400],
      ['"Infinity"', 400],
      ['""', 400],
      ['"\\u0000"', 400],
      ['1000000000', 400],
      ['-1', 400],
      ['{}', 400],
      ['true', 400],
      ['null', 201],
      [`"${'2'.repeat(100_000)}"`, 400],
    ]),
  )('of %s', async (_, text, code) => {
    expect((await post(`{"metadata":{"name":"t"},"spec":{"holderIdentity":"h","renewTime":${text}}}`)).code).toBe(code);
    expect((await victim.ask({ path: `${leases}/t` })).code).toBe(code === 201 ? 200 : 404);
    await victim.ask({ method: 'DELETE', path: `${leases}/t` });
    await victim.expectAlive();
  });
});

describe('a version', () => {
  test.each(
    titled([
      ['"x"', 500],
      ['"-1"', 500],
      ['"18446744073709551616"', 500],
      [`"${'9'.repeat(1_000_000)}"`, 500],
      ['"1"', 409],
      ['1', 400],
      ['""', 422],
      ['"0"', 422],
    ]),
  )('of %s in an update', async (_, version, code) => {
    await post(leaseOf({ name: 'one' }));
    const body = `{"metadata":{"name":"one","resourceVersion":${version}}}`;
    expect((await victim.ask({ method: 'PUT', path: one, headers: json, body })).code).toBe(code);
    await victim.expectAlive();
  });
});

describe('a name', () => {
  test.each(
    titled<object>([
      [{ name: '' }, 422],
      [{ name: 'A' }, 422],
      [{ name: 'a_b' }, 422],
      [{ name: 'a/b' }, 422],
      [{ name: '..' }, 422],
      [{ name: '-a' }, 422],
      [{ name: 'a'.repeat(254) }, 422],
      [{ name: 'a'.repeat(1_000_000) }, 422],
      [{ name: 'é' }, 422],
      [{ name: 'a\n' }, 422],
      [{ name: undefined, generateName: 'A-' }, 422],
      [{ namespace: 'other' }, 400],
      [{ labels: { 'a b': 'c' } }, 422],
      [{ labels: { a: 'c d' } }, 422],
      [{ labels: { ['a'.repeat(64)]: '' } }, 422],
      [{ labels: { 'a/b/c': '' } }, 422],
      [{ labels: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`l${index}`, ''])) }, 422],
      [{ annotations: { '': '' } }, 422],
      [{ annotations: { a: 'x'.repeat(262_144) } }, 422],
      [{ finalizers: [''] }, 422],
      [{ finalizers: ['orphan', 'foregroundDeletion'] }, 422],
      [{ ownerReferences: [{}] }, 422],
      [{ resourceVersion: '1' }, 500],
    ]),
  )('of %s is refused', async (_, metadata, code) => {
    expect((await post(leaseOf(metadata))).code).toBe(code);
    await victim.expectAlive();
  });

  test.each(
    titled([
      ['/apis/coordination.k8s.io/v1/namespaces/A/leases', 200],
      ['/apis/coordination.k8s.io/v1/namespaces//leases', 404],
      [`${leases}/a%2Fb`, 404],
      [`${leases}/..%2F..`, 404],
      [`${leases}/%00`, 404],
      [`${leases}/%ff`, 400],
      [`${leases}/%`, 400],
      [`${leases}/${'a'.repeat(30_000)}`, 404],
      ['/'.repeat(30_000), 404],
      [`/${'%41'.repeat(10_000)}`, 404],
      ['/apis/coordination.k8s.io/v1/leases/x', 404],
      ['/apis/coordination.k8s.io/v1beta1/leases', 404],
      ['/api/v1/namespaces/__proto__', 404],
    ]),
  )('in the URL: %s', async (_, path, code) => {
    expect((await victim.ask({ path })).code).toBe(code);
    await victim.expectAlive();
  });
});

describe('a header', () => {
  test.each<[string, Record<string, string>, number]>([
    ['a content type that nobody knows', { 'content-type': 'text/plain' }, 415],
    ['a content type of another API', { 'content-type': 'application/cbor' }, 415],
    ['a content type without a type', { 'content-type': ';charset=utf-8' }, 415],
    ['a content type of many parts', { 'content-type': `application/json${';a=b'.repeat(10_000)}` }, 201],
    ['a content type of many spaces', { 'content-type': `application/json;a${' '.repeat(50_000)}b` }, 415],
    ['a charset that is none', { 'content-type': 'application/json; charset=nonsense' }, 201],
    ['an encoding that it is not in', { ...json, 'content-encoding': 'gzip' }, 201],
    ['an accept that nobody can meet', { ...json, accept: 'image/png' }, 406],
    ['an accept of many commas', { ...json, accept: ','.repeat(50_000) }, 406],
    ['an accept of many spaces', { ...json, accept: `application/json;a${' '.repeat(50_000)}b` }, 201],
    ['an accept with a quality that is none', { ...json, accept: 'application/json;q=x' }, 201],
    ['an accept of a transform that there is none of', { ...json, accept: 'application/json;as=X;g=meta.k8s.io;v=v1' }, 406],
    ['a user agent of nothing but slashes', { ...json, 'user-agent': '/'.repeat(50_000) }, 201],
    ['a user agent in bytes', { ...json, 'user-agent': '\u00ff\u0080/x' }, 201],
  ])('with %s', async (_, headers, code) => {
    expect((await post(leaseOf({}), headers, '?dryRun=All')).code).toBe(code);
    await victim.expectAlive();
  });

  test('with what is compressed, it is 400: nobody asks for that', async () => {
    const body = Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00]);
    for (const headers of [json, yaml]) {
      const sent = { ...headers, 'content-encoding': 'gzip' };
      expect((await victim.ask({ method: 'POST', path: leases, headers: sent, body })).code).toBe(400);
    }
  });
});

describe('a method', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'CONNECT'])(
    '%s on paths that do not take it is no fault',
    async (method) => {
      for (const path of ['/version', '/livez', leases, one, '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews']) {
        if (method === 'DELETE' && path === leases) continue;
        const line = method === 'CONNECT' ? 'a:80' : path;
        const answer = await victim.raw(`${method} ${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        expect(answer).toMatch(/^HTTP\/1\.1 (200|400|404|405|406|415|422) /);
      }
      await victim.expectAlive();
    },
  );
});

test('nothing that clients send is in the log: no body, no token, no query', async () => {
  const secret = 'dont-write-this-down';
  const headers = { ...json, authorization: `Bearer ${secret}`, cookie: secret, 'user-agent': secret };
  for (const body of [leaseOf({ annotations: { a: secret } }), `{"${secret}":`, `{"metadata":"${secret}"}`]) {
    await victim.ask({ method: 'POST', path: `${leases}?fieldManager=${secret}&x=${secret}`, headers, body });
    await victim.ask({ method: 'PATCH', path: `${one}?fieldManager=${secret}`, headers, body });
  }
  await victim.raw(`${secret} ${secret}\r\n\r\n`);
  await victim.expectAlive();
  expect(victim.server.log.filter((line) => line.includes(secret))).toEqual([]);
});
