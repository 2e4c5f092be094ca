import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { createClient, type AcquireOutcome, type Client, type HeldLease } from '@leasehold/sdk';
import { expect, onTestFailed, onTestFinished } from 'vitest';
import { Chance } from '../../support/chance.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import type { FaultProxy } from '../../support/fault-proxy.js';
import { checkLinearizable, type Verdict } from '../../support/linearizable.js';
import { attribute } from './attribution.js';
import { Beliefs } from './beliefs.js';
import { Faults } from './faults.js';
import { History, versionOf, type Answered, type Asked } from './history.js';
import { leaseModel, type LeaseState } from './lease-model.js';
import { Reader } from './reader.js';
import { Replica } from './replicas.js';
import { User, type Stage } from './user.js';
import { disordered, Watcher } from './watcher.js';

const patience = { timeout: 60_000, interval: 100 };
const [userCount, replicaCount, leaseCount] = [10, 3, 10];

/** Three servers over three members of etcd, users who work on ten leases, and watchers; everything reaches everything over links of its own. */
export class Scene {
  readonly etcd: EtcdCluster;
  readonly replicas: readonly Replica[];
  readonly faults: Faults;
  readonly stage: Stage;
  /** A client whom no fault is meant for. */
  readonly client: Client;
  readonly watchers: readonly Watcher[];
  readonly #startRevision: bigint;
  readonly #users: readonly (User | Reader)[];
  #working: Promise<unknown> = Promise.resolve();
  #findings: string[] = [];

  private constructor(parts: Pick<Scene, 'etcd' | 'replicas' | 'faults' | 'stage' | 'client' | 'watchers'>, rest: Hidden) {
    this.etcd = parts.etcd;
    this.replicas = parts.replicas;
    this.faults = parts.faults;
    this.stage = parts.stage;
    this.client = parts.client;
    this.watchers = parts.watchers;
    this.#startRevision = rest.startRevision;
    this.#users = rest.users;
  }

  /** Starts everything, for one test. */
  static async set(seed: number): Promise<Scene> {
    const chance = new Chance(seed);
    const etcd = await EtcdCluster.start();
    const replicas = await Promise.all(
      Array.from({ length: replicaCount }, (_, index) => Replica.start(`replica-${index}`, etcd)),
    );
    const doors = await Promise.all(Array.from({ length: replicaCount + userCount }, () => doorsTo(replicas)));
    const client = connect(await doorsTo(replicas));
    onTestFinished(() => client.close());
    const serving = (): number => replicas.filter(({ isServing }) => isServing).length;
    await expect.poll(serving, patience).toBeGreaterThanOrEqual(servingCount);
    const startRevision = await client.watch().ready({ timeoutMs: patience.timeout });

    const beliefs = new Beliefs();
    onTestFinished(() => beliefs.close());
    const stage: Stage = {
      leases: Array.from({ length: leaseCount }, (_, index) => `lease-${index}`),
      ...{ history: new History(), beliefs, waiting: new Map(), surprises: [] },
    };
    const own = (): Chance => new Chance(chance.next() * 2 ** 32);
    // The first of a client's endpoints is where it stays while all is well.
    const users = [
      ...doors.slice(replicaCount).map((ways, at) => new User(`u${at}`, stage, own(), () => connect(turned(ways, at)))),
      ...doors.slice(0, replicaCount).map((ways, at) => new Reader(`r${at}`, stage, own(), connect([ways[at]!]))),
    ];
    const watchers = doors.slice(0, replicaCount).map((ways, at) => {
      const watching = connect(turned(ways, at));
      onTestFinished(() => watching.close());
      return new Watcher(watching, startRevision, (event) => beliefs.told(event));
    });
    const faults = new Faults({ etcd, replicas, doors }, own());
    const scene = new Scene({ etcd, replicas, faults, stage, client, watchers }, { startRevision, users });
    onTestFailed(() => scene.#keepRecords());
    return scene;
  }

  /** Lets the users work, until `findings`. */
  begin(): void {
    this.#working = Promise.all(this.#users.map((user) => user.run()));
    // Whoever asks for the findings hears of it.
    this.#working.catch(() => undefined);
  }

  /** How many commands have been answered by what they asked for or by a refusal, so far. */
  get answered(): number {
    return this.stage.history.entries.filter(({ output }) => output.kind !== 'unknown').length;
  }

  /**
   * Mends everything, waits until all goes on by itself (the users' work, every lease, every replica, every watcher), and checks the
   * promises by all that was seen.
   *
   * @returns what is wrong.
   */
  async findings(): Promise<string[]> {
    const stuck = await this.#settle();
    const { beliefs, surprises, history } = this.stage;
    beliefs.look();
    const reference = new Watcher(this.client, this.#startRevision);
    stuck.push(...(await this.#never('a second watch from the start is told all', () => reference.revision >= this.#top)));
    reference.close();
    const wrong = this.stage.leases.flatMap((lease) => {
      const told = this.watchers.flatMap((watcher) => watcher.told).filter(({ event }) => event.lease.name === lease);
      const entries = history.entries.filter((entry) => entry.lease === lease);
      const attributed = attribute(entries, told);
      return [...attributed.findings, ...explain(checkLinearizable(leaseModel, attributed.history))];
    });
    const crashes = this.replicas.flatMap((replica) => replica.crashes);
    this.#findings = [...beliefs.betrayals, ...surprises, ...wrong, ...misled(this.watchers, reference), ...crashes, ...stuck];
    return this.#findings;
  }

  /** What came of it, for people. */
  get summary(): string {
    const futures = this.watchers.reduce((sum, watcher) => sum + watcher.futures, 0);
    const outcomes = this.stage.history.entries.map(
      ({ input, output }) => `${input.kind}: ${output.kind === 'refused' ? output.why : output.kind}`,
    );
    const events = this.watchers[0]?.told.map(({ event: { type, reason } }) => `${type} ${reason ?? ''}`.trim()) ?? [];
    return [
      `${outcomes.length} commands, ${events.length} events, ${futures} revisions of the future`,
      ...[outcomes, events].map((what) => tally(what)),
    ].join('\n  ');
  }

  async #settle(): Promise<string[]> {
    await this.faults.restore();
    const before = this.answered;
    const stuck = await this.#never('the users go on', () => this.answered > before + 50);
    for (const user of this.#users) user.stop();
    await this.#working;
    await Promise.all(this.#users.map((user) => user.end()));
    await Promise.all(this.stage.leases.map((lease) => this.#takeOnce(lease)));
    await this.#readEverywhere();
    stuck.push(
      ...(await this.#never('all watchers are told all', () => this.watchers.every(({ revision }) => revision >= this.#top))),
    );
    return stuck;
  }

  /** What does not come about, if it does not. */
  async #never(what: string, isSo: () => boolean): Promise<string[]> {
    try {
      await expect.poll(isSo, patience).toBe(true);
      return [];
    } catch (error) {
      return [`never: ${what} (${String(error)})`];
    }
  }

  get #top(): bigint {
    return this.stage.history.entries.map((entry) => versionOf(entry) ?? 0n).reduce((top, one) => (one > top ? one : top), 0n);
  }

  /** Everybody has gone: so whoever wants it gets it in the end. */
  async #takeOnce(name: string): Promise<void> {
    const holder = `end-${name}`;
    const { history, beliefs, surprises } = this.stage;
    let held: HeldLease | undefined;
    await history.note('the end', name, { kind: 'acquire', holder }, async () => {
      const outcome = await this.client
        .acquire(name, { holder, durationMs: 8000, waitMs: patience.timeout })
        .catch((error: unknown) => error);
      held = (outcome as Partial<AcquireOutcome>).granted;
      if (held !== undefined) return { kind: 'granted', token: held.fencingToken };
      surprises.push(`${name} is not granted in the end: ${inspect(outcome)}`);
      return { kind: 'unknown', why: 'not granted' };
    });
    if (held === undefined) return;
    beliefs.add(held);
    await history.note('the end', name, { kind: 'release', token: held.fencingToken, to: '' }, async () => {
      await held?.release();
      return { kind: 'over' };
    });
  }

  /** Reads every lease from each replica. */
  async #readEverywhere(): Promise<void> {
    const { history, leases, surprises } = this.stage;
    const reads = this.replicas.map(async (replica) => {
      const client = connect([await replica.door()]);
      onTestFinished(() => client.close());
      const read = (lease: string): Promise<Answered> =>
        client.get(lease).then(
          (shown) => ({ kind: 'shown', lease: shown }),
          () => ({ kind: 'unknown', why: 'it does not answer' }),
        );
      return Promise.all(leases.map((lease) => history.note(replica.name, lease, { kind: 'get' }, () => read(lease))));
    });
    const serving = (await Promise.all(reads)).filter((answers) => answers.every(({ kind }) => kind === 'shown')).length;
    if (serving < servingCount) surprises.push(`only ${serving} replicas serve in the end`);
  }

  /** For whoever looks into a failure. */
  async #keepRecords(): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'leasehold-cluster-'));
    await writeFile(join(folder, 'findings.txt'), this.#findings.join('\n'));
    await writeFile(join(folder, 'diary.txt'), this.faults.diary.join('\n'));
    await writeFile(join(folder, 'history.jsonl'), this.stage.history.entries.map(json).join('\n'));
    for (const [index, { told }] of this.watchers.entries()) {
      await writeFile(join(folder, `watcher-${index}.jsonl`), told.map(json).join('\n'));
    }
    for (const { name, log } of this.replicas) await writeFile(join(folder, `${name}.log`), log.join('\n'));
    process.stderr.write(`What happened stands in ${folder}\n`);
  }
}

/** How many of the replicas answer when all is well. */
const servingCount = 3;

interface Hidden {
  readonly startRevision: bigint;
  readonly users: readonly (User | Reader)[];
}

function doorsTo(replicas: readonly Replica[]): Promise<FaultProxy[]> {
  return Promise.all(replicas.map((replica) => replica.door()));
}

function turned<T>(ways: readonly T[], by: number): T[] {
  return ways.map((_, index) => ways[(index + by) % ways.length]!);
}

function tally(what: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const each of what) counts.set(each, (counts.get(each) ?? 0) + 1);
  return [...counts]
    .sort()
    .map(([each, count]) => `${each} ${count}`)
    .join(', ');
}

/** A client of all replicas. */
function connect(doors: readonly FaultProxy[]): Client {
  return createClient({ endpoints: doors.map(({ address }) => address), timeoutMs: 3000 });
}

/** What watchers were not told as the others, or not in order. A renewal may be left out for a later one, but not made up. */
function misled(watchers: readonly Watcher[], reference: Watcher): string[] {
  const renewals = new Set(watchers.flatMap((watcher) => watcher.renewals));
  return [
    ...[...watchers, reference].flatMap(({ told }) => disordered(told)),
    ...watchers.flatMap(({ changes }) => difference(changes, reference.changes)),
    ...reference.renewals
      .filter((renewal) => !renewals.has(renewal))
      .map((renewal) => `told to the second watch alone: ${renewal}`),
  ];
}

function difference(told: readonly string[], all: readonly string[]): string[] {
  const index = all.findIndex((each, at) => each !== told[at]);
  if (index < 0 && told.length === all.length) return [];
  const at = index < 0 ? all.length : index;
  return [`a watcher was told ${told[at] ?? 'nothing'}, and a second watch ${all[at] ?? 'nothing'}`];
}

/** Nothing if the history can be put in an order; else where that fails. */
function explain({ linearizable, order, state, stuck }: Verdict<LeaseState, Asked, Answered>): string[] {
  if (linearizable) return [];
  // What should have come first is what had returned first.
  const first = [...stuck].sort((left, right) => left.returnMs - right.returnMs).slice(0, 3);
  const lines = [
    'after',
    ...order.slice(-6).map(json),
    'it is',
    json(state),
    'and none of these can follow:',
    ...first.map(json),
  ];
  return [lines.join('\n')];
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
}
