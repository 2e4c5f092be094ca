import { defaultLimits, everything, type LeaseCoordinator, type LeaseError } from '@leasehold/core';
import type { FakeClock } from '@leasehold/sdk/testing';
import type { Engine } from '../../server/dist/engine.js';
import type { GrpcServer } from '../../server/dist/grpc/server.js';
import type { Health } from '../../server/dist/grpc/health.js';
import type { Log } from '../../server/dist/log.js';
import { readPiece } from '../../server/dist/store/etcd/changes.js';
import { Keys } from '../../server/dist/store/etcd/keys.js';
import { EtcdLink, FakeEtcd } from '../support/fake-etcd.js';
import type { Chance } from '../support/chance.js';
import { Front } from './front.js';
import type { Kit } from './kit.js';
import { ttlMs } from './ttl.js';
import type { Witness } from './witness.js';

/** What all servers of a run share. */
export interface Cluster {
  readonly kit: Kit;
  readonly etcd: FakeEtcd;
  readonly time: FakeClock;
  readonly chance: Chance;
  readonly witness: Witness;
  /** Of all servers. */
  readonly checkpointIntervalMs: number;
}

/** An etcd with what every store has, whose commits the witness sees. */
export function makeEtcd(witness: Witness): FakeEtcd {
  const etcd = new FakeEtcd();
  const keys = new Keys('/');
  const put = (key: Buffer, value: string): object => ({ request_put: { key, value: Buffer.from(value) } });
  const success = [put(keys.schema, '{"schema":2}'), put(keys.revision, '1000'), put(keys.floor, '1000')];
  etcd.call('Txn', { compare: [], success });
  const live = new Set<string>();
  etcd.listen((events) => {
    for (const { type, kv } of events) {
      if (type === 'PUT' && keys.pieceOf(kv.key) !== undefined) {
        const { by, changes } = readPiece(kv.value);
        witness.committed(changes, by.split('/')[0] ?? '', live);
      }
      const session = keys.sessionOf(kv.key);
      if (session === undefined) continue;
      if (type === 'PUT') live.add(session);
      else live.delete(session);
      witness.session(session, type === 'PUT');
    }
  });
  return etcd;
}

/** How long a shutdown may take before it is forced, as by default. */
const drainMs = 4000;

/** A process and what runs in it. */
export interface Process {
  readonly clock: FakeClock;
  readonly engine: Engine;
  /** Takes calls of gRPC; `undefined`: it does not listen yet. */
  front: Front | undefined;
  /** What breaks when the process ends. */
  readonly connections: Set<() => void>;
}

/** One server: the real engine and coordinator on the real store, whose etcd is not. It is started again when it has been killed. */
export class Server {
  readonly name: string;
  readonly link: EtcdLink;
  readonly #cluster: Cluster;
  readonly #rate: number;
  #process: Process | undefined;
  #incarnation = 0;
  /** Of the process that runs. */
  session = '';
  #checkedAt = 0n;
  /** Of its watcher, which goes on after every failure. */
  #position = 1000n;
  #seen = 0;
  #isWatching = false;

  constructor(cluster: Cluster, name: string) {
    const { etcd, time, chance, kit } = cluster;
    this.#cluster = cluster;
    this.name = name;
    this.#rate = chance.between(0.99, 1.01);
    this.link = new EtcdLink({ etcd, time, chance, EtcdError: kit.EtcdError });
  }

  /** The process that runs; `undefined`: none does. */
  get process(): Process | undefined {
    return this.#process;
  }

  /** What serves at the moment. */
  get coordinator(): LeaseCoordinator | undefined {
    try {
      return this.#process?.engine.current();
    } catch {
      return undefined;
    }
  }

  get hasSeenAll(): boolean {
    return this.#seen === this.#cluster.witness.events;
  }

  /** Starts a process, unless one runs. */
  start(): void {
    if (this.#process !== undefined) return;
    const { kit, time, witness, checkpointIntervalMs } = this.#cluster;
    const clock = time.process({ rate: this.#rate });
    const engine: Engine = new kit.Engine({
      openStore: () => this.#openStore(clock),
      startCoordinator: kit.startCoordinator,
      coordinator: { clock, limits: defaultLimits, newUid: () => this.#random('uid'), checkpointIntervalMs },
      clock,
      log: logTo(witness, this.name),
      onUnavailable: (error) => {
        witness.count('failures');
        process.front?.abortStreams(error);
      },
      onAvailable: () => this.#serves(),
      onGivenUp: () => this.#restart(process),
    });
    const process: Process = { clock, engine, front: undefined, connections: new Set() };
    this.#process = process;
    witness.note(`${this.name} starts`);
    engine.start().then(
      () => {
        process.front = this.#listen(process);
        this.#serves();
      },
      () => this.#restart(process),
    );
  }

  /** Ends the process at once. */
  kill(): void {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    this.#isWatching = false;
    process.clock.kill();
    for (const broken of [...process.connections]) broken();
  }

  /** Shuts down in order, then ends. */
  stop(): void {
    const process = this.#process;
    const end = (): void => {
      if (this.#process === process) this.kill();
    };
    const { front, engine, clock } = process ?? {};
    if (engine === undefined || clock === undefined) return;
    const health = { setServing: () => undefined } as unknown as Health;
    const drained =
      front === undefined
        ? engine.drain()
        : this.#cluster.kit.drain({
            ...{ engine, clock, health, http: undefined, identity: undefined, timeoutMs: drainMs },
            grpc: front as unknown as GrpcServer,
          });
    drained.then(end, end);
  }

  /** Looks whether it has what it should have. */
  check(): void {
    const { coordinator } = this;
    if (coordinator === undefined || coordinator.revision === this.#checkedAt) return;
    try {
      const records = coordinator.records('');
      this.#checkedAt = coordinator.revision;
      this.#cluster.witness.serverHas(this.name, coordinator.revision, records);
    } catch {
      // It has just failed.
    }
  }

  #listen({ engine, clock }: Process): Front {
    const { kit, witness } = this.#cluster;
    const streamLimits = { heartbeatStreamsMax: 1000, handlesMax: 1000 };
    const context = { engine, clock, log: logTo(witness, this.name), limits: defaultLimits, streamLimits };
    return new Front(kit, context, (what) => witness.count(what));
  }

  #restart(process: Process): void {
    if (this.#process !== process) return;
    this.kill();
    this.#cluster.time.after(1000, () => this.start());
  }

  async #openStore(clock: FakeClock): Promise<InstanceType<Kit['EtcdStore']>> {
    const { kit } = this.#cluster;
    const session = `${this.name}${(this.#incarnation += 1)}-${this.#random('')}`;
    this.session = session;
    const client = this.link.client(clock);
    const keys = new kit.Keys('/');
    // Nobody has asked for another one.
    const compare = { key: keys.sessionTtl, result: 'EQUAL', target: 'CREATE', create_revision: '0' } as const;
    const store = new kit.EtcdStore({
      ...{ client, keys, clock, session },
      ttl: { ms: ttlMs, compare },
      historyMax: 1_000_000,
      alone: false,
    });
    try {
      await store.open();
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  #random(prefix: string): string {
    return prefix + Math.floor(this.#cluster.chance.next() * 2 ** 32).toString(36);
  }

  #serves(): void {
    this.#cluster.witness.note(`${this.name} serves`);
    this.#checkedAt = 0n;
    this.#watch();
  }

  /** Watches everything, on from what was seen before. */
  #watch(): void {
    const { coordinator } = this;
    const process = this.#process;
    if (coordinator === undefined || process === undefined || this.#isWatching) return;
    this.#isWatching = true;
    const again = (): void => {
      if (this.#process !== process) return;
      this.#isWatching = false;
      process.clock.after(100, () => this.#watch());
    };
    const query = { namespace: '', name: '', selector: everything, fromRevision: this.#position, includeRenewals: true };
    try {
      coordinator.watch(query, {
        write: ({ events, revision }) => {
          for (const event of events) this.#cluster.witness.watched(this.name, this.#seen++, event);
          if (revision < this.#position) this.#cluster.witness.report(`a watcher at ${this.name} is sent back to ${revision}`);
          this.#position = revision;
          return true;
        },
        end: (error) => {
          this.#ended(error);
          again();
        },
      });
    } catch {
      again();
    }
  }

  #ended(error: LeaseError): void {
    const isForgotten = error.code === 'OUT_OF_RANGE' && error.reason !== 'REVISION_IN_FUTURE';
    if (isForgotten) this.#cluster.witness.report(`the watcher at ${this.name} cannot resume: ${error.message}`);
  }
}

/** A store may fail for want of etcd. Anything else is a mistake. */
function logTo(witness: Witness, name: string): Log {
  const error = ({ err }: { err: unknown }, what: string): void => {
    witness.note(`${name}: ${what}: ${String(err)}`);
    const kind = err instanceof Error ? err.name : '';
    const isExpected = ['OutcomeUnknownError', 'EtcdError'].includes(kind) || outages.some((text) => String(err).includes(text));
    if (!isExpected) witness.report(`${name} failed: ${String(err)}`);
  };
  return { error, warn: () => undefined } as unknown as Log;
}

const outages = ['for too long', 'STORE_UNAVAILABLE', 'the session has ended, or another TTL was agreed on, before it was open'];
