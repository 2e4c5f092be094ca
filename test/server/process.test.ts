import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { acquire, connect, get, TestHeartbeat, TestWatch } from './support.js';

const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leasehold-process-'));
  return () => rm(directory, { recursive: true, force: true });
});

describe('leasehold serve', () => {
  test('keeps leases across a restart, in a directory that it makes', async () => {
    const store = `sqlite:${join(directory, 'new', 'leasehold.db')}`;
    const first = await serve('--store', store);
    const lease = await acquire(connect(first.address));
    expect(await first.end('SIGTERM')).toBe(0);
    expect((await stat(join(directory, 'new', 'leasehold.db'))).isFile()).toBe(true);
    const second = await serve('--store', store);
    expect((await get(connect(second.address))).lease).toMatchObject({ holder: 'holder', fencingToken: lease.fencingToken });
    expect(await second.end('SIGINT')).toBe(0);
  });

  test('keeps leases that it had acknowledged when it was killed', async () => {
    const store = `sqlite:${join(directory, 'leasehold.db')}`;
    const first = await serve('--store', store);
    const lease = await acquire(connect(first.address));
    first.child.kill('SIGKILL');
    await first.exited;
    const second = await serve('--store', store);
    expect((await get(connect(second.address))).lease).toMatchObject({ holder: 'holder', fencingToken: lease.fencingToken });
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('exits 0 within 5 s of %s, though clients keep streams open', async (signal) => {
    const server = await serve('--store', 'memory:');
    const client = connect(server.address);
    const heartbeat = new TestHeartbeat(client);
    await heartbeat.attach(await acquire(client));
    const watch = new TestWatch(client);
    await watch.until(() => watch.received.length > 0);
    const began = performance.now();
    expect(await server.end(signal)).toBe(0);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(heartbeat.received.some(({ draining }) => draining)).toBe(true);
    expect((await watch.ended).details).toContain('draining');
  });

  test('says clearly that another process has the file', async () => {
    const store = `sqlite:${join(directory, 'leasehold.db')}`;
    await serve('--store', store);
    const second = run('serve', '--listen', '127.0.0.1:0', '--http-listen', 'off', '--store', store);
    expect(await second.exited).toBe(1);
    expect(second.stdout()).toContain('The server could not start: ');
  });

  test('says clearly that the port is taken', async () => {
    const first = await serve('--store', 'memory:');
    const second = run('serve', '--listen', first.address, '--http-listen', 'off', '--store', 'memory:');
    expect(await second.exited).toBe(1);
    expect(second.stdout()).toContain(`Listen on ${first.address}`);
  });

  test('says clearly that the folder of the file cannot be made', async () => {
    await writeFile(join(directory, 'file'), '');
    const store = `sqlite:${join(directory, 'file', 'leases.db')}`;
    const refused = run('serve', '--listen', '127.0.0.1:0', '--http-listen', 'off', '--store', store);
    expect(await refused.exited).toBe(1);
    expect(refused.stdout()).toContain(`Open store: the folder ${join(directory, 'file')} cannot be made`);
  });

  test('ends at once when it is told to before it serves', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const asked = once(silent, 'connection');
    const started = run('serve', '--listen', '127.0.0.1:0', '--http-listen', 'off', '--store', `etcd:http://127.0.0.1:${port}`);
    const [socket] = (await asked) as [Socket];
    started.child.kill('SIGTERM');
    expect(await started.exited).toBe(0);
    expect(started.stdout()).toContain('Ended before it served');
    socket.destroy();
  });

  test('refuses an unknown option at once, with exit code 2', async () => {
    const refused = run('serve', '--stoer', 'memory:');
    expect(await refused.exited).toBe(2);
    expect(refused.stderr()).toBe('leasehold serve: Unknown option --stoer: see --help\n');
  });

  test('prints its options with --help', async () => {
    const help = run('serve', '--help');
    expect(await help.exited).toBe(0);
    expect(help.stdout()).toContain('--renewal-checkpoint DURATION');
    expect(help.stdout()).toContain('LEASEHOLD_RENEWAL_CHECKPOINT');
  });
});

describe('leasehold', () => {
  test('prints its commands and its version', async () => {
    const help = run('--help');
    expect(await help.exited).toBe(0);
    expect(help.stdout()).toContain('leasehold <command>');
    const version = run('--version');
    expect(await version.exited).toBe(0);
    expect(version.stdout()).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('refuses an unknown command with exit code 2', async () => {
    const refused = run('dance');
    expect(await refused.exited).toBe(2);
    expect(refused.stderr()).toContain('unknown command "dance"');
  });
});

interface Run {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  stdout(): string;
  stderr(): string;
}

/** Runs the command line; ends with the test whatever happens. */
function run(...args: string[]): Run {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, exited, stdout: () => stdout, stderr: () => stderr };
}

interface Served extends Run {
  readonly address: string;
  /** Sends a signal and waits for the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts a server on a free port and waits until it says that it serves. */
async function serve(...flags: string[]): Promise<Served> {
  const server = run('serve', '--listen', '127.0.0.1:0', '--http-listen', 'off', ...flags);
  if (server.child.stdout === null) {
    throw new Error('no output');
  }
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: server.child.stdout ?? process.stdin }).on('line', (line) => {
      const entry = JSON.parse(line) as { msg: string; address: string };
      if (entry.msg === 'Serving') {
        resolve(entry.address);
      }
    });
    void server.exited.then((code) => {
      reject(new Error(`exited with ${code}: ${server.stdout()}${server.stderr()}`));
    });
  });
  const end = (signal: NodeJS.Signals): Promise<number | null> => {
    server.child.kill(signal);
    return server.exited;
  };
  return { ...server, address, end };
}
