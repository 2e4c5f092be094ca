import { type Client, createClient, type transport } from '@leasehold/sdk';
import type { TestServer } from '@leasehold/sdk/testing';
import { onTestFinished } from 'vitest';

/** A client of a server whose calls a test can get in between. */
export function clientOver(server: TestServer, parts: (over: transport.Transport) => Partial<transport.Transport>): Client {
  const over = server.transport();
  Object.assign(over, parts(over));
  const client = createClient({ transport: over, clock: server.clock, holder: 'one' });
  onTestFinished(() => client.close({ release: false }));
  return client;
}
