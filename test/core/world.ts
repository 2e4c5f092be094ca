import {
  defaultLimits,
  startCoordinator,
  type AnswerTo,
  type Caller,
  type Change,
  type Claim,
  type Command,
  type CommittedChange,
  type CoordinatorOptions,
  type LeaseCoordinator,
  type Store,
} from '@leasehold/core';
import { MemoryDisk, MemoryStore } from '@leasehold/core';
import { FakeClock, settle } from '@leasehold/sdk/testing';

/** A coordinator on a memory store whose commits a test can hold up and fail, under a clock that stands still. */
export class World {
  /** Of the server process that runs now. */
  clock: FakeClock = new FakeClock();
  readonly disk: MemoryDisk = new MemoryDisk();
  readonly failures: Error[] = [];
  store!: GatedStore;
  coordinator!: LeaseCoordinator;

  static async start(options: Partial<CoordinatorOptions> = {}): Promise<World> {
    const world = new World();
    await world.startServer(options);
    return world;
  }

  /** Starts a server on the disk; one that runs is killed, with whatever it has in flight. */
  async startServer(options: Partial<CoordinatorOptions> = {}): Promise<void> {
    const clock = this.clock.process();
    this.clock.kill();
    this.clock = clock;
    (this.store as GatedStore | undefined)?.kill();
    this.store = new GatedStore(new MemoryStore({ wallMs: () => clock.wallMs(), disk: this.disk }));
    let uid = 0;
    this.coordinator = await startCoordinator({
      store: this.store,
      clock,
      limits: defaultLimits,
      newUid: () => `uid-${++uid}`,
      onFailure: (error) => this.failures.push(error),
      ...options,
    });
  }

  /** Submits a command and lets everything follow that needs no time. */
  async do<C extends Command>(command: C, caller?: Caller): Promise<AnswerTo<C['kind']>> {
    const answer = this.coordinator.submit(command, caller);
    answer.catch(() => undefined);
    await settle();
    return answer;
  }

  async grant(holder: string, claim: Partial<Claim> = {}): Promise<bigint> {
    const answer = await this.do(acquire(holder, claim));
    if (answer.kind !== 'granted') {
      throw new Error(`Expected a grant to ${holder}, got busy with ${answer.busy.holder}`);
    }
    return answer.record.fencingToken;
  }

  get lease(): ReturnType<LeaseCoordinator['get']> {
    return this.coordinator.get(lease.namespace, lease.name);
  }
}

export const lease = { namespace: 'default', name: 'example' } as const;

export function acquire(
  holder: string,
  claim: Partial<Claim> = {},
  queue: { waitMs?: number; priority?: number } = {},
): Extract<Command, { kind: 'acquire' }> {
  return {
    kind: 'acquire',
    ...lease,
    claim: { holder, acquireId: '', durationMs: 10_000, ...claim },
    waitMs: queue.waitMs ?? 0,
    priority: queue.priority ?? 0,
  };
}

export function renew(world: World, holder: string, fencingToken: bigint): Extract<Command, { kind: 'renew' }> {
  return { kind: 'renew', ...lease, holder, fencingToken, readAtMs: world.clock.monotonicMs() };
}

export function release(fencingToken: bigint, transferTo = ''): Extract<Command, { kind: 'release' }> {
  return { kind: 'release', ...lease, fencingToken, transferTo };
}

export function revoke(
  fencingToken: bigint,
  options: { graceMs?: number; force?: boolean; transferTo?: string } = {},
): Extract<Command, { kind: 'revoke' }> {
  return { kind: 'revoke', ...lease, fencingToken, graceMs: 0, force: false, transferTo: '', ...options };
}

export function remove(
  guards: { uid?: string; fencingToken?: bigint; resourceVersion?: bigint; force?: boolean } = {},
): Extract<Command, { kind: 'delete' }> {
  return { kind: 'delete', ...lease, uid: '', fencingToken: 0n, resourceVersion: 0n, force: false, ...guards };
}

export function update(
  set: Extract<Command, { kind: 'update' }>['set'],
  guards: { resourceVersion?: bigint; fencingToken?: bigint; removeLabels?: string[]; removeAnnotations?: string[] } = {},
): Extract<Command, { kind: 'update' }> {
  return {
    kind: 'update',
    ...lease,
    set,
    resourceVersion: 0n,
    fencingToken: 0n,
    removeLabels: [],
    removeAnnotations: [],
    ...guards,
  };
}

export function create(metadata: Extract<Command, { kind: 'create' }>['metadata'] = {}): Extract<Command, { kind: 'create' }> {
  return { kind: 'create', ...lease, metadata };
}

export function validate(fencingToken: bigint): Extract<Command, { kind: 'validate' }> {
  return { kind: 'validate', ...lease, fencingToken };
}

/** Somebody whose connection a test can cut. */
export class Client implements Caller {
  gone = false;
  readonly #actions: (() => void)[] = [];

  onGone(action: () => void): void {
    this.#actions.push(action);
  }

  leave(): void {
    this.gone = true;
    this.#actions.forEach((action) => {
      action();
    });
  }

  /** Dies without anybody hearing of it until asked. */
  dieSilently(): void {
    this.gone = true;
  }
}

/** A store whose commits wait at a gate when it is shut, and can be made to fail. */
export class GatedStore implements Store {
  /** May be set, as if another server could open it from then on. */
  validUntilMs?: number;
  readonly #inner: Store;
  #gate: Promise<void> | undefined;
  #open: () => void = () => undefined;
  /** The next commit fails with this. With `lands`, it is made all the same. */
  failNext: { error: Error; lands: boolean } | undefined;
  commits = 0;
  #killed = false;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** The process that used the store is gone: nothing more lands, and nothing is answered. */
  kill(): void {
    this.#killed = true;
  }

  /** Holds up commits until `open`. */
  shut(): void {
    this.#gate ??= new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  async open(): Promise<void> {
    this.#gate = undefined;
    this.#open();
    await settle();
  }

  load: Store['load'] = (take) => this.#inner.load(take);
  history: Store['history'] = (after, limit) => this.#inner.history(after, limit);
  leaveNote: Store['leaveNote'] = (note) => this.#inner.leaveNote(note);
  takeNote: Store['takeNote'] = () => this.#inner.takeNote();
  close: Store['close'] = () => this.#inner.close();

  async commit(changes: readonly Change[]): Promise<readonly CommittedChange[]> {
    this.commits++;
    await this.#gate;
    if (this.#killed) {
      return new Promise(() => undefined);
    }
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined && !failure.lands) {
      throw failure.error;
    }
    const committed = await this.#inner.commit(changes);
    if (failure !== undefined) {
      throw failure.error;
    }
    return committed;
  }
}

/** The reason a promise rejects with; fails when it does not. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('value' in outcome) {
    throw new Error(
      `Expected a refusal, got ${JSON.stringify(outcome.value, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`,
    );
  }
  return (outcome.error as { reason?: unknown }).reason ?? outcome.error;
}
