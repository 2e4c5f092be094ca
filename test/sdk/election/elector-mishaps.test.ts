import { type Lease, LeaderElector, RefusedError } from '@leasehold/sdk';
import type { TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { clientOver } from '../support/client-over.js';
import { Candidate, serve } from './support.js';

/** What may go wrong around an elector: work that overruns, servers that refuse, callbacks that throw. */

let server: TestServer;

beforeEach(async () => {
  server = await serve();
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
    const client = clientOver(server, () => ({
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
