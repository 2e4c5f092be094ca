import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';
import { expect, onTestFinished, test } from 'vitest';
import { Chance } from '../../support/chance.js';
import { call, connect, eventually, readRefusal, TestWatch } from '../../server/support.js';
import { checkLinearizable, type Verdict } from '../../support/linearizable.js';
import { ServerProcess, temporaryDirectory } from '../../support/server-process.js';
import type { ServiceError } from '@grpc/grpc-js';
import { Beliefs } from './beliefs.js';
import { GrpcWriter } from './grpc-writer.js';
import { History, versionOf, type Answered, type Asked, type Entry } from './history.js';
import { KubeClient, leasesPath, type KubeLease } from './kube-client.js';
import { KubeWriter } from './kube-writer.js';
import { leaseModel } from './lease-model.js';
import type { LeaseState } from './lease-state.js';
import { ofGrpc, ofKubernetes } from './shown.js';
import type { Stage, Writer } from './stage.js';
import { changeText, elapsed, GrpcWatcher, KubeWatcher } from './watchers.js';

/**
 * Writers of both APIs on the same leases of a server as its users run it: `OPERATIONS=40000 SEED=7 npx vitest run
 * test/kubernetes/both-at-once`.
 */
const { OPERATIONS = '4000', SEED } = process.env;
const operations = Number(OPERATIONS);
const seed = Number(SEED ?? Math.floor(Math.random() * 2 ** 32));
/** On a machine that is busy with other things the operations may not all be made: enough are, to tell. */
const timeMs = Math.max(15_000, operations * 4);

test.each([
  { mode: 'as Kubernetes has it', strict: false, share: 1 },
  { mode: 'in strict mode', strict: true, share: 0.4 },
])(
  `20 writers over gRPC and 20 over the Kubernetes API agree on what happened, $mode (SEED=${seed})`,
  async ({ strict, share }) => {
    const scene = await Scene.set(strict);
    await scene.play(Math.round(operations * share));
    await scene.settle();

    const { history, beliefs, watchers } = scene;
    const [first, ...others] = scene.changes;
    const order = first!.map(changeText);
    for (const other of others) expect(other.map(changeText)).toEqual(order);
    expect(history.entries.length).toBeGreaterThan(200);
    expect(order.length).toBeGreaterThan(history.entries.length / 20);
    expect(watchers.comebacks).toBeGreaterThan(2);

    expect(unseen(history.entries, new Map(first!.map((change) => [change.shown.version, changeText(change)])))).toEqual([]);
    const all = [...history.entries, ...elapsed(watchers.grpc.events, history.entries, performance.now())];
    for (const lease of scene.stage.leases) {
      const ofLease = all.filter((entry) => entry.lease === lease);
      expect(explain(checkLinearizable(leaseModel({ strict }), ofLease)), lease).toBe('');
    }
    expect(beliefs.size).toBeGreaterThan(5);
    expect(beliefs.betrayed(history.entries)).toEqual([]);
    expect(scene.server.log.filter((line) => (JSON.parse(line) as { level: number }).level > 30)).toEqual([]);
  },
  4 * timeMs + 60_000,
);

class Scene {
  readonly server: ServerProcess;
  readonly stage: Stage;
  readonly history = new History();
  readonly beliefs = new Beliefs();
  readonly watchers: Watchers;
  readonly #client: LeaseServiceClient;
  readonly #kube: KubeClient;
  #left = 0;
  #endMs = 0;

  private constructor(server: ServerProcess, client: LeaseServiceClient, kube: KubeClient, watchers: Watchers) {
    this.server = server;
    this.watchers = watchers;
    this.#client = client;
    this.#kube = kube;
    this.stage = {
      history: this.history,
      beliefs: this.beliefs,
      leases: Array.from({ length: 10 }, (_, index) => `lease-${index}`),
      holders: Array.from({ length: 20 }, (_, index) => `g${index}`),
      take: () => this.#left-- > 0 && performance.now() < this.#endMs,
    };
  }

  static async set(strict: boolean): Promise<Scene> {
    const store = `sqlite:${join(await temporaryDirectory(), 'leases.db')}`;
    const server = await ServerProcess.start({
      store,
      args: ['--kubernetes-strict', strict ? 'on' : 'off', '--renewal-checkpoint', '300ms'],
      env: { LEASEHOLD_HTTP_LISTEN: '127.0.0.1:0' },
    });
    const kube = kubeClient(server);
    return new Scene(server, connect(server.address), kube, await Watchers.open(server));
  }

  async play(count: number): Promise<void> {
    const chance = new Chance(seed);
    const { stage, server } = this;
    const writers: Writer[] = stage.holders.flatMap((name, index) => [
      new GrpcWriter(name, stage, new Chance(chance.next() * 2 ** 32), connect(server.address)),
      new KubeWriter(`k${index}`, stage, new Chance(chance.next() * 2 ** 32), kubeClient(server)),
    ]);
    this.#left = count;
    this.#endMs = performance.now() + timeMs;
    const done = Promise.all(writers.map((writer) => writer.run()));
    await Promise.all([done, this.watchers.comeAndGo(done)]);
  }

  /** Waits until both APIs show the same of every lease, and all watchers have been told of everything. */
  async settle(): Promise<void> {
    for (const lease of this.stage.leases) await eventually(() => this.#isShownAlike(lease), 30_000);
    const last = this.history.entries.reduce((top, entry) => max(top, versionOf(entry) ?? 0n), 0n);
    await eventually(() => {
      const tops = this.changes.map((changes) => changes.at(-1)?.shown.version ?? 0n);
      return tops.every((top) => top >= last && top === tops[0]);
    }, 30_000);
  }

  /** What each of the watchers has been told. */
  get changes(): GrpcWatcher['changes'][] {
    return this.watchers.changes;
  }

  async #isShownAlike(lease: string): Promise<boolean> {
    const overGrpc = await this.history.note('the end', lease, { kind: 'get' }, () => grpcGet(this.#client, lease));
    const overHttp = await this.history.note('the end', lease, { kind: 'get' }, () => kubeGet(this.#kube, lease));
    return textOf(overGrpc) === textOf(overHttp);
  }
}

/** Two watchers of each API: one that stays, and one that goes and comes again. */
class Watchers {
  readonly grpc: GrpcWatcher;
  readonly #restless: GrpcWatcher;
  readonly #kube: KubeWatcher;
  readonly #restlessKube: KubeWatcher;
  comebacks = 0;

  private constructor(grpc: readonly [GrpcWatcher, GrpcWatcher], kube: readonly [KubeWatcher, KubeWatcher]) {
    [this.grpc, this.#restless] = grpc;
    [this.#kube, this.#restlessKube] = kube;
  }

  static async open(server: ServerProcess): Promise<Watchers> {
    const client = connect(server.address);
    const first = new TestWatch(client, {});
    await first.until(() => first.received.length > 0);
    const { revision } = first.received[0]!;
    const kube = kubeClient(server);
    return new Watchers(
      [new GrpcWatcher(client, revision), new GrpcWatcher(client, revision)],
      [await KubeWatcher.open(kube, revision), await KubeWatcher.open(kube, revision)],
    );
  }

  get changes(): GrpcWatcher['changes'][] {
    return [this.grpc.changes, this.#restless.changes, this.#kube.changes, this.#restlessKube.changes];
  }

  /** Drops and resumes two of them, again and again, until something is done. */
  async comeAndGo(done: Promise<unknown>): Promise<void> {
    while ((await Promise.race([done, sleep(pauseMs, 'going on')])) === 'going on') {
      this.#restless.comeAgain();
      await this.#restlessKube.comeAgain();
      this.comebacks += 1;
    }
  }
}

const pauseMs = 300;

function kubeClient(server: ServerProcess): KubeClient {
  const client = new KubeClient(server.httpAddress);
  onTestFinished(() => client.close());
  return client;
}

async function grpcGet(client: LeaseServiceClient, name: string): Promise<Answered> {
  try {
    const { lease } = await call(client, 'get', { namespace: 'default', name, cached: false });
    return { kind: 'shown', lease: ofGrpc(lease!) };
  } catch (error) {
    expect(readRefusal(error as ServiceError).reason).toBe('LEASE_NOT_FOUND');
    return { kind: 'refused', why: 'LEASE_NOT_FOUND' };
  }
}

async function kubeGet(client: KubeClient, name: string): Promise<Answered> {
  const { code, json } = await client.ask('GET', `${leasesPath}/${name}`);
  if (code === 404) return { kind: 'refused', why: 'LEASE_NOT_FOUND' };
  return { kind: 'shown', lease: ofKubernetes(json as KubeLease) };
}

function textOf(answer: Answered): string {
  return answer.kind === 'shown' ? changeText({ lease: '', gone: false, shown: answer.lease }) : answer.kind;
}

/** Answers that show what no watcher has been told of. `seen`: what they were told, by its version. */
function unseen(entries: readonly Entry[], seen: ReadonlyMap<bigint, string>): string[] {
  return entries.flatMap(({ lease, output }) => {
    if (output.kind !== 'shown') return [];
    const shown = changeText({ lease, gone: false, shown: output.lease });
    return seen.get(output.lease.version) === shown ? [] : [shown];
  });
}

/** Nothing if the history can be put in an order; else where that fails. */
function explain({ linearizable, order, state, stuck }: Verdict<LeaseState, Asked, Answered>): string {
  if (linearizable) return '';
  const show = (value: unknown): string =>
    JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  return ['after', ...order.slice(-6).map(show), 'it is', show(state), 'and none of these can follow:', ...stuck.map(show)].join(
    '\n',
  );
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
