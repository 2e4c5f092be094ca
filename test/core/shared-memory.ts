import {
  MemoryDisk,
  MemoryStore,
  startCoordinator,
  defaultLimits,
  type Change,
  type CommittedChange,
  type Follower,
  type HistoryPage,
  type LeaseCoordinator,
  type LeaseRecord,
  type NoteEntry,
  type SharedStore,
  type Store,
  type StoreState,
} from '@leasehold/core';
import { settle, type FakeClock } from '@leasehold/sdk/testing';

/** Data in memory that several servers share. */
export class SharedMemory {
  readonly clock: FakeClock;
  readonly disk: MemoryDisk = new MemoryDisk();
  readonly inner: MemoryStore;
  readonly members: Set<Member> = new Set();
  readonly sessions: Set<string> = new Set();

  constructor(clock: FakeClock) {
    this.clock = clock;
    this.inner = new MemoryStore({ wallMs: () => clock.wallMs(), disk: this.disk });
  }

  /** A server that shares it. */
  async start(session: string): Promise<Server> {
    const store = new Member(this, session);
    const failures: Error[] = [];
    let uid = 0;
    const coordinator = await startCoordinator({
      store,
      clock: this.clock,
      limits: defaultLimits,
      newUid: () => `uid-${session}-${++uid}`,
      onFailure: (error) => failures.push(error),
    });
    return { store, coordinator, failures };
  }

  /** Its server is gone, and the others see it. */
  end(session: string): void {
    this.sessions.delete(session);
    for (const member of this.members) {
      if (member.session !== session) member.tell((follower) => follower.sessionEnded(session));
    }
  }
}

/** One of the servers. */
export interface Server {
  readonly store: Member;
  readonly coordinator: LeaseCoordinator;
  readonly failures: readonly Error[];
}

/** The end of one server: what the others do can be held back from it. */
export class Member implements Store, SharedStore {
  readonly ttlMs = 3000;
  readonly session: string;
  readonly sessions: Set<string>;
  readonly #shared: SharedMemory;
  #revision = 0n;
  #follower: Follower | undefined;
  #isHeld = false;
  #waiting: (() => void)[] = [];
  #news: ((follower: Follower) => void)[] = [];

  constructor(shared: SharedMemory, session: string) {
    this.#shared = shared;
    this.session = session;
    shared.sessions.add(session);
    this.sessions = new Set(shared.sessions);
    shared.members.forEach((member) => member.sessions.add(session));
    shared.members.add(this);
  }

  get shared(): SharedStore {
    return this;
  }

  /** From now on it hears of nothing. */
  hold(): void {
    this.#isHeld = true;
  }

  /** It hears of everything that it has missed. */
  async release(): Promise<void> {
    this.#isHeld = false;
    this.#deliver();
    this.#waiting.splice(0).forEach((resolve) => resolve());
    await settle();
  }

  tell(news: (follower: Follower) => void): void {
    this.#news.push(news);
    this.#deliver();
  }

  async load(take: (records: readonly LeaseRecord[]) => void): Promise<StoreState> {
    const state = await this.#shared.inner.load(take);
    this.#revision = state.revision;
    return state;
  }

  follow(follower: Follower): Promise<void> {
    this.#follower = follower;
    this.#deliver();
    return Promise.resolve();
  }

  async catchUp(): Promise<bigint> {
    const { revision } = this.#shared.disk;
    await this.#heard();
    return revision;
  }

  async commit(changes: readonly Change[]): Promise<readonly CommittedChange[]> {
    // Who is taken for gone has been so for a while.
    if (!this.#shared.sessions.has(this.session)) return new Promise(() => undefined);
    if (this.#revision !== this.#shared.disk.revision) {
      await this.#heard();
      return [];
    }
    const committed = await this.#shared.inner.commit(changes);
    this.#revision = this.#shared.disk.revision;
    for (const member of this.#shared.members) {
      if (member !== this) {
        member.tell((follower) => {
          member.#revision = committed.at(-1)?.revision ?? member.#revision;
          follower.changed(committed);
        });
      }
    }
    return committed;
  }

  history(after: bigint, limit: number): Promise<HistoryPage> {
    return this.#shared.inner.history(after, limit);
  }

  leaveNote(_note: readonly NoteEntry[]): Promise<void> {
    return Promise.resolve();
  }

  takeNote(): Promise<readonly NoteEntry[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    this.#shared.members.delete(this);
    this.#shared.end(this.session);
    return Promise.resolve();
  }

  #heard(): Promise<void> {
    return this.#isHeld ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  #deliver(): void {
    const follower = this.#follower;
    if (this.#isHeld || follower === undefined) return;
    for (const news of this.#news.splice(0)) {
      this.sessions.forEach((session) => {
        if (!this.#shared.sessions.has(session)) this.sessions.delete(session);
      });
      news(follower);
    }
  }
}
