import { createClient, InvalidError } from '@leasehold/sdk';
import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../support/certificates.js';
import { serve } from './support/server.js';

describe('endpoints', () => {
  it.each(['localhost:7400', '10.0.0.1:1', 'leases.example.com:65535', 'my_host:7400', 'dns:7400', 'unix:7400', '[::1]:7400'])(
    'may be %j',
    async (endpoint) => {
      await createClient({ endpoints: [endpoint] }).close();
    },
  );

  it.each([
    '',
    ' ',
    'localhost',
    'localhost:',
    'localhost:0',
    'localhost:65536',
    ':7400',
    '::1:7400',
    '[::1]',
    'http://x:7400',
    'a b:1',
  ])('may not be %j', (endpoint) => {
    expect(() => createClient({ endpoints: ['127.0.0.1:7400', endpoint] })).toThrow(
      `Invalid endpoints: must be host:port such as leases.example.com:7400, 10.0.0.1:7400 or [::1]:7400, got ${JSON.stringify(endpoint)}`,
    );
  });

  it('may not be none at all', () => {
    expect(() => createClient({ endpoints: [] })).toThrow(InvalidError);
  });

  it('that are names are looked up', async () => {
    const server = await serve();
    const client = createClient({ endpoints: [`localhost:${server.port}`] });
    await client.create('a');
    await client.close();
  });

  it('that refuse are named with the reason', async () => {
    const server = await serve();
    await server.drain();
    const client = createClient({ endpoints: [server.address], timeoutMs: 300 });
    await expect(client.get('a')).rejects.toThrow(
      new RegExp(`Connect to ${server.address} \\(.*ECONNREFUSED.*\\): no answer within 300 ms`),
    );
    await client.close();
  });
});

describe('the options of TLS', () => {
  const authority = new CertificateAuthority('Authority');
  const { cert, key } = authority.issue('agent');
  const other = authority.issue('agent');

  it.each([
    [{ ca: 'nothing' }, 'tls.ca', 'must be a certificate in PEM'],
    [{ ca: key }, 'tls.ca', 'must be a certificate in PEM'],
    [{ cert }, 'tls.key', 'must be given together with tls.cert'],
    [{ key }, 'tls.cert', 'must be given together with tls.key'],
    [{ cert: key, key }, 'tls.cert', 'must be a certificate in PEM'],
    [{ cert, key: cert }, 'tls.key', 'must be a private key in PEM'],
    [{ cert, key: other.key }, 'tls.key', 'must be the key of the certificate in tls.cert'],
  ])('case %#: %j', (tls, field, rule) => {
    let error: unknown;
    try {
      createClient({ tls });
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ name: 'InvalidError', data: { field } });
    expect((error as Error).message).toContain(rule);
    expect((error as Error).stack).not.toContain('-----');
  });
});
