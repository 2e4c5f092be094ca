import { type Client, createClient, LeaderElector, type Term } from '@leasehold/sdk';
import { FakeClock, TestLink, type TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FakeTransport, leaseOf } from '../support/fake-transport.js';
import { believers, Candidate, serve } from './support.js';

let server: TestServer;

beforeEach(async () => {
  server = await serve();
});

describe('the options', () => {
  const make = (options: Partial<ConstructorParameters<typeof LeaderElector>[1]>): LeaderElector =>
    new LeaderElector(server.client(), { name: 'x', ...options });

  it("have client-go's defaults", () => {
    expect(make({}).name).toBe('x');
    expect(make({ electorName: 'controller' }).name).toBe('controller');
  });

  it.each([
    [{ leaseDurationMs: 10_000, renewDeadlineMs: 10_000 }, /renewDeadlineMs.*leaseDurationMs \(10000\).*got 10000/],
    [{ renewDeadlineMs: 2_400, retryPeriodMs: 2_000 }, /renewDeadlineMs.*1\.2 × retryPeriodMs \(2000\), got 2400/],
    [{ retryPeriodMs: 0 }, /retryPeriodMs.*longer than 0 ms, got 0/],
    [{ leaseDurationMs: Number.NaN }, /leaseDurationMs.*from 0 to.*got NaN/],
    [{ name: '' }, /name.*must not be empty/],
  ])('%j are refused at once, with both values', (options, message) => {
    expect(() => make(options)).toThrow(message);
  });
});

describe('the callbacks', () => {
  it('come in order and once for each term', async () => {
    const one = await new Candidate(server, 'one').run();
    one.stopMs = 1_000;
    expect(one.log).toEqual(['started']);
    expect(await one.stop()).toBe('ended');
    expect(one.log).toEqual(['started', 'told to stop', 'work ended', 'stopped']);
  });

  it('say nothing of stopping to one who never led', async () => {
    await new Candidate(server, 'one').run();
    const two = await new Candidate(server, 'two').run();
    expect(await two.stop()).toBe('ended');
    expect(two.log).toEqual([]);
  });

  it('tell every candidate of each new leader, itself included', async () => {
    const one = await new Candidate(server, 'one').run();
    const two = await new Candidate(server, 'two').run();
    await one.stop();
    await server.clock.advance(0);
    expect(two.leaders).toEqual(['one', 'two']);
    expect(one.leaders).toEqual(['one']);
    expect(two.elector.getLeader()).toMatchObject({ holder: 'two', fencingToken: two.terms[0]!.fencingToken });
    expect(one.elector.getLeader()).toBeUndefined();
  });

  it('that throw end the election in order, and it rejects with what they threw', async () => {
    const failure = new Error('thrown');
    const client = server.client({ holder: 'one' });
    const order: string[] = [];
    const run = (thrower: string): Promise<unknown> =>
      new LeaderElector(client, { name: thrower })
        .run({
          onStartedLeading(term) {
            if (thrower === 'started') throw failure;
            return new Promise((resolve) => {
              term.signal.addEventListener('abort', () => {
                order.push(`${thrower}: told to stop`);
                resolve();
              });
            });
          },
          onStoppedLeading() {
            order.push(`${thrower}: stopped`);
            if (thrower === 'stopped') throw failure;
          },
          onNewLeader() {
            if (thrower === 'leader') throw failure;
          },
        })
        .catch((error: unknown) => error);
    expect(await run('started')).toBe(failure);
    const newLeader = run('leader');
    await server.clock.advance(0);
    expect(await newLeader).toBe(failure);
    expect(order).toEqual(['started: stopped', 'leader: told to stop', 'leader: stopped']);
    expect((await client.get('started')).state).toBe('AVAILABLE');
    expect((await client.get('leader')).state).toBe('AVAILABLE');
    const stopped = run('stopped');
    await server.clock.advance(0);
    await client.revoke('stopped', { fencingToken: (await client.get('stopped')).fencingToken });
    expect(await stopped).toBe(failure);
  });

  it('need not last: a start that returns at once goes on leading', async () => {
    const client = server.client({ holder: 'one' });
    const elector = new LeaderElector(client, { name: 'x' });
    const log: string[] = [];
    const stop = new AbortController();
    const run = elector.run(
      { onStartedLeading: () => void log.push('started'), onStoppedLeading: () => void log.push('stopped') },
      stop,
    );
    await server.clock.advance(60_000);
    expect(log).toEqual(['started']);
    expect(elector.isLeader()).toBe(true);
    stop.abort();
    await run;
    expect(log).toEqual(['started', 'stopped']);
    expect((await client.get('x')).state).toBe('AVAILABLE');
  });
});

describe('a run', () => {
  it('goes on after a loss, without an exit of the process', async () => {
    const link = new TestLink();
    const one = await new Candidate(server, 'one', { link }).run();
    link.cut();
    await server.clock.advance(20_000);
    expect(one.log).toEqual(['started', 'told to stop', 'work ended', 'stopped']);
    link.restore();
    await server.clock.advance(2_000);
    expect(one.terms).toHaveLength(2);
    expect(one.terms[1]!.fencingToken).toBeGreaterThan(one.terms[0]!.fencingToken);
    expect(one.elector.isLeader()).toBe(true);
  });

  it('is one at a time', async () => {
    const one = await new Candidate(server, 'one').run();
    await expect(one.elector.run(one)).rejects.toMatchObject({ reason: 'ALREADY_RUNNING' });
    await one.stop();
    await one.run();
    expect(one.elector.isLeader()).toBe(true);
  });

  it('ends in order when the client is closed', async () => {
    const one = await new Candidate(server, 'one').run();
    await one.client.close();
    expect(await one.ended).toBe('ended');
    expect(one.log).toEqual(['started', 'told to stop', 'work ended', 'stopped']);
  });

  it('leaves the lease to run out where it is not to be released', async () => {
    const one = await new Candidate(server, 'one', { elector: { releaseOnCancel: false } }).run();
    const two = await new Candidate(server, 'two').run();
    expect(await one.stop()).toBe('ended');
    expect(one.log.at(-1)).toBe('stopped');
    await server.clock.advance(12_000);
    expect(two.log).toEqual([]);
    await server.clock.advance(3_100);
    expect(two.log).toEqual(['started']);
  });

  it('puts labels and annotations on the lease', async () => {
    const elector = { labels: { app: 'foo' }, annotations: { address: '10.0.0.7:80' } };
    await new Candidate(server, 'one', { elector }).run();
    expect(await server.client().get('x')).toMatchObject(elector);
  });

  it('prefers candidates of higher priority in the queue', async () => {
    const one = await new Candidate(server, 'one').run();
    const two = await new Candidate(server, 'two').run();
    const three = await new Candidate(server, 'three', { elector: { priority: 5 } }).run();
    await one.stop();
    await server.clock.advance(0);
    expect(believers([two, three])).toEqual([three]);
  });
});

describe('resigning', () => {
  it('lets the next candidate lead, and stands again behind it', async () => {
    const one = await new Candidate(server, 'one').run();
    const two = await new Candidate(server, 'two').run();
    one.stopMs = 500;
    const resigned = one.elector.resign().then(() => one.log.push('resigned'));
    await server.clock.advance(499);
    expect(believers([two])).toEqual([]);
    await server.clock.advance(1);
    await resigned;
    expect(one.log).toEqual(['started', 'told to stop', 'work ended', 'stopped', 'resigned']);
    expect(believers([one, two])).toEqual([two]);
    await server.clock.advance(3_000);
    await two.stop();
    await server.clock.advance(0);
    expect(believers([one, two])).toEqual([one]);
  });

  it('does nothing where nothing is led', async () => {
    const one = new Candidate(server, 'one');
    await one.elector.resign();
    await one.elector.transferTo('two');
  });

  it('hands the lease to the candidate that is named, past others', async () => {
    const one = await new Candidate(server, 'one').run();
    const two = await new Candidate(server, 'two').run();
    const three = await new Candidate(server, 'three').run();
    await one.elector.transferTo('three');
    await server.clock.advance(0);
    expect(believers([one, two, three])).toEqual([three]);
    expect(one.log).toEqual(['started', 'told to stop', 'work ended', 'stopped']);
  });

  it('goes to whoever is next where nobody of that name waits, and says so', async () => {
    const one = await new Candidate(server, 'one').run();
    const two = await new Candidate(server, 'two').run();
    await expect(one.elector.transferTo('nobody')).rejects.toMatchObject({ name: 'RefusedError', reason: 'NOT_WAITING' });
    await server.clock.advance(0);
    expect(believers([one, two])).toEqual([two]);
  });
});

describe('the terms as an iteration', () => {
  /** Iterates in the background; the body runs until `done` is called. */
  function iterate(client: Client, signal?: AbortSignal): { terms: Term[]; done: () => void; ended: Promise<unknown> } {
    const loop = { terms: [] as Term[], done: (): void => undefined, ended: Promise.resolve() as Promise<unknown> };
    loop.ended = (async () => {
      for await (const term of new LeaderElector(client, { name: 'x' }).leadership({ signal })) {
        loop.terms.push(term);
        await new Promise<void>((resolve) => (loop.done = resolve));
        if (loop.terms.length === 2) break;
      }
      return 'ended';
    })().catch((error: unknown) => error);
    return loop;
  }

  it('give one after another; leaving the loop gives the lease back', async () => {
    const link = new TestLink();
    const client = server.client({ holder: 'one', link });
    const loop = iterate(client);
    await server.clock.advance(0);
    loop.done();
    await server.clock.advance(30_000);
    expect(loop.terms).toHaveLength(1);
    loop.terms[0]!.assertHeld();
    link.cut();
    await server.clock.advance(20_000);
    link.restore();
    await server.clock.advance(2_000);
    expect(loop.terms).toHaveLength(2);
    loop.done();
    expect(await loop.ended).toBe('ended');
    expect((await client.get('x')).state).toBe('AVAILABLE');
  });

  it('never overlap: the next one waits for the body of the loop', async () => {
    const link = new TestLink();
    const loop = iterate(server.client({ holder: 'one', link }));
    await server.clock.advance(0);
    link.cut();
    await server.clock.advance(20_000);
    link.restore();
    await server.clock.advance(20_000);
    expect(loop.terms).toHaveLength(1);
    loop.done();
    await server.clock.advance(100);
    expect(loop.terms).toHaveLength(2);
    loop.done();
    await loop.ended;
  });

  it('end with the signal, once the body has', async () => {
    const stop = new AbortController();
    const client = server.client({ holder: 'one' });
    const loop = iterate(client, stop.signal);
    await server.clock.advance(0);
    stop.abort();
    await server.clock.advance(1_000);
    expect((await client.get('x')).state).toBe('HELD');
    loop.done();
    expect(await loop.ended).toBe('ended');
    expect((await client.get('x')).state).toBe('AVAILABLE');
  });

  it('end with the signal while nothing is led', async () => {
    await new Candidate(server, 'other').run();
    const stop = new AbortController();
    const loop = iterate(server.client({ holder: 'one' }), stop.signal);
    await server.clock.advance(1_000);
    stop.abort();
    expect(await loop.ended).toBe('ended');
  });
});

describe('metrics', () => {
  it('count every start and stop with its reason, and every failure', async () => {
    const log: string[] = [];
    const metrics = {
      leaderOn: (name: string) => void log.push(`${name} on`),
      leaderOff: (name: string, reason: string) => void log.push(`${name} off: ${reason}`),
      campaignFailed: (name: string, error: Error) => void log.push(`${name} failed: ${error.name}`),
    };
    const link = new TestLink();
    const one = await new Candidate(server, 'one', { link, elector: { metrics, electorName: 'foo' } }).run();
    link.cut();
    await server.clock.advance(20_000);
    link.restore();
    await server.clock.advance(2_000);
    await one.elector.resign();
    await server.clock.advance(3_000);
    await one.stop();
    expect(log.filter((line) => !line.includes('failed'))).toEqual([
      'foo on',
      'foo off: LEASE_EXPIRED',
      'foo on',
      'foo off: RESIGNED',
      'foo on',
      'foo off: STOPPED',
    ]);
    expect(log).toContain('foo failed: UnavailableError');
  });
});

describe('a leader that sees a later tenure', () => {
  it('stops at once, though its own deadline is far and nothing was pushed to it', async () => {
    const transport = new FakeTransport();
    const clock = new FakeClock();
    const client = createClient({ transport, clock, holder: 'me' });
    onTestFinished(() => client.close({ release: false }));
    const log: string[] = [];
    const seen = leaseOf({ holder: 'other', state: 'HELD', fencingToken: 200n, resourceVersion: 200n });
    transport.record = leaseOf({ state: 'AVAILABLE' });
    transport.watchScripts.push({
      messages: [
        { events: [], revision: 1n },
        { events: [{ type: 'ACQUIRED', lease: seen, reason: undefined, revision: 200n, wasSelected: true }], revision: 200n },
      ],
    });
    const stop = new AbortController();
    transport.onAcquire = (request) => {
      // The second campaign waits.
      const busy = { holder: 'other', fencingToken: 200n, remainingMs: 1_000, timedOut: false };
      transport.onAcquire = ({ waitMs }) => (waitMs > 0 ? new Promise(() => undefined) : Promise.resolve({ kind: 'busy', busy }));
      return Promise.resolve(transport.grant(request, 100n));
    };
    const run = new LeaderElector(client, { name: 'x' }).run(
      {
        onStartedLeading: ({ signal }) =>
          new Promise((resolve) => {
            const onAbort = (): void => {
              log.push((signal.reason as Error).message);
              resolve();
            };
            if (signal.aborted) onAbort();
            else signal.addEventListener('abort', onAbort);
          }),
        onStoppedLeading: () => void log.push('stopped'),
      },
      { signal: stop.signal },
    );
    await clock.advance(0);
    expect(log).toEqual([expect.stringMatching(/was granted to "other" since \(token 200\)/), 'stopped']);
    // There is nothing left to release.
    expect(transport.releases).toEqual([]);
    stop.abort();
    await run;
  });
});
