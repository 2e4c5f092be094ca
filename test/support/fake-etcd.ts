import grpc, { type ServiceError } from '@grpc/grpc-js';
import type { FakeClock } from '@leasehold/sdk/testing';
import type { Etcd, EtcdError } from '../../server/dist/store/etcd/client.js';
import type {
  Compare,
  Event,
  KeyValue,
  Methods,
  Operation,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchRequest,
  WatchResponse,
} from '../../server/dist/store/etcd/rpc.js';

/** What stood under a key from a revision on; without a value: nothing. */
interface Version {
  readonly modified: bigint;
  readonly created: bigint;
  readonly value: Buffer | undefined;
}

/** Why etcd says no. */
class EtcdRefusal extends Error {
  override readonly name = 'EtcdRefusal';
  readonly code: grpc.status;

  constructor(code: grpc.status, message: string) {
    super(message);
    this.code = code;
  }
}

/** An etcd in memory: linearizable, with all versions of all keys since the last compaction. As much of it as the store uses. */
export class FakeEtcd {
  readonly #versions = new Map<string, Version[]>();
  /** The events of each revision, from 2 on. */
  readonly #log: (readonly Event[])[] = [];
  readonly #listeners = new Set<(events: readonly Event[]) => void>();
  #compacted = 0n;

  get revision(): bigint {
    return BigInt(this.#log.length + 1);
  }

  /** The revision before which there is no history. */
  get compacted(): bigint {
    return this.#compacted;
  }

  /** Does what a call asks for. @throws {EtcdRefusal} */
  call<M extends keyof Methods>(method: M, request: Methods[M][0]): Methods[M][1];
  call(method: keyof Methods, request: object): unknown {
    switch (method) {
      case 'Range':
        return this.#range(request as RangeRequest);
      case 'Txn':
        return this.#transact(request as TxnRequest);
      case 'Compact':
        return this.#compact(BigInt((request as Methods['Compact'][0]).revision));
      case 'Status':
        return { version: '3.6.0' };
      case 'Authenticate':
        throw new EtcdRefusal(grpc.status.FAILED_PRECONDITION, 'authentication is not enabled');
    }
  }

  /** What happened after a revision, a list for each transaction. */
  after(revision: bigint): readonly (readonly Event[])[] {
    return this.#log.slice(Number(revision) - 1);
  }

  /** Calls `listener` within each transaction that changes something. Returns what ends that. */
  listen(listener: (events: readonly Event[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #range({ key, range_end: end, limit = 0, keys_only: keysOnly, revision }: RangeRequest): RangeResponse {
    const at = revision === undefined ? this.revision : BigInt(revision);
    if (at > this.revision) throw new EtcdRefusal(grpc.status.OUT_OF_RANGE, 'required revision is a future revision');
    if (at < this.#compacted) throw new EtcdRefusal(grpc.status.OUT_OF_RANGE, 'required revision has been compacted');
    const found: KeyValue[] = [];
    for (const name of this.#keysIn(key, end)) {
      const version = this.#versions.get(name)?.findLast(({ modified }) => modified <= at);
      if (version?.value === undefined) continue;
      const value = keysOnly === true ? Buffer.alloc(0) : version.value;
      found.push({ key: Buffer.from(name), value, mod_revision: String(version.modified) });
    }
    const more = limit > 0 && found.length > limit;
    return { header: this.#header(), kvs: more ? found.slice(0, limit) : found, more };
  }

  #transact({ compare, success }: TxnRequest): TxnResponse {
    const succeeded = compare.every((condition) => this.#holds(condition));
    if (succeeded) this.#apply(success);
    return { header: this.#header(), succeeded };
  }

  #apply(operations: readonly Operation[]): void {
    const revision = this.revision + 1n;
    const events = operations.flatMap((operation) => this.#eventsOf(operation, revision));
    const names = new Set(events.map(({ kv }) => kv.key.toString()));
    if (names.size < events.length) throw new EtcdRefusal(grpc.status.INVALID_ARGUMENT, 'duplicate key given in txn request');
    if (events.length === 0) return;
    for (const { type, kv } of events) this.#write(kv, type === 'PUT' ? kv.value : undefined, revision);
    this.#log.push(events);
    for (const listener of [...this.#listeners]) listener(events);
  }

  #eventsOf({ request_put: put, request_delete_range: gone }: Operation, revision: bigint): Event[] {
    const mod_revision = String(revision);
    if (put !== undefined) return [{ type: 'PUT', kv: { ...put, mod_revision } }];
    if (gone === undefined) return [];
    const names = this.#keysIn(gone.key, gone.range_end).filter((name) => this.#current(name)?.value !== undefined);
    return names.map((name) => ({ type: 'DELETE', kv: { key: Buffer.from(name), value: Buffer.alloc(0), mod_revision } }));
  }

  #write({ key }: KeyValue, value: Buffer | undefined, revision: bigint): void {
    const name = key.toString();
    const versions = this.#versions.get(name) ?? [];
    const before = versions.at(-1);
    const created = before?.value === undefined ? revision : before.created;
    versions.push({ modified: revision, created, value });
    this.#versions.set(name, versions);
  }

  #holds({ key, result, target, value, create_revision: created, mod_revision: modified }: Compare): boolean {
    const order = target === 'VALUE' ? this.#compareValue(key, value) : this.#compareRevision(key, created, modified);
    return result === 'EQUAL' ? order === 0 : order > 0;
  }

  /** An absent key has no value: nothing holds of it. */
  #compareValue(key: Buffer, value: Buffer = Buffer.alloc(0)): number {
    const now = this.#current(key.toString())?.value;
    return now === undefined ? -1 : Buffer.compare(now, value);
  }

  /** An absent key was created and modified at 0. */
  #compareRevision(key: Buffer, created: string | undefined, modified = '0'): number {
    const current = this.#current(key.toString());
    const now = current?.value === undefined ? undefined : current;
    return Number((created === undefined ? now?.modified : now?.created) ?? 0n) - Number(created ?? modified);
  }

  #compact(revision: bigint): object {
    if (revision <= this.#compacted) throw new EtcdRefusal(grpc.status.OUT_OF_RANGE, 'required revision has been compacted');
    if (revision > this.revision) throw new EtcdRefusal(grpc.status.OUT_OF_RANGE, 'required revision is a future revision');
    this.#compacted = revision;
    return {};
  }

  #current(name: string): Version | undefined {
    return this.#versions.get(name)?.at(-1);
  }

  /** In the order of keys. */
  #keysIn(key: Buffer, end: Buffer | undefined): string[] {
    const first = key.toString();
    if (end === undefined) return this.#versions.has(first) ? [first] : [];
    const last = end.toString();
    return [...this.#versions.keys()].filter((name) => name >= first && name < last).sort();
  }

  #header(): { readonly revision: string } {
    return { revision: String(this.revision) };
  }
}

/** What becomes of messages between a server and etcd: probabilities for each of them. */
export interface EtcdWeather {
  /** Requests and answers that are lost, each. */
  readonly loss: number;
  /** How many are slow; the others take a few milliseconds. */
  readonly slow: number;
  readonly slowMsMax: number;
  /** Watches that break when they have something to tell. */
  readonly breaks: number;
  /** How much longer what is watched takes than what is called. Default: not at all. */
  readonly lagMs?: number;
}

export const calmEtcd: EtcdWeather = { loss: 0, slow: 0, slowMsMax: 0, breaks: 0 };

const quickMsMax = 5;

/** How long a client's keepalive takes to notice that its connection is dead. */
const noticesMs = 4000;

/** Where chance comes from. */
interface Chance {
  happens(probability: number): boolean;
  between(min: number, max: number): number;
}

/** What one link is made of. */
export interface EtcdLinkOptions {
  readonly etcd: FakeEtcd;
  /** True time: what is under way arrives, whatever becomes of its sender. */
  readonly time: FakeClock;
  readonly chance: Chance;
  /** The class that the store under test knows. */
  readonly EtcdError: typeof EtcdError;
}

/** The network between one server and etcd. It outlives the clients of that server, and can be disturbed. */
export class EtcdLink {
  readonly options: EtcdLinkOptions;
  weather: EtcdWeather = calmEtcd;
  #state: 'up' | 'silent' | 'refusing' = 'up';
  /** Whether watches tell nothing, while calls are answered. */
  #stalled = false;
  readonly #watches = new Set<Watch>();

  constructor(options: EtcdLinkOptions) {
    this.options = options;
  }

  /** The client of a process. */
  client(clock: FakeClock): Etcd {
    return new FakeClient(this, clock);
  }

  /** Carries nothing more. `refusing`: everybody is told at once; `silent`: nobody is. */
  cut(how: 'silent' | 'refusing'): void {
    this.#state = how;
    const ends = [...this.#watches];
    this.options.time.after(how === 'silent' ? noticesMs : quickMsMax, () => {
      if (this.#state !== 'up') ends.forEach((watch) => watch.break());
    });
  }

  /** Watches tell nothing any more, while calls are answered. */
  stall(): void {
    this.#stalled = true;
  }

  /** Ends `cut` and `stall`. What watches had to tell, they tell now. */
  restore(): void {
    this.#state = 'up';
    this.#stalled = false;
    for (const watch of [...this.#watches]) watch.tell();
  }

  get canTell(): boolean {
    return this.#state === 'up' && !this.#stalled;
  }

  /** Carries a message one way. `refused`: it cannot be sent at all, and the sender hears of that. */
  carry(arrive: () => void, refused: () => void = () => undefined): void {
    const { time, chance } = this.options;
    if (this.#state === 'refusing') {
      time.after(chance.between(0, quickMsMax), refused);
      return;
    }
    if (this.#state === 'silent' || chance.happens(this.weather.loss)) return;
    time.after(this.delayMs(), () => {
      // What was under way when it was cut may have got through.
      if (this.#state === 'up' || chance.happens(0.5)) arrive();
    });
  }

  delayMs(): number {
    const { slow, slowMsMax } = this.weather;
    const { chance } = this.options;
    return chance.between(0, chance.happens(slow) ? slowMsMax : quickMsMax);
  }

  add(watch: Watch): void {
    this.#watches.add(watch);
  }

  remove(watch: Watch): void {
    this.#watches.delete(watch);
  }
}

class FakeClient implements Etcd {
  readonly #link: EtcdLink;
  readonly #clock: FakeClock;
  readonly #watches = new Set<Watch>();
  #isClosed = false;

  constructor(link: EtcdLink, clock: FakeClock) {
    this.#link = link;
    this.#clock = clock;
  }

  call<M extends keyof Methods>(method: M, request: Methods[M][0], timeoutMs = 1500): Promise<Methods[M][1]> {
    const { etcd } = this.#link.options;
    return new Promise((resolve, reject) => {
      const fail = (code: grpc.status, details: string): void => reject(this.error(method, code, details));
      const end = (settle: () => void): void =>
        this.#clock.soon(() => {
          cancel();
          settle();
        });
      const cancel = this.#clock.after(timeoutMs, () => fail(grpc.status.CANCELLED, 'no answer in time'));
      const refused = (): void => end(() => fail(grpc.status.UNAVAILABLE, 'no connection'));
      if (this.#isClosed) {
        refused();
        return;
      }
      this.#link.carry(() => {
        let settle: () => void;
        try {
          const answer = etcd.call(method, request);
          settle = () => resolve(answer);
        } catch (error) {
          if (!(error instanceof EtcdRefusal)) throw error;
          settle = () => fail(error.code, error.message);
        }
        this.#link.carry(() => end(settle));
      }, refused);
    });
  }

  async insist<M extends keyof Methods>(method: M, request: Methods[M][0], untilMs: number): Promise<Methods[M][1]> {
    for (;;) {
      try {
        return await this.call(method, request);
      } catch (error) {
        const isRefusal = error instanceof this.#link.options.EtcdError && error.isRefusal;
        if (isRefusal || this.#clock.monotonicMs() + pauseMs >= untilMs) throw error;
      }
      await new Promise<void>((resolve) => this.#clock.after(pauseMs, resolve));
    }
  }

  watch(request: WatchRequest, onResponse: (response: WatchResponse) => void, onEnd: (error: EtcdError) => void): () => void {
    let isOver = false;
    const soon = (action: () => void): void =>
      this.#clock.soon(() => {
        if (!isOver) action();
      });
    const end = (): void => {
      isOver = true;
      onEnd(this.error('Watch', grpc.status.UNAVAILABLE, 'the connection broke'));
    };
    const watch = new Watch(this.#link, request, {
      tell: (response) => soon(() => onResponse(response)),
      end: () => soon(end),
    });
    this.#watches.add(watch);
    return () => {
      isOver = true;
      watch.close();
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.close();
  }

  error(method: string, code: grpc.status, details: string): EtcdError {
    const cause: ServiceError = Object.assign(new Error(details), { code, details, metadata: new grpc.Metadata() });
    return new this.#link.options.EtcdError(method, cause);
  }
}

/** Between two attempts, as the real client has it. */
const pauseMs = 100;

/** Who watches. */
interface WatchEnd {
  tell(response: WatchResponse): void;
  end(): void;
}

/** One watch of one client: everything in order, transactions whole. */
class Watch {
  readonly #link: EtcdLink;
  readonly #request: WatchRequest['create_request'];
  readonly #client: WatchEnd;
  /** The last revision that was told. */
  #revision: bigint;
  /** When the last thing that is under way arrives: nothing overtakes anything. */
  #arrivesMs = 0;
  #state: 'opening' | 'open' | 'over' = 'opening';
  #unlisten: () => void = () => undefined;

  constructor(link: EtcdLink, { create_request: request }: WatchRequest, client: WatchEnd) {
    this.#link = link;
    this.#request = request;
    this.#client = client;
    this.#revision = BigInt(request.start_revision) - 1n;
    link.add(this);
    const { etcd, time } = link.options;
    link.carry(
      () => {
        if (this.#state !== 'opening') return;
        this.#state = 'open';
        this.#unlisten = etcd.listen(() => this.#tellLater(etcd.revision));
        this.#say([]);
        this.#tellLater(etcd.revision);
      },
      () => this.break(),
    );
    // A connection that never comes about is noticed.
    time.after(noticesMs, () => {
      if (this.#state === 'opening') this.break();
    });
  }

  /** Tells what has happened up to a revision, once that has come over the link. */
  #tellLater(revision: bigint): void {
    const { time } = this.#link.options;
    const nowMs = time.monotonicMs();
    this.#arrivesMs = Math.max(this.#arrivesMs, nowMs + this.#link.delayMs() + (this.#link.weather.lagMs ?? 0));
    time.after(this.#arrivesMs - nowMs, () => this.tell(revision));
  }

  /** Tells what there is to tell, up to a revision. */
  tell(upTo = this.#link.options.etcd.revision): void {
    if (this.#state !== 'open' || !this.#link.canTell || upTo <= this.#revision) return;
    const { etcd, chance } = this.#link.options;
    if (this.#revision + 1n < etcd.compacted) {
      this.#say([], String(etcd.compacted));
      this.close();
      return;
    }
    const news = etcd.after(this.#revision).slice(0, Number(upTo - this.#revision));
    if (chance.happens(this.#link.weather.breaks)) {
      this.break();
      return;
    }
    this.#revision = upTo;
    const told = news.map((events) => events.filter(({ kv }) => this.#covers(kv.key))).filter(({ length }) => length > 0);
    if (chance.happens(0.5)) told.forEach((events) => this.#say(events));
    else if (told.length > 0) this.#say(told.flat());
  }

  /** The client hears that the connection broke. */
  break(): void {
    if (this.#state === 'over') return;
    this.close();
    this.#client.end();
  }

  close(): void {
    this.#state = 'over';
    this.#unlisten();
    this.#link.remove(this);
  }

  #covers(key: Buffer): boolean {
    return Buffer.compare(key, this.#request.key) >= 0 && Buffer.compare(key, this.#request.range_end) < 0;
  }

  #say(events: readonly Event[], compacted = '0'): void {
    const reason = compacted === '0' ? '' : 'required revision has been compacted';
    this.#client.tell({
      header: { revision: String(this.#revision) },
      canceled: compacted !== '0',
      compact_revision: compacted,
      cancel_reason: reason,
      events,
    });
  }
}
