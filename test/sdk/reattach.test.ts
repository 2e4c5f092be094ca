import type { Client } from '@leasehold/sdk';
import { TestLink, TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

let server: TestServer;
/** The fencing token that the process before kept. */
let fencingToken: bigint;

beforeEach(async () => {
  server = await TestServer.start();
  onTestFinished(() => server.close());
  const clock = server.clock.process();
  const { granted } = await server.client({ holder: 'me', clock }).acquire('x', { durationMs: 10_000 });
  fencingToken = granted!.fencingToken;
  clock.kill();
});

function restarted(link = new TestLink()): Client {
  return server.client({ holder: 'me', link });
}

describe('reattaching', () => {
  it('goes on with the tenure, by the same token and in time', async () => {
    await server.clock.advance(9_000);
    const held = await restarted().reattach('x', { fencingToken });
    expect(held).toMatchObject({ fencingToken, holder: 'me', name: 'x', status: 'held' });
    await server.clock.advance(60_000);
    held.assertHeld();
    await held.release();
    expect((await server.client().get('x')).state).toBe('AVAILABLE');
  });

  it('counts from before the renewal was sent', async () => {
    const link = new TestLink();
    const held = await restarted(link).reattach('x', { fencingToken });
    link.silence();
    await server.clock.advance(9_799);
    held.assertHeld();
    await server.clock.advance(1);
    expect(held.status).toBe('lost');
  });

  it('refuses what has expired, was taken since, or is not there', async () => {
    const client = restarted();
    await server.clock.advance(10_001);
    await expect(client.reattach('x', { fencingToken })).rejects.toMatchObject({ name: 'LeaseExpiredError' });
    await server.client({ holder: 'you' }).acquire('x');
    await expect(client.reattach('x', { fencingToken })).rejects.toMatchObject({
      name: 'LeaseLostError',
      data: { holder: 'you' },
    });
    await expect(client.reattach('y', { fencingToken })).rejects.toMatchObject({ name: 'LeaseNotFoundError' });
  });

  it('refuses a token that another holder has', async () => {
    const other = server.client({ holder: 'you' });
    await expect(other.reattach('x', { fencingToken })).rejects.toMatchObject({ name: 'LeaseLostError' });
  });

  it('gives the same lease to two who ask', async () => {
    const client = restarted();
    const [one, two] = await Promise.all([client.reattach('x', { fencingToken }), client.reattach('x', { fencingToken })]);
    expect(one).toBe(two);
  });

  it('refuses a beat that comes too rarely, before anything is held', async () => {
    await expect(restarted().reattach('x', { fencingToken, beatIntervalMs: 6_000 })).rejects.toThrow(
      /half of durationMs \(10000\)/,
    );
  });

  it('refuses what the same client has lost, which acquires anew', async () => {
    const link = new TestLink();
    const client = server.client({ holder: 'one', link });
    const { granted } = await client.acquire('y');
    const { fencingToken: lost } = granted!;
    link.cut();
    await server.clock.advance(14_800);
    expect(granted!.status).toBe('lost');
    link.restore();
    await expect(client.reattach('y', { fencingToken: lost })).rejects.toMatchObject({ name: 'LeaseLostError' });
    await server.clock.advance(1_000);
    expect((await client.acquire('y')).granted!.fencingToken).toBeGreaterThan(lost);
  });
});
