import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { EtcdCluster } from '../../support/etcd-cluster.js';
import { FaultProxy } from '../../support/fault-proxy.js';

const main = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url));

/**
 * One of several servers on one etcd, as its users run it. It can be killed, paused and started again, and is reached over doors that can
 * be closed to one client each.
 */
export class Replica {
  readonly name: string;
  /** What leads from it to the members of etcd, in their order. */
  readonly links: readonly FaultProxy[];
  /** What it has logged, over all its starts. */
  readonly log: string[] = [];
  /** Ends that nobody has asked for, after it had served. */
  readonly crashes: string[] = [];
  readonly #store: string;
  readonly #doors: FaultProxy[] = [];
  #child: ChildProcess | undefined;
  #port = 0;
  #isServing = false;

  private constructor(name: string, links: readonly FaultProxy[]) {
    this.name = name;
    this.links = links;
    this.#store = `etcd:${links.map(({ address }) => `http://${address}`).join(',')}`;
  }

  /** Starts one for one test. It is ready when it answers. */
  static async start(name: string, { members }: EtcdCluster): Promise<Replica> {
    const replica = new Replica(name, await Promise.all(members.map((member) => member.door())));
    onTestFinished(async () => {
      await replica.kill();
    });
    replica.start();
    return replica;
  }

  /** A link for one client, which leads here after a restart too. */
  async door(): Promise<FaultProxy> {
    const door = await FaultProxy.to(this.#port);
    this.#doors.push(door);
    return door;
  }

  /** Starts it, unless it runs. */
  start(): void {
    if (this.isRunning) return;
    const options = ['--store', this.#store, '--listen', '127.0.0.1:0', '--renewal-checkpoint', '500ms', '--drain-timeout', '1s'];
    const child = spawn(process.execPath, [main, 'serve', ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LEASEHOLD_HTTP_LISTEN: 'off', LEASEHOLD_IDENTITY_LEASE: 'off' },
    });
    this.#child = child;
    this.#isServing = false;
    this.log.push(`-- ${new Date().toISOString()} started as ${child.pid}`);
    createInterface(child.stdout).on('line', (line) => {
      this.#take(line);
    });
    createInterface(child.stderr).on('line', (line) => this.log.push(line));
    child.once('exit', (code, signal) => {
      this.log.push(`-- ${new Date().toISOString()} ended: ${signal ?? code}`);
      // Whoever ends it in order forgets it first.
      if (this.#child === child) this.#endedByItself(signal ?? code);
    });
  }

  /** `kill -9`. */
  kill(): Promise<unknown> {
    return this.#end('SIGKILL');
  }

  /** SIGTERM. */
  stop(): Promise<unknown> {
    return this.#end('SIGTERM');
  }

  /** SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Whether it has served since it was started. */
  get isServing(): boolean {
    return this.isRunning && this.#isServing;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it if it was killed, resumes it if it was paused, and mends what leads to it and from it. */
  restore(): void {
    for (const link of [...this.links, ...this.#doors]) link.restore();
    this.signal('SIGCONT');
    this.start();
  }

  async #end(signal: NodeJS.Signals): Promise<unknown> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return undefined;
    this.#child = undefined;
    const exited = once(child, 'exit');
    child.kill(signal);
    return exited;
  }

  /** One that cannot begin, because etcd is away, is started again by whatever runs it. One that has served goes on by itself. */
  #endedByItself(how: string | number | null): void {
    if (this.#isServing) this.crashes.push(`${this.name} ended by itself: ${how}`);
    else this.start();
  }

  /** What it serves on is in its log. */
  #take(line: string): void {
    this.log.push(line);
    if (!line.includes('"Serving"')) return;
    const { address = '' } = JSON.parse(line) as { address?: string };
    this.#isServing = true;
    this.#port = Number(address.split(':').at(-1));
    for (const door of this.#doors) door.leadTo(this.#port);
  }
}
