import { startCoordinator, type Answer, type Command } from '@leasehold/core';
import { createClient } from '@leasehold/sdk';
import { FakeClock } from '@leasehold/sdk/testing';
import { GrpcTransport } from '../../sdk/dist/transport/grpc.js';
import { drain } from '../../server/dist/drain.js';
import { Engine } from '../../server/dist/engine.js';
import { AttachTurns } from '../../server/dist/grpc/attach-turns.js';
import { HeartbeatStream } from '../../server/dist/grpc/heartbeat-stream.js';
import { toServiceError } from '../../server/dist/grpc/status.js';
import { createUnaryHandlers } from '../../server/dist/grpc/unary.js';
import { EtcdError } from '../../server/dist/store/etcd/client.js';
import { Keys } from '../../server/dist/store/etcd/keys.js';
import { EtcdStore } from '../../server/dist/store/etcd/store.js';
import { acquire, lease } from '../core/world.js';
import { Chance } from '../support/chance.js';
import type { FakeEtcd } from '../support/fake-etcd.js';
import { makeEtcd, Server } from './servers.js';
import { Witness } from './witness.js';

/** Of every lease. */
export const durationMs = 10_000;

/** Three servers on one etcd as in the simulation, but what happens is written down, and none of it is left to chance. */
export class Scene {
  readonly A: Server;
  readonly B: Server;
  readonly C: Server;
  readonly etcd: FakeEtcd;
  readonly #witness: Witness;
  readonly #time = new FakeClock();
  readonly #startMs = this.#time.monotonicMs();

  /** Starts the servers one after another, so that they renew their sessions one after another. */
  static async begin(): Promise<Scene> {
    const scene = new Scene();
    for (const server of [scene.A, scene.B, scene.C]) {
      server.start();
      await scene.pass(700);
    }
    return scene;
  }

  private constructor() {
    this.#witness = new Witness(() => this.nowMs);
    this.etcd = makeEtcd(this.#witness);
    const kit = {
      ...{ startCoordinator, Engine, EtcdStore, EtcdError, Keys },
      ...{ createUnaryHandlers, AttachTurns, HeartbeatStream, toServiceError, drain },
      ...{ createClient, GrpcTransport },
    };
    const chance = new NoChance(0);
    const cluster = { kit, etcd: this.etcd, time: this.#time, chance, witness: this.#witness, checkpointIntervalMs: 0 };
    this.A = new Server(cluster, 'A');
    this.B = new Server(cluster, 'B');
    this.C = new Server(cluster, 'C');
  }

  get nowMs(): number {
    return this.#time.monotonicMs() - this.#startMs;
  }

  /** Lets time pass. @throws {Violation} a server has what was not committed, or the like. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    while (await this.#time.step(endMs - this.nowMs)) {
      for (const server of [this.A, this.B, this.C]) server.check();
      this.#witness.look();
    }
  }

  async until(isSo: () => boolean): Promise<void> {
    const endMs = this.nowMs + 60_000;
    while (!isSo()) {
      if (this.nowMs >= endMs) throw new Error('It does not come about');
      await this.pass(1);
    }
  }

  /** Lets time pass until something is answered. */
  async answer<T>(promise: Promise<T>): Promise<T> {
    let isAnswered = false;
    const end = (): void => {
      isAnswered = true;
    };
    promise.then(end, end);
    await this.until(() => isAnswered);
    return promise;
  }

  async submit(server: Server, command: Command): Promise<Answer> {
    return this.answer(coordinatorOf(server).submit(command));
  }

  /** Grants the lease. */
  async grant(server: Server, holder: string): Promise<bigint> {
    const answer = await this.submit(server, acquire(holder, { durationMs, acquireId: holder }));
    if (answer.kind !== 'granted') throw new Error(`${holder} is not granted the lease`);
    return answer.record.fencingToken;
  }

  /** Somebody waits for the lease. */
  async wait(server: Server, holder: string): Promise<Waiter> {
    const waiter = new Waiter();
    const command = acquire(holder, { durationMs, acquireId: holder }, { waitMs: 600_000 });
    coordinatorOf(server)
      .submit(command)
      .then(
        ({ kind }) => {
          if (kind === 'granted') waiter.grantedAtMs = this.nowMs;
        },
        () => undefined,
      );
    await this.pass(50);
    return waiter;
  }

  /** Lets time pass until a waiter has the lease, and says when that was. */
  async granted(waiter: Waiter): Promise<number> {
    await this.until(() => waiter.grantedAtMs < Infinity);
    return waiter.grantedAtMs;
  }

  /** Attaches a stream of heartbeats to the lease. */
  async attach(server: Server, holder: string, fencingToken: bigint): Promise<Stream> {
    return this.answer(this.attaching(server, holder, fencingToken));
  }

  /** The same, but it lets no time pass. */
  async attaching(server: Server, holder: string, fencingToken: bigint): Promise<Stream> {
    const coordinator = coordinatorOf(server);
    const request = { ...lease, holder, fencingToken, readAtMs: coordinator.monotonicMs() };
    const attachment = await coordinator.attach(request, { onLoss: () => undefined, onDuration: () => undefined });
    return new Stream(this, () => coordinator.beat(attachment, coordinator.monotonicMs()));
  }

  /** Lets time pass until etcd has a renewal of the server's session. */
  async renewal({ session }: Server): Promise<void> {
    const keys = new Keys('/');
    let isRenewed = false;
    const unlisten = this.etcd.listen((events) => {
      isRenewed ||= events.some(({ type, kv }) => type === 'PUT' && keys.sessionOf(kv.key) === session);
    });
    await this.until(() => isRenewed);
    unlisten();
  }

  /** Does something at the instant of the next commit, before anybody can hear of that. */
  atCommit(action: () => void): void {
    const { revision } = this.#witness;
    const unlisten = this.etcd.listen(() => {
      if (this.#witness.revision === revision) return;
      unlisten();
      action();
    });
  }
}

/** Somebody who waits. */
class Waiter {
  grantedAtMs = Infinity;
}

/** A stream of heartbeats. */
class Stream {
  readonly #scene: Scene;
  readonly #beat: () => string;
  /** Before then nobody else may have the lease: that was acknowledged. */
  heldUntilMs = 0;

  constructor(scene: Scene, beat: () => string) {
    this.#scene = scene;
    this.#beat = beat;
  }

  beat(): void {
    if (this.#beat() === 'renewed') this.heldUntilMs = this.#scene.nowMs + durationMs;
  }

  /** Beats every 100 ms, whatever becomes of it. */
  async beatFor(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 100) {
      this.beat();
      await this.#scene.pass(100);
    }
  }
}

/** What is to happen surely happens, what may happen does not, clocks run true, and every message takes 2.5 ms. */
class NoChance extends Chance {
  override next(): number {
    return 0.5;
  }
}

function coordinatorOf({ coordinator, name }: Server): NonNullable<Server['coordinator']> {
  if (coordinator === undefined) throw new Error(`${name} does not serve`);
  return coordinator;
}
