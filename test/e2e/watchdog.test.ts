import { spawn, type ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { createClient, type WatchdogOptions } from '@leasehold/sdk';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.js';
import { ServerProcess } from '../support/server-process.js';

const script = fileURLToPath(new URL('watchdog-child.mjs', import.meta.url));
const line = /^leasehold: the event loop is blocked, for (\d+) ms so far, past the end of lease default\/a \(token \d+\)/;

describe('a process whose event loop is blocked past the end of its lease', () => {
  it('is killed, before it could go on', async () => {
    const child = await start('kill', 'blocked');
    await child.until('held');
    const began = performance.now();
    expect(await child.exit).toEqual([null, 'SIGKILL']);
    expect(performance.now() - began).toBeLessThan(7_000);
    expect(child.stdout).not.toContain('went on');
    expect(child.stderr).toMatch(line);
    expect(child.stderr).toContain(`killing process ${child.pid}`);
  });

  it('is killed also where its lease came after waiting, and where another lease lasts longer', async () => {
    for (const scenario of ['waited', 'second lease']) {
      const child = await start('kill', scenario);
      expect(await child.exit).toEqual([null, 'SIGKILL']);
      expect(child.stdout).not.toContain('went on');
    }
  });

  it('is only told of, once for each time, where that is wanted', async () => {
    const child = await start('warn', 'twice');
    expect(await child.exit).toEqual([0, null]);
    expect(child.stdout).toBe('went on\nlost\nwent on\nlost\nended\n');
    const lines = child.stderr.trim().split('\n');
    expect(lines).toHaveLength(2);
    for (const text of lines) {
      expect(Number(line.exec(text)?.[1])).toBeGreaterThan(100);
      expect(Number(line.exec(text)?.[1])).toBeLessThan(2_000);
      expect(text).not.toContain('killing');
    }
  });
});

describe('a process is left alone', () => {
  /** On a busy machine a thread that is not blocked may have to wait for its turn. */
  const patient = { TOLERANCE_MS: '1500' };

  it.each([
    ['that is busy, but comes round', 'busy', 'held\nended\n'],
    ['that is blocked while its lease has time left', 'not in danger', 'held\nended\n'],
    ['that is blocked when its lease is released', 'released', 'went on\nended\n'],
  ])('%s', async (_, scenario, stdout) => {
    const child = await start('kill', scenario, patient);
    expect(await child.exit).toEqual([0, null]);
    expect(child.stdout).toBe(stdout);
    expect(child.stderr).toBe('');
  });

  it('that was stopped, and reacts when it goes on', async () => {
    const child = await start('kill', 'lost in time', patient);
    await child.until('held');
    child.kill('SIGSTOP');
    await sleep(4_000);
    child.kill('SIGCONT');
    await child.until('lost');
    await sleep(1_000);
    expect(child.running).toBe(true);
    expect(child.stderr).toBe('');
  });

  it('whose lease ends because no server answers', async () => {
    const server = await ServerProcess.start();
    const proxy = await FaultProxy.to(server.port);
    const child = await start('kill', 'lost in time', patient, proxy.address);
    await child.until('held');
    proxy.partition();
    await child.until('lost');
    await sleep(1_000);
    expect(child.running).toBe(true);
    expect(child.stderr).toBe('');
  });

  it('that has nothing more to do: the thread does not keep it', async () => {
    const child = await start('kill', 'idle');
    expect(await child.exit).toEqual([0, null]);
    expect(child.stderr).toBe('');
  });
});

describe('the thread of a watchdog', () => {
  const started: Worker[] = [];
  const onStart = (message: unknown): void => {
    started.push((message as { worker: Worker }).worker);
  };

  it('is started for a client that asks for it alone, and ends with it', async () => {
    subscribe('worker_threads', onStart);
    onTestFinished(() => void unsubscribe('worker_threads', onStart));
    await createClient().close();
    expect(started).toHaveLength(0);
    const client = createClient({ watchdog: { onBlocked: 'warn' } });
    expect(started).toHaveLength(1);
    const ended = vi.fn();
    started[0]?.on('exit', ended);
    await client.close();
    expect(ended).toHaveBeenCalledWith(0);
  });
});

describe('the options of a watchdog', () => {
  it.each([
    [{ onBlocked: 'pray' as 'warn' }, 'watchdog.onBlocked', 'must be warn or kill, got pray'],
    [{ onBlocked: 'warn', toleranceMs: 0 }, 'watchdog.toleranceMs', 'must be longer than 0 ms, got 0'],
    [{ onBlocked: 'warn', toleranceMs: 60_001 }, 'watchdog.toleranceMs', 'must be at most 60,000 ms, got 60001'],
    [{ onBlocked: 'kill', toleranceMs: Number.NaN }, 'watchdog.toleranceMs', 'must be a number of milliseconds'],
  ] satisfies [WatchdogOptions, string, string][])('%j is refused', (watchdog, field, rule) => {
    let error: unknown;
    try {
      createClient({ watchdog });
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ name: 'InvalidError', data: { field } });
    expect((error as Error).message).toContain(rule);
  });
});

/** A process that holds a lease, and what it says. */
class Child {
  stdout = '';
  stderr = '';
  running = true;
  /** Its exit code, and the signal that ended it. */
  readonly exit: Promise<unknown[]>;
  readonly #process: ChildProcess;

  constructor(address: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#process = spawn(process.execPath, [script, address, ...args], { env: { ...process.env, ...env } });
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exit = once(this.#process, 'close').finally(() => {
      this.running = false;
    });
    onTestFinished(async () => {
      this.#process.kill('SIGKILL');
      await this.exit;
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async until(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      if (!this.running) throw new Error(`ended without ${text}: ${this.stderr}`);
      await sleep(10);
    }
  }
}

async function start(
  onBlocked: WatchdogOptions['onBlocked'],
  scenario: string,
  env: Readonly<Record<string, string>> = {},
  address?: string,
): Promise<Child> {
  return new Child(address ?? (await ServerProcess.start()).address, [onBlocked, scenario], env);
}
