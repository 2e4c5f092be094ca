import { TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { clientOver } from './support/client-over.js';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
  onTestFinished(() => server.close());
});

describe('a watch', () => {
  it('that was ready and is closed without a loop ends its stream', async () => {
    let open = 0;
    const client = clientOver(server, (over) => {
      const watch = over.watch.bind(over);
      return {
        async *watch(request, signal) {
          open += 1;
          try {
            yield* watch(request, signal);
          } finally {
            open -= 1;
          }
        },
      };
    });
    const closed = client.watch();
    await closed.ready();
    const abort = new AbortController();
    await client.watch({ signal: abort.signal }).ready();
    expect(open).toBe(2);
    closed.close();
    abort.abort();
    await server.clock.advance(0);
    expect(open).toBe(0);
  });
});
