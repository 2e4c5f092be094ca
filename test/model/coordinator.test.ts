import fc from 'fast-check';
import { describe, it } from 'vitest';
import {
  OutcomeUnknownError,
  StoreFullError,
  everything,
  type Attachment,
  type CommittedChange,
  type WatchMessage,
} from '@leasehold/core';
import { settle } from '@leasehold/sdk/testing';
import { acquire, Client, lease, release, remove, renew, revoke, update, World } from '../core/world.js';

/**
 * Holders, a coordinator and a store that fails, in one process and in virtual time, driven by random steps. After each step:
 *
 * - at most one holder's own deadline says "held" (I1),
 * - tokens and revisions only rise (I2, I6),
 * - no tenure ends by expiry before the last acknowledged renewal and its duration (I3),
 * - a watcher that resumes after every restart has seen the history, each change once (I6, I7).
 *
 * At the end, once faults stop, everybody who asks acquires in turn (I13, I14).
 */
const durationMs = 3_000;

type Step =
  | { readonly do: 'acquire'; readonly who: number; readonly waitMs: number; readonly priority: number }
  | { readonly do: 'renew' | 'attach' | 'beat' | 'release' | 'hang-up'; readonly who: number }
  | { readonly do: 'transfer'; readonly who: number; readonly to: number }
  | { readonly do: 'revoke'; readonly graceMs: number }
  | { readonly do: 'delete' | 'update' | 'kill' | 'redeploy' | 'shut' | 'open' | 'full' }
  | { readonly do: 'break'; readonly lands: boolean }
  | { readonly do: 'advance' | 'stall' | 'jump'; readonly ms: number };

const who = fc.integer({ min: 0, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('acquire'),
      who,
      waitMs: fc.constantFrom(0, 0, 2_000, 60_000),
      priority: fc.integer({ min: 0, max: 2 }),
    } as const),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom('renew', 'attach', 'beat', 'beat', 'release', 'hang-up'), who } as const),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('transfer'), who, to: who } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke'), graceMs: fc.constantFrom(0, 1_000) } as const) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('delete', 'update', 'kill', 'redeploy', 'shut', 'open', 'open', 'full'),
    } as const),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('break'), lands: fc.boolean() } as const) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('advance'), ms: fc.constantFrom(1, 100, 900, 2_900, 3_020) } as const) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('stall', 'jump'), ms: fc.constantFrom(-3_600_000, 200, 2_000, 10_000) } as const),
  },
);

class Holder {
  readonly name: string;
  attempt = 0;
  token = 0n;
  /** Its own deadline, counted from the instant before the last acknowledged renewal was sent. */
  believesUntilMs = -Infinity;
  attachment: Attachment | undefined;
  client = new Client();

  constructor(name: string) {
    this.name = name;
  }

  believes(nowMs: number): boolean {
    return nowMs < this.believesUntilMs;
  }

  /** An acknowledgement arrived; after the old deadline it is not believed. */
  acknowledged(sentMs: number, nowMs: number, isFirst: boolean): void {
    if (isFirst || this.believes(nowMs)) {
      this.believesUntilMs = Math.max(this.believesUntilMs, sentMs + durationMs);
    }
  }

  lose(): void {
    this.believesUntilMs = -Infinity;
    this.attachment = undefined;
  }
}

class Simulation {
  readonly world: World;
  readonly holders = [0, 1, 2, 3].map((index) => new Holder(`holder-${index}`));
  readonly seen: string[] = [];
  position: bigint;
  readonly start: bigint;
  acknowledgedUntil = new Map<bigint, number>();
  checkedChanges = 0;
  lastToken = 0n;

  constructor(world: World) {
    this.world = world;
    this.start = world.coordinator.revision;
    this.position = this.start;
    this.#watch();
  }

  get nowMs(): number {
    return this.world.clock.monotonicMs();
  }

  async run(one: Step): Promise<void> {
    switch (one.do) {
      case 'acquire':
        this.#acquire(this.#holder(one.who), one.waitMs, one.priority);
        break;
      case 'renew':
        this.#renew(this.#holder(one.who));
        break;
      case 'attach':
        this.#attach(this.#holder(one.who));
        break;
      case 'beat':
        this.#beat(this.#holder(one.who));
        break;
      case 'release':
        this.#release(this.#holder(one.who), '');
        break;
      case 'transfer':
        this.#release(this.#holder(one.who), this.#holder(one.to).name);
        break;
      case 'hang-up':
        this.#holder(one.who).client.leave();
        this.#holder(one.who).client = new Client();
        break;
      default:
        await this.#operate(one);
    }
    await settle();
    await this.#recover();
    this.#check();
  }

  /** Once faults stop: whoever asks, acquires. */
  async conclude(): Promise<void> {
    this.world.store.failNext = undefined;
    await this.world.store.open();
    await settle();
    await this.#recover();
    this.holders.forEach((holder) => {
      holder.client.leave();
    });
    // A store that was full is tried again after a second.
    await this.world.clock.advance(1_000);
    for (const name of ['last-1', 'last-2']) {
      const granted = this.world.coordinator.submit(acquire(name, { durationMs }, { waitMs: 3_600_000 }));
      await this.world.clock.advance(60_000);
      const answer = await granted;
      if (answer.kind !== 'granted') {
        throw new Error(`${name} did not acquire: ${JSON.stringify(answer.busy, (_, value: unknown) => String(value))}`);
      }
    }
    this.#check();
    this.#checkWatch();
  }

  #holder(index: number): Holder {
    const holder = this.holders[index];
    if (holder === undefined) {
      throw new Error(`No holder ${index}`);
    }
    return holder;
  }

  #acquire(holder: Holder, waitMs: number, priority: number): void {
    const sentMs = this.nowMs;
    const old = holder.token;
    holder.lose();
    const acquireId = `${holder.name}-${holder.attempt++}`;
    const { client } = holder;
    const answer = this.world.coordinator.submit(acquire(holder.name, { durationMs, acquireId }, { waitMs, priority }), client);
    answer.then(
      (answered) => {
        // An answer does not reach who has hung up.
        if (!client.gone && answered.kind === 'granted' && answered.record.fencingToken > old) {
          holder.token = answered.record.fencingToken;
          holder.attachment = undefined;
          // What came after waiting counts from nothing: belief begins with the first acknowledged renewal.
          holder.believesUntilMs = waitMs > 0 ? -Infinity : sentMs + durationMs;
          this.acknowledgedUntil.set(holder.token, Math.max(this.acknowledgedUntil.get(holder.token) ?? 0, sentMs));
        }
      },
      () => undefined,
    );
  }

  #renew(holder: Holder): void {
    const sentMs = this.nowMs;
    const { token } = holder;
    if (token === 0n) {
      return;
    }
    const { coordinator } = this.world;
    coordinator.submit(renew(this.world, holder.name, token)).then(
      () => {
        this.#acknowledge(holder, token, sentMs, coordinator);
      },
      () => undefined,
    );
  }

  #attach(holder: Holder): void {
    const sentMs = this.nowMs;
    const { token } = holder;
    if (token === 0n) {
      return;
    }
    const listener = {
      onLoss: (_: Attachment, { graceMs }: { graceMs: number | undefined }) => {
        // The news of a loss travels; nothing may rest on its arrival.
        this.world.clock.after(1_000, () => {
          if (graceMs === undefined && holder.token === token) {
            holder.lose();
          }
        });
      },
      onDuration: () => undefined,
    };
    const { coordinator } = this.world;
    coordinator.attach({ ...lease, holder: holder.name, fencingToken: token, readAtMs: sentMs }, listener).then(
      (attachment) => {
        if (holder.token === token) {
          holder.attachment = coordinator === this.world.coordinator ? attachment : undefined;
        }
        this.#acknowledge(holder, token, sentMs, coordinator);
      },
      () => undefined,
    );
  }

  #beat(holder: Holder): void {
    if (holder.attachment !== undefined && this.world.coordinator.beat(holder.attachment, this.nowMs) === 'renewed') {
      this.#acknowledge(holder, holder.token, this.nowMs);
    }
  }

  /** An acknowledgement of a server that has been killed since counts for nothing. */
  #acknowledge(holder: Holder, token: bigint, sentMs: number, by = this.world.coordinator): void {
    if (by !== this.world.coordinator) {
      return;
    }
    this.acknowledgedUntil.set(token, Math.max(this.acknowledgedUntil.get(token) ?? 0, sentMs + durationMs));
    if (holder.token === token) {
      holder.acknowledged(sentMs, this.nowMs, holder.believesUntilMs === -Infinity && sentMs === this.nowMs);
    }
  }

  #release(holder: Holder, transferTo: string): void {
    if (holder.token !== 0n) {
      if (transferTo === '') {
        holder.lose();
      }
      this.world.coordinator.submit(release(holder.token, transferTo)).then(
        () => undefined,
        () => undefined,
      );
      if (transferTo !== '') {
        holder.lose();
      }
    }
  }

  async #operate(one: Step): Promise<void> {
    const { world } = this;
    const record = world.disk.records.get('default/example');
    switch (one.do) {
      case 'revoke':
        this.#submit(() => world.coordinator.submit(revoke(record?.fencingToken ?? 1n, { graceMs: one.graceMs })));
        break;
      case 'delete':
        this.#submit(() => world.coordinator.submit(remove({ uid: record?.uid ?? 'none' })));
        break;
      case 'update':
        this.#submit(() => world.coordinator.submit(update({ annotations: { at: String(this.nowMs) } })));
        break;
      case 'kill':
        await this.#restart();
        break;
      case 'redeploy': {
        const drained = world.coordinator.drain();
        await world.store.open();
        await drained;
        await this.#restart();
        break;
      }
      case 'shut':
        world.store.shut();
        break;
      case 'open':
        await world.store.open();
        break;
      case 'full':
        world.store.failNext = { error: new StoreFullError('full'), lands: false };
        break;
      case 'break':
        world.store.failNext = { error: new OutcomeUnknownError('disk'), lands: one.lands };
        break;
      case 'advance':
        await world.clock.advance(one.ms);
        break;
      case 'stall':
        await world.clock.stall(Math.abs(one.ms) % 20_000);
        break;
      case 'jump':
        world.clock.jumpWall(one.ms);
        break;
      default:
        throw new Error(`Unknown step ${one.do}`);
    }
  }

  #submit(command: () => Promise<unknown>): void {
    command().catch(() => undefined);
  }

  /** A server whose store has failed is started again on the disk as it is. */
  async #recover(): Promise<void> {
    if (this.world.failures.length > 0) {
      this.world.failures.length = 0;
      await this.#restart();
    }
  }

  async #restart(): Promise<void> {
    this.holders.forEach((holder) => {
      holder.attachment = undefined;
    });
    await this.world.startServer();
    this.#watch();
    await settle();
  }

  #watch(): void {
    const { coordinator } = this.world;
    const write = ({ events, revision }: WatchMessage): boolean => {
      if (coordinator === this.world.coordinator) {
        this.seen.push(...events.map((event) => `${event.revision} ${event.type} ${event.lease.fencingToken}`));
        this.position = revision;
      }
      return true;
    };
    coordinator.watch(
      { namespace: '', name: '', selector: everything, fromRevision: this.position, includeRenewals: true },
      {
        write,
        end: (error) => {
          if (error.code === 'OUT_OF_RANGE') {
            throw new Error(`The watcher cannot resume: ${error.message}`);
          }
        },
      },
    );
  }

  #check(): void {
    const believing = this.holders.filter((holder) => holder.believes(this.nowMs));
    if (believing.length > 1) {
      throw new Error(`I1: ${believing.map(({ name, token }) => `${name} (${token})`).join(' and ')} believe at once`);
    }
    const { history } = this.world.disk;
    for (; this.checkedChanges < history.length; this.checkedChanges++) {
      const change = history[this.checkedChanges];
      if (change !== undefined) {
        this.#checkChange(change, history[this.checkedChanges - 1]);
      }
    }
  }

  #checkChange(change: CommittedChange, previous: CommittedChange | undefined): void {
    if (previous !== undefined && change.revision <= previous.revision) {
      throw new Error(`I6: revision ${change.revision} after ${previous.revision}`);
    }
    for (const { type, lease: after } of change.events) {
      if (type === 'ACQUIRED') {
        if (after.fencingToken <= this.lastToken) {
          throw new Error(`I2: token ${after.fencingToken} after ${this.lastToken}`);
        }
        this.lastToken = after.fencingToken;
      }
      if (type === 'EXPIRED' && this.nowMs < (this.acknowledgedUntil.get(after.fencingToken) ?? 0)) {
        throw new Error(`I3: the tenure of token ${after.fencingToken} expired before its acknowledged deadline`);
      }
    }
  }

  #checkWatch(): void {
    const happened = this.world.disk.history.flatMap(({ revision, events }) =>
      events.map(({ type, lease: { fencingToken } }) => `${revision} ${type} ${fencingToken}`),
    );
    if (JSON.stringify(happened) !== JSON.stringify(this.seen)) {
      throw new Error(`I6: the watcher saw\n${this.seen.join('\n')}\nbut this happened\n${happened.join('\n')}`);
    }
  }
}

describe('a coordinator under random faults', () => {
  it('keeps its invariants', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), async (steps) => {
        const simulation = new Simulation(await World.start({ checkpointIntervalMs: 1_000 }));
        await settle();
        for (const one of steps) {
          await simulation.run(one);
        }
        await simulation.conclude();
      }),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 150) },
    );
  }, 120_000);
});
