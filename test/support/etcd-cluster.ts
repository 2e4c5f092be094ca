import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { etcdPrograms } from './etcd-process.js';
import { FaultProxy } from './fault-proxy.js';
import { freePort } from './server-process.js';
import { SocksProxy } from './socks-proxy.js';

/** The latest of them. */
const program = etcdPrograms.at(-1)?.path ?? '';

/** How long to wait for members to agree, or to answer. */
const patienceMs = 60_000;

/**
 * An etcd of several members on loopback, for one test: each can be killed, paused and started again, and what runs between each two of
 * them, or between one and its clients, can be cut and mended.
 */
export class EtcdCluster {
  readonly members: readonly EtcdMember[];
  /** By who connects, then by whom it connects to. */
  readonly #links: readonly (readonly FaultProxy[])[];

  private constructor(members: readonly EtcdMember[], links: readonly (readonly FaultProxy[])[]) {
    this.members = members;
    this.#links = links;
  }

  /** Starts one on empty data directories, and waits until it serves. It ends with the test. */
  static async start(size = 3): Promise<EtcdCluster> {
    const names = Array.from({ length: size }, (_, index) => `member-${index}`);
    const folder = await mkdtemp(join(tmpdir(), 'leasehold-etcd-'));
    const links = await Promise.all(names.map(() => Promise.all(names.map(() => FaultProxy.to(0)))));
    const members = await Promise.all(
      names.map(async (name, index) => {
        const exit = await SocksProxy.to(new Map(names.map((to, other) => [hostOf(to), links[index]![other]!])));
        const toIt = links.map((from) => from[index]!);
        return new EtcdMember({ name, names, folder: join(folder, name), exit, toIt });
      }),
    );
    const cluster = new EtcdCluster(members, links);
    onTestFinished(async () => {
      await Promise.all(members.map((member) => member.kill()));
      await rm(folder, { recursive: true, force: true });
    });
    await Promise.all(members.map((member) => member.start()));
    await cluster.ready();
    return cluster;
  }

  /** Resolves once a leader is known to all members. */
  async ready(): Promise<void> {
    const untilMs = performance.now() + patienceMs;
    for (;;) {
      const known = await Promise.all(this.members.map((member) => member.status()));
      const leaders = new Set(known.map((status) => status?.leader ?? '0'));
      if (leaders.size === 1 && !leaders.has('0')) return;
      if (performance.now() > untilMs) throw new Error('The members of etcd do not agree on a leader');
      await sleep(50);
    }
  }

  /** Which member leads, by what those say that answer; `undefined`: none does. Of two, one of which does not know yet, the later. */
  async leader(): Promise<EtcdMember | undefined> {
    const known = await Promise.all(this.members.map(async (member) => ({ member, status: await member.status() })));
    const leading = known.flatMap(({ member, status }) =>
      status?.leader !== undefined && status.leader === status.header.member_id
        ? [{ member, term: Number(status.raftTerm) }]
        : [],
    );
    return leading.sort((left, right) => right.term - left.term)[0]?.member;
  }

  /** What two members send each other, both ways. */
  between(one: EtcdMember, other: EtcdMember): readonly FaultProxy[] {
    const [from, to] = [this.members.indexOf(one), this.members.indexOf(other)];
    return [this.#links[from]![to]!, this.#links[to]![from]!];
  }

  /** What a member and all others send each other. */
  around(member: EtcdMember): readonly FaultProxy[] {
    return this.members.filter((other) => other !== member).flatMap((other) => this.between(member, other));
  }

  /** Starts what was killed, resumes what was paused, and mends what was cut between members. */
  async restore(): Promise<void> {
    for (const link of this.#links.flat()) link.restore();
    for (const member of this.members) member.signal('SIGCONT');
    await Promise.all(this.members.map((member) => member.start()));
    await this.ready();
  }
}

interface MemberOptions {
  readonly name: string;
  readonly names: readonly string[];
  readonly folder: string;
  /** Its way to the others. */
  readonly exit: SocksProxy;
  /** What leads to it from the others. */
  readonly toIt: readonly FaultProxy[];
}

/** What a member says of itself; a number in JSON is a text there. */
interface MemberStatus {
  readonly header: { readonly member_id: string };
  /** Nothing: it knows of none. */
  readonly leader?: string;
  readonly raftTerm: string;
}

/** One member. It has other ports after each start: nobody else can have taken them meanwhile. */
export class EtcdMember {
  readonly name: string;
  readonly #options: MemberOptions;
  readonly #doors: FaultProxy[] = [];
  #child: ChildProcess | undefined;
  #port = 0;

  constructor(options: MemberOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** A link for one client of this member, which can be cut; it leads there after a restart too. */
  async door(): Promise<FaultProxy> {
    const door = await FaultProxy.to(this.#port);
    this.#doors.push(door);
    return door;
  }

  /** Starts it, unless it runs. It is ready once there is a quorum. */
  async start(): Promise<void> {
    if (isRunning(this.#child)) return;
    const { name, names, folder, exit, toIt } = this.#options;
    const [port, peerPort] = [await freePort(), await freePort()];
    const client = `http://127.0.0.1:${port}`;
    this.#child = spawn(
      program,
      [
        ...['--name', name, '--data-dir', folder, '--log-level', 'error'],
        ...['--initial-cluster', names.map((member) => `${member}=${peerUrl(member)}`).join(',')],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', `http://127.0.0.1:${peerPort}`, '--initial-advertise-peer-urls', peerUrl(name)],
        ...['--heartbeat-interval', '50', '--election-timeout', '500'],
        // What a kill -9 leaves is in the kernel's hands. Other tests have the disk to themselves.
        '--unsafe-no-fsync',
      ],
      { stdio: 'ignore', env: { PATH: process.env['PATH'], HTTP_PROXY: exit.url } },
    );
    this.#port = port;
    for (const door of this.#doors) door.leadTo(port);
    for (const link of toIt) link.leadTo(peerPort);
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !isRunning(child)) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** What it says of itself; `undefined`: nothing, in time. */
  async status(): Promise<MemberStatus | undefined> {
    if (!isRunning(this.#child)) return undefined;
    try {
      const url = `http://127.0.0.1:${this.#port}/v3/maintenance/status`;
      const answer = await fetch(url, { method: 'POST', body: '{}', signal: AbortSignal.timeout(1000) });
      return answer.ok ? ((await answer.json()) as MemberStatus) : undefined;
    } catch {
      return undefined;
    }
  }
}

/** A name that leads nowhere but through `SocksProxy`. */
function hostOf(member: string): string {
  return `${member}.invalid`;
}

function peerUrl(member: string): string {
  return `http://${hostOf(member)}:2380`;
}

function isRunning(child: ChildProcess | undefined): boolean {
  return child?.exitCode === null && child.signalCode === null;
}
