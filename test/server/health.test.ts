import { createRequire } from 'node:module';
import { type Client, credentials, loadPackageDefinition, status as codes, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startTestServer } from './support.js';

const require = createRequire(import.meta.url);

describe('the health service', () => {
  test.each(['', 'leasehold.v1.LeaseService'])('says that %j serves', async (service) => {
    const { server } = await startTestServer();
    expect(await check(server.address, service)).toBe('SERVING');
  });

  test('knows no other services', async () => {
    const { server } = await startTestServer();
    await expect(check(server.address, 'other')).rejects.toMatchObject({ code: codes.NOT_FOUND });
  });

  test('says at once that a server which drains does not serve', async () => {
    const { server } = await startTestServer();
    const health = connectHealth(server.address);
    const seen: string[] = [];
    const watching = (health['watch'] as WatchHealth).call(health, { service: '' });
    await new Promise<void>((resolve, reject) => {
      watching.on('error', () => undefined);
      watching.on('data', ({ status }: { status: string }) => {
        seen.push(status);
        if (status === 'SERVING') {
          server.drain().catch(reject);
        } else {
          resolve();
        }
      });
    });
    expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
  });
});

describe('server reflection', () => {
  test.each(['v1', 'v1alpha'])('%s lists the lease service and health', async (version) => {
    const { server } = await startTestServer();
    const answer = await reflect(server.address, version, { list_services: '*' });
    const names = answer.list_services_response?.service.map(({ name }) => name);
    expect(names?.sort()).toEqual(['grpc.health.v1.Health', 'leasehold.v1.LeaseService']);
  });

  test.each([
    ['leasehold.v1.LeaseService', 'leasehold/v1/lease_service.proto'],
    ['leasehold.v1.LeaseErrorDetail', 'leasehold/v1/errors.proto'],
    ['google.rpc.ErrorInfo', 'google/rpc/error_details.proto'],
    ['google.protobuf.Duration', 'google/protobuf/duration.proto'],
  ])('has the file of %s, under its own name', async (symbol, file) => {
    const { server } = await startTestServer();
    const answer = await reflect(server.address, 'v1', { file_containing_symbol: symbol });
    const [bytes] = answer.file_descriptor_response?.file_descriptor_proto ?? [];
    // A file descriptor begins with the name of its file.
    expect(bytes?.subarray(2, 2 + file.length).toString()).toBe(file);
  });
});

type CallHealth = (
  request: { service: string },
  callback: (error: ServiceError | null, answer?: { status: string }) => void,
) => void;
type WatchHealth = (request: { service: string }) => NodeJS.EventEmitter;

type Generic = Client & Record<string, unknown>;
type GenericConstructor = new (address: string, channel: ReturnType<typeof credentials.createInsecure>) => Generic;

function open(protoPath: string, name: string, address: string): Generic {
  let found: unknown = loadPackageDefinition(loadSync(protoPath, { keepCase: true, enums: String, longs: String, oneofs: true }));
  for (const part of name.split('.')) {
    found = (found as Record<string, unknown>)[part];
  }
  const client = new (found as GenericConstructor)(address, credentials.createInsecure());
  onTestFinished(() => {
    client.close();
  });
  return client;
}

function connectHealth(address: string): Generic {
  return open(require.resolve('grpc-health-check/proto/health/v1/health.proto'), 'grpc.health.v1.Health', address);
}

function check(address: string, service: string): Promise<string | undefined> {
  const health = connectHealth(address);
  return new Promise((resolve, reject) => {
    (health['check'] as CallHealth).call(health, { service }, (error, answer) => {
      if (error === null) {
        resolve(answer?.status);
      } else {
        reject(error);
      }
    });
  });
}

interface Reflected {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
}

type Reflect = () => NodeJS.EventEmitter & { write(request: unknown): void; end(): void };

function reflect(address: string, version: string, request: Record<string, string>): Promise<Reflected> {
  const path = require.resolve(`@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`);
  const client = open(path, `grpc.reflection.${version}.ServerReflection`, address);
  const stream = (client['ServerReflectionInfo'] as Reflect).call(client);
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (answer: Reflected) => {
      resolve(answer);
      stream.end();
    });
    stream.write(request);
  });
}
