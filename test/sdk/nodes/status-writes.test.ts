import { UnavailableError } from '@leasehold/sdk';
import { TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { clientOver } from '../support/client-over.js';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
  onTestFinished(() => server.close());
});

describe('the status of a node', () => {
  it('is written again when nobody knows whether the last write has landed', async () => {
    let fails = false;
    const client = clientOver(server, (over) => {
      const update = over.update.bind(over);
      return {
        async update(request, call) {
          const written = await update(request, call);
          if (!fails) return written;
          const what = { code: 'UNAVAILABLE', reason: 'UNAVAILABLE', message: 'the answer is lost', retryable: true };
          throw new UnavailableError(what);
        },
      };
    });
    const agent = client.heartbeatNodes({ nodes: ['n'] });
    await server.clock.advance(0);
    agent.setStatus('n', { labels: { s: '1' } });
    await server.clock.advance(1_000);
    fails = true;
    agent.setStatus('n', { labels: { s: '2' } });
    await server.clock.advance(10);
    agent.setStatus('n', { labels: { s: '1' } });
    fails = false;
    await server.clock.advance(60_000);
    expect((await client.get('n', { namespace: 'kube-node-lease' })).labels).toEqual({ s: '1' });
  });
});
