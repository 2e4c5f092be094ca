import { Server, ServerCredentials, status, type Metadata, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { GetResponse, LeaseServiceService, WatchResponse } from '@leasehold/proto/leasehold/v1/lease_service';
import { LeaseState } from '@leasehold/proto/leasehold/v1/lease';
import { createClient, InvalidError, type Client, type ClientOptions } from '@leasehold/sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.js';
import { clientOf, eventually, serve } from './support/server.js';

const secret = 'correct-horse-battery-staple';

describe('a bearer token', () => {
  it('goes with every call and every stream, and is asked for anew each time', async () => {
    const server = await Listener.start();
    let asked = 0;
    const client = server.client({ token: async () => `${secret}-${++asked}` });
    await client.get('a');
    await client.get('a');
    const watch = client.watch();
    await watch.ready();
    await client.acquire('a', { waitMs: 10, timeoutMs: 300 }).catch(() => undefined);
    await eventually(() => server.heard.some(({ method }) => method === 'heartbeat'));
    const methods = server.heard.map(({ method }) => method);
    expect(methods.filter((method) => method === 'get')).toHaveLength(2);
    expect(methods).toEqual(expect.arrayContaining(['watch', 'acquire', 'heartbeat']));
    const tokens = server.heard.map(({ authorization }) => authorization);
    expect(tokens.every((token) => /^Bearer correct-horse-battery-staple-\d+$/.test(token))).toBe(true);
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it('may be a plain string', async () => {
    const server = await Listener.start();
    await server.client({ token: secret }).get('a');
    expect(server.heard).toEqual([{ method: 'get', authorization: `Bearer ${secret}` }]);
  });

  it('is not sent where there is none', async () => {
    const server = await Listener.start();
    await server.client({}).get('a');
    expect(server.heard).toEqual([{ method: 'get', authorization: '' }]);
  });

  it('that a server refuses is an error to decide on, which shows nothing of it', async () => {
    const server = await Listener.start();
    server.refuses = true;
    const error = await failureOf(server.client({ token: secret }).get('a'));
    expect(error).toMatchObject({ name: 'RefusedError', code: 'UNAUTHENTICATED', retryable: false });
    expect(shown(error)).not.toContain(secret);
  });
});

describe('a token function', () => {
  it('that fails fails the call, which may be repeated', async () => {
    const server = await serve();
    const cause = new Error('the issuer is down');
    const client = clientOf(server.address, { token: () => Promise.reject(cause), timeoutMs: 300 });
    for (const error of await Promise.all([client.get('a'), client.create('a'), client.acquire('a')].map(failureOf))) {
      expect(error).toMatchObject({ name: 'UnavailableError', reason: 'TOKEN_UNAVAILABLE', retryable: true });
      expect(error.cause).toBe(cause);
    }
  });

  it('that fails for a moment only delays what can be repeated', async () => {
    const server = await serve();
    let failures = 3;
    const token = (): string => {
      if (failures-- > 0) throw new Error('the issuer is down');
      return secret;
    };
    expect((await clientOf(server.address, { token }).acquire('a')).granted).toBeDefined();
    expect(failures).toBeLessThan(0);
  });

  it('that never answers takes no longer than the call may, nor longer than its signal lets it', async () => {
    const server = await serve();
    const client = clientOf(server.address, { token: () => new Promise<string>(() => undefined) });
    await expect(client.get('a', { timeoutMs: 200 })).rejects.toMatchObject({ name: 'UnavailableError' });
    const abort = new AbortController();
    const call = client.create('a', { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });

  it('that fails for a while loses no lease that has time left', async () => {
    const server = await serve();
    const proxy = await FaultProxy.to(server.port);
    let failing = false;
    const token = (): string => {
      if (failing) throw new Error('the issuer is down');
      return secret;
    };
    const client = clientOf(proxy.address, { token });
    const lease = (await client.acquire('a', { durationMs: 4_000 })).granted!;
    failing = true;
    proxy.cut();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    failing = false;
    await eventually(() => lease.remainingMs > 3_500);
    lease.assertHeld();
  });

  it.each(['', 'two words', 'line\nbreak', 'ümlaut', undefined as unknown as string])(
    'that gives %j has a caller to mend it',
    async (token) => {
      const server = await serve();
      const error = await failureOf(clientOf(server.address, { token: () => token }).get('a'));
      expect(error).toMatchObject({ name: 'InvalidError', data: { field: 'token' } });
      if (token) expect(shown(error)).not.toContain(token);
    },
  );
});

describe('a token is refused at once', () => {
  it.each([
    [{ endpoints: ['leases.example.com:7400'] }, 'leases.example.com:7400'],
    [{ endpoints: ['127.0.0.1:7400', '10.0.0.1:7400'] }, '10.0.0.1:7400'],
    [{ endpoints: ['[fe80::1]:7400'], tls: false }, '[fe80::1]:7400'],
    [{ endpoints: ['127.0.0.1.example.com:7400'] }, '127.0.0.1.example.com:7400'],
  ])('where it would be sent in the clear: %j', (options, endpoint) => {
    const error = invalid({ ...options, token: secret });
    expect(error.data.field).toBe('token');
    expect(error.message).toContain(endpoint);
    expect(shown(error)).not.toContain(secret);
  });

  it.each([
    { endpoints: ['localhost:7400', '127.0.0.1:7400', '127.1.2.3:7400', '[::1]:7400'] },
    { endpoints: ['leases.example.com:7400'], tls: true },
    { endpoints: ['leases.example.com:7400'], tls: { serverName: 'x' } },
  ])('but not with %j', async (options) => {
    await createClient({ ...options, token: secret }).close();
  });

  it('where no header could carry it', () => {
    const error = invalid({ token: `${secret}\n` });
    expect(error.data.field).toBe('token');
    expect(shown(error)).not.toContain(secret);
  });
});

interface Heard {
  readonly method: string;
  readonly authorization: string;
}

/** A server that writes down who calls. */
class Listener {
  readonly heard: Heard[] = [];
  refuses = false;
  readonly #server = new Server();
  #port = 0;

  static async start(): Promise<Listener> {
    const listener = new Listener();
    listener.#server.addService(LeaseServiceService, {
      get: (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) => {
        listener.#hear('get', call.metadata);
        if (listener.refuses) answer({ code: status.UNAUTHENTICATED, details: 'who are you?' });
        else answer(null, GetResponse.fromPartial({ lease: { state: LeaseState.AVAILABLE } }));
      },
      acquire: (call: ServerUnaryCall<unknown, unknown>) => {
        listener.#hear('acquire', call.metadata);
      },
      watch: (call: { metadata: Metadata; write: (message: WatchResponse) => void }) => {
        listener.#hear('watch', call.metadata);
        call.write(WatchResponse.fromPartial({ revision: 1n }));
      },
      heartbeat: (call: { metadata: Metadata }) => {
        listener.#hear('heartbeat', call.metadata);
      },
    });
    listener.#port = await new Promise((resolve, reject) => {
      listener.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
    onTestFinished(() => {
      listener.#server.forceShutdown();
    });
    return listener;
  }

  client(options: ClientOptions): Client {
    return clientOf(`127.0.0.1:${this.#port}`, options);
  }

  #hear(method: string, metadata: Metadata): void {
    this.heard.push({ method, authorization: metadata.get('authorization').join(',') });
  }
}

async function failureOf(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => {
      throw new Error('did not fail');
    },
    (error: unknown) => error as Error,
  );
}

function invalid(options: ClientOptions): InvalidError {
  try {
    void createClient(options).close();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidError);
    return error as InvalidError;
  }
  throw new Error('was not refused');
}

/** Everything that a log would show of an error. */
function shown(error: Error): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    parts.push(
      String(at),
      at.stack ?? '',
      JSON.stringify(Object.values(at), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    );
  }
  return parts.join('\n');
}
