import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createClient, UnavailableError, type Client } from '@leasehold/sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';
import { freePort, ServerProcess } from '../support/server-process.js';
import { acquire, acquireRequest, grantOf, seconds, wireClient } from '../support/wire.js';

const patience = { timeout: 60_000, interval: 50 };

/** Two server processes over a real etcd: one serves, the other one stands by. */
describe.skipIf(withoutEtcd !== '')(`a server that stands by${withoutEtcd}`, { timeout: 120_000 }, () => {
  it('goes on when the first is killed: what was held stays held by the same token, and everything is there', async () => {
    const { first, standby, client } = await pair();
    const held = (await client.acquire('held', { durationMs: 30_000 })).granted!;
    await client.acquire('dead', { durationMs: 600_000, holder: 'somebody' });
    await first.kill();
    const second = await standby;
    await expect.poll(() => client.get('held'), patience).toMatchObject({ fencingToken: held.fencingToken });
    expect(held.signal.aborted).toBe(false);
    expect(await client.get('dead')).toMatchObject({ holder: 'somebody' });
    await held.setAnnotations({ after: 'the kill' });
    expect(held.signal.aborted).toBe(false);
    const { busy } = await client.acquire('dead', { holder: 'else' });
    expect(busy?.holder).toBe('somebody');
    await held.release();
    expect(second.pid).not.toBe(first.pid);
  });

  it('takes over at once from one that goes in order', async () => {
    const { first, standby, client } = await pair();
    const held = (await client.acquire('held', { durationMs: 30_000 })).granted!;
    expect(await first.stop()).toBe(0);
    await standby;
    await expect.poll(() => client.get('held'), patience).toMatchObject({ fencingToken: held.fencingToken });
    expect(held.signal.aborted).toBe(false);
  });

  it('takes the place of one that is paused, which answers nothing from memory when it goes on', async () => {
    const { first, standby } = await pair();
    const [ofFirst, second] = [clientOf(first), standby];
    await take(first, 'before');
    process.kill(first.pid, 'SIGSTOP');
    const ofSecond = clientOf(await second);
    const before = await ofSecond.get('moved');
    await ofSecond.revoke('moved', { fencingToken: before.fencingToken, force: true });
    expect(await take(await second, 'after')).toBeGreaterThan(before.fencingToken);
    process.kill(first.pid, 'SIGCONT');
    // It stands by now, and says so to everybody.
    for (let asked = 0; asked < 20; asked += 1) {
      await expect(ofFirst.get('moved', { timeoutMs: 500 })).rejects.toThrow(UnavailableError);
    }
    // Until the other one is gone: then it knows what that one has done.
    await (await second).kill();
    await expect.poll(() => ofFirst.get('moved').catch(() => undefined), patience).toMatchObject({ holder: 'after' });
  });

  it('serves again after etcd was away for longer than it may be alone, without a restart', async () => {
    const etcd = await startEtcd();
    const server = await ServerProcess.start({ store: `etcd:${etcd.endpoint}` });
    const client = clientOf(server);
    const { granted } = await client.acquire('held', { durationMs: 600_000, holder: 'me' });
    await etcd.kill();
    await expect
      .poll(() => client.get('held', { timeoutMs: 500 }).then(Object, (error: unknown) => error), patience)
      .toBeInstanceOf(UnavailableError);
    await etcd.start();
    await expect
      .poll(() => client.get('held').catch(() => undefined), patience)
      .toMatchObject({
        holder: 'me',
        fencingToken: granted?.fencingToken,
      });
  });

  it('ends in order while it waits', async () => {
    const etcd = await startEtcd();
    await ServerProcess.start({ store: `etcd:${etcd.endpoint}` });
    const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
    const waiting = spawn(process.execPath, [main, 'serve', '--store', `etcd:${etcd.endpoint}`, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, LEASEHOLD_HTTP_LISTEN: 'off' },
    });
    onTestFinished(() => void waiting.kill('SIGKILL'));
    const exited = once(waiting, 'exit');
    for await (const line of createInterface(waiting.stdout)) {
      if (line.includes('Standing by')) break;
    }
    waiting.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  });
});

async function startEtcd(): Promise<EtcdProcess> {
  const etcd = await EtcdProcess.start();
  onTestFinished(() => etcd.dispose());
  return etcd;
}

/** A server, one that stands by, and a client of both. */
async function pair(): Promise<{ first: ServerProcess; standby: Promise<ServerProcess>; client: Client }> {
  const etcd = await startEtcd();
  const store = `etcd:${etcd.endpoint}`;
  const first = await ServerProcess.start({ store });
  const port = await freePort();
  const standby = ServerProcess.start({ store, port });
  const client = createClient({ endpoints: [first.address, `127.0.0.1:${port}`], timeoutMs: 20_000 });
  // Before the servers end: it gives back what it holds.
  const ending = standby.then(() => onTestFinished(() => client.close()));
  return { first, standby: ending.then(() => standby), client };
}

function clientOf({ address }: ServerProcess): Client {
  const client = createClient({ endpoints: [address] });
  onTestFinished(() => client.close());
  return client;
}

/** Takes the lease `moved` for a holder whom nobody keeps alive, and returns its token. */
function take({ address }: ServerProcess, holder: string): Promise<bigint> {
  return grantOf(acquire(wireClient(address), acquireRequest({ name: 'moved', holder, duration: seconds(600) })));
}
