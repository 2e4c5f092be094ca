import {
  createClient,
  InvalidError,
  type Lease,
  LeaderElector,
  RefusedError,
  type transport,
  UnavailableError,
} from '@leasehold/sdk';
import { TestLink, TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Candidate } from './election/support.js';

/** What an attack on the SDK has found. */

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
  onTestFinished(() => server.close());
});

/** A client whose calls a test can get in between. */
function clientOver(parts: (over: transport.Transport) => Partial<transport.Transport>): ReturnType<typeof createClient> {
  const over = server.transport();
  Object.assign(over, parts(over));
  const client = createClient({ transport: over, clock: server.clock, holder: 'one' });
  onTestFinished(() => client.close({ release: false }));
  return client;
}

describe('a watch', () => {
  it('that was ready and is closed without a loop ends its stream', async () => {
    let open = 0;
    const client = clientOver((over) => {
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

describe('the status of a node', () => {
  it('is written again when nobody knows whether the last write has landed', async () => {
    let fails = false;
    const client = clientOver((over) => {
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

describe('an elector', () => {
  it('whose work has overrun runs no second one beside it, and stays unwell', async () => {
    const one = await new Candidate(server, 'one').run();
    one.stopMs = 120_000;
    const stopped = one.ended;
    one.abort();
    await server.clock.advance(15_000);
    expect(await stopped).toMatchObject({ reason: 'WORK_OVERRAN' });
    await expect(one.elector.run(one)).rejects.toMatchObject({ reason: 'ALREADY_RUNNING' });
    await server.clock.advance(30_000);
    expect(() => one.elector.check(20_000)).toThrow(expect.objectContaining({ reason: 'WORK_OVERRAN' }));
    await server.clock.advance(120_000);
    expect(() => one.elector.check(0)).not.toThrow();
    await one.run();
    expect(one.terms).toHaveLength(2);
  });

  it('reports an outage while it stands by', async () => {
    const errors: string[] = [];
    await new Candidate(server, 'one', { elector: { onError: (error) => errors.push(error.name) } }).run();
    server.crash();
    await server.clock.advance(60_000);
    expect(errors.length).toBeGreaterThan(10);
    expect(new Set(errors)).toEqual(new Set(['UnavailableError']));
  });

  it('goes on leading though a server takes no more watches', async () => {
    const client = clientOver(() => ({
      watch: () => {
        throw new RefusedError({ code: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_EXCEEDED', message: 'too many watches' });
      },
    }));
    const errors: Error[] = [];
    const elector = new LeaderElector(client, { name: 'x', onError: (error) => errors.push(error) });
    const stop = new AbortController();
    const run = elector.run({ onStartedLeading: () => undefined, onStoppedLeading: () => undefined }, stop);
    await server.clock.advance(120_000);
    expect(elector.isLeader()).toBe(true);
    expect(errors.length).toBeGreaterThan(2);
    stop.abort();
    await run;
  });

  it('says that a hand-over did not happen when another came first', async () => {
    const one = await new Candidate(server, 'one').run();
    const [two, three] = [await new Candidate(server, 'two').run(), await new Candidate(server, 'three').run()];
    one.stopMs = 100;
    const first = one.elector.transferTo('three');
    const second = expect(one.elector.transferTo('two')).rejects.toMatchObject({ reason: 'SUPERSEDED' });
    await server.clock.advance(100);
    await first;
    await second;
    expect([two.term, three.term?.lease.holder]).toEqual([undefined, 'three']);
  });

  it('ends with what an asynchronous callback throws', async () => {
    const failure = new Error('thrown');
    const client = server.client({ holder: 'one' });
    const run = new LeaderElector(client, { name: 'x' }).run({
      onStartedLeading: () => undefined,
      onStoppedLeading: () => undefined,
      onNewLeader: async (_: Lease) => Promise.reject(failure),
    });
    const outcome = run.catch((error: unknown) => error);
    await server.clock.advance(0);
    expect(await outcome).toBe(failure);
  });

  it('calls every callback though counting throws', async () => {
    const log: string[] = [];
    const thrower = (): never => {
      throw new Error('counting');
    };
    const metrics = { leaderOn: thrower, leaderOff: thrower, campaignFailed: () => undefined };
    const elector = new LeaderElector(server.client({ holder: 'one' }), { name: 'x', metrics });
    const run = elector.run({
      onStartedLeading: () => void log.push('started'),
      onStoppedLeading: () => void log.push('stopped'),
    });
    await expect(run).rejects.toThrow('counting');
    expect(log).toEqual(['started', 'stopped']);
  });
});

describe('a held lease', () => {
  it('is handed to nobody of no name, and stays held when a hand-over never began', async () => {
    const { granted } = await server.client({ holder: 'one' }).acquire('x');
    await expect(granted!.transfer('')).rejects.toBeInstanceOf(InvalidError);
    await expect(granted!.transfer('z'.repeat(600))).rejects.toBeInstanceOf(InvalidError);
    await expect(granted!.transfer('two', { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    granted!.assertHeld();
  });

  it('that is lost is lost for good: its client does not reattach it, but acquires anew', async () => {
    const link = new TestLink();
    const client = server.client({ holder: 'one', link });
    const { granted } = await client.acquire('x');
    const { fencingToken } = granted!;
    link.cut();
    await server.clock.advance(14_800);
    expect(granted!.status).toBe('lost');
    link.restore();
    await expect(client.reattach('x', { fencingToken })).rejects.toMatchObject({ name: 'LeaseLostError' });
    await server.clock.advance(1_000);
    expect((await client.acquire('x')).granted!.fencingToken).toBeGreaterThan(fencingToken);
  });
});
