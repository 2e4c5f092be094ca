import { isHeld, isVisible, type CommittedChange, type LeaseKey, type LeaseRecord, type WatchEvent } from '@leasehold/core';
import { ttlMs } from './ttl.js';

/** What was promised, and not kept. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What a lease was from a revision on. */
interface Version {
  readonly revision: bigint;
  readonly record: LeaseRecord | undefined;
}

/** Somebody who may hold a lease, as the witness sees it. */
export interface Believer {
  readonly name: string;
  readonly key: LeaseKey;
  /** Of the tenure that it has, or had last. */
  readonly token: bigint;
  /** Whether it takes the lease for its own. */
  readonly believes: boolean;
  readonly believesForMs: number;
}

/** A place in the history of a lease. */
export type Place = number;

/**
 * Sees everything: what is committed, at the instant when etcd commits it, what holders believe, and what servers answer.
 *
 * - At any true instant at most one holder believes to hold a lease. A holder whose tenure an operator has ended by a forced revoke does
 *   not count from the commit of that ending on; it hears of it in its time, or its deadline passes.
 * - Revisions and tokens rise; a tenure begins only where none is; one Acquire that was sent once begins at most one.
 * - A tenure does not end by expiry, revoke, release or for want of its caller as long as its holder believes: so none ends before an
 *   acknowledged deadline, as seen from the holder's side, and nobody releases what it still believes in.
 * - Whoever believes has the tenure that was committed last, and the tokens that are believed in rise.
 * - What is answered was committed, and is no older than when the request arrived.
 * - A server grants nothing as long as somebody waits at another one that comes first.
 * - The session of a server that serves is not ended by others before it was not renewed for its time.
 * - Every server has, at its revision, what was committed at that revision. Every watcher sees every change in order.
 */
export class Witness {
  readonly #nowMs: () => number;
  readonly #versions = new Map<LeaseKey, Version[]>();
  readonly #events: string[] = [];
  readonly #holders = new Set<Believer>();
  /** The highest token that anybody has believed in. */
  readonly #believed = new Map<LeaseKey, bigint>();
  /** Tokens whose forced revoke was asked for. */
  readonly #forced = new Set<bigint>();
  /** Tokens whose tenure was ended by one. */
  readonly #endedByForce = new Set<bigint>();
  /** How many grants each Acquire has led to. */
  readonly #grants = new Map<string, number>();
  /** When each session was renewed last. */
  readonly #renewedMs = new Map<string, number>();
  /** The sessions of the servers that serve. */
  serving: () => ReadonlySet<string> = () => new Set();
  #lastRevision = 0n;
  #violation: Violation | undefined;
  readonly trace: string[] = [];
  /** What has happened, by kind: a simulation in which nothing happens finds nothing. */
  readonly counts: Record<string, number> = {};

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get revision(): bigint {
    return this.#lastRevision;
  }

  note(text: string): void {
    this.trace.push(`${this.#nowMs().toFixed(3)} ${text}`);
  }

  count(kind: string): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  /** Something was seen that must not be. */
  report(what: string): void {
    this.#violation ??= new Violation(`${what} (at ${this.#nowMs().toFixed(3)} ms)`);
  }

  born(holder: Believer): void {
    this.#holders.add(holder);
  }

  gone(holder: Believer): void {
    this.#holders.delete(holder);
  }

  forcing(token: bigint): void {
    this.#forced.add(token);
  }

  /** A session is renewed, or ends. One whose server serves ends only when it was not renewed for its time. */
  session(id: string, isRenewed: boolean): void {
    const renewedMs = this.#renewedMs.get(id);
    if (isRenewed) {
      this.#renewedMs.set(id, this.#nowMs());
      return;
    }
    this.note(`  session ${id} is deleted`);
    const forMs = this.#nowMs() - (renewedMs ?? -Infinity);
    // The fastest clock runs 1 % fast.
    if (this.serving().has(id) && forMs < ttlMs / 1.0101) this.report(`session ${id} is deleted ${forMs} ms after its renewal`);
  }

  /** Something is committed, now, by a session, while others live. */
  committed(changes: readonly CommittedChange[], by: string, live: ReadonlySet<string>): void {
    for (const change of changes) {
      const { revision, key, record } = change;
      if (revision <= this.#lastRevision) this.report(`revision ${revision} comes after ${this.#lastRevision}`);
      this.#lastRevision = revision;
      this.note(`  commit ${revision} ${key} ${describe(change)}`);
      this.#checkEvents(change, this.at(key)?.record);
      this.#checkTurn(change, this.at(key)?.record, by, live);
      const versions = this.#versions.get(key) ?? [];
      versions.push({ revision, record });
      this.#versions.set(key, versions);
    }
  }

  /** The latest version of a lease. */
  at(key: LeaseKey): Version | undefined {
    return this.#versions.get(key)?.at(-1);
  }

  /** The tenures that a session attends. */
  tokensAt(session: string): bigint[] {
    const records = [...this.#versions.values()].map((versions) => versions.at(-1)?.record);
    return records.flatMap((record) => (record?.attendant === session ? [record.fencingToken] : []));
  }

  /** Where the history of a lease is now. */
  place(key: LeaseKey): Place {
    return (this.#versions.get(key)?.length ?? 0) - 1;
  }

  /** A record was answered: it was committed so, and not replaced before the place where the request arrived. */
  answered(what: string, key: LeaseKey, record: LeaseRecord, since: Place): void {
    const versions = this.#versions.get(key) ?? [];
    // Who attends and who waits changes without another version of the record.
    const index = versions.findLastIndex((version) => text(version.record) === text(record));
    if (index < 0) {
      this.report(
        `${what} answered ${text(record)}, which was never committed; at last that was ${text(versions.at(-1)?.record)}`,
      );
    } else if (index < since) {
      this.report(
        `${what} answered version ${record.resourceVersion}, but ${String(versions[since]?.revision)} was there before`,
      );
    }
  }

  /** Something was answered that has to be true of a version between the request's arrival and now. */
  wasTrue(what: string, key: LeaseKey, since: Place, isTrue: (record: LeaseRecord | undefined) => boolean): void {
    const versions = this.#versions.get(key) ?? [];
    const seen = since < 0 ? [undefined, ...versions] : versions.slice(since);
    if (!seen.some((version) => isTrue(version?.record))) this.report(`${what}, which was never so`);
  }

  /** Looks at everybody. @throws {Violation} */
  look(): void {
    const believing = new Map<LeaseKey, Believer>();
    for (const holder of this.#holders) {
      if (!holder.believes || this.#endedByForce.has(holder.token)) continue;
      const other = believing.get(holder.key);
      if (other !== undefined) this.report(`${name(other)} and ${name(holder)} both hold ${holder.key}`);
      believing.set(holder.key, holder);
      this.#checkBelief(holder);
    }
    if (this.#violation !== undefined) throw this.#violation;
  }

  /** Whoever believes has the newest tenure, and tokens rise from one to the next. */
  #checkBelief(holder: Believer): void {
    const { key, token } = holder;
    const record = this.at(key)?.record;
    if (isHeld(record) && record.fencingToken !== token) {
      this.report(`${name(holder)} believes in ${key}, which is held by ${record.holder} (${record.fencingToken})`);
    }
    const highest = this.#believed.get(key) ?? 0n;
    if (token < highest) this.report(`${name(holder)} believes in ${key} after ${highest} was believed in`);
    this.#believed.set(key, token > highest ? token : highest);
  }

  /** What a server has at its revision. */
  serverHas(server: string, revision: bigint, records: readonly LeaseRecord[]): void {
    const has = new Map(records.map((record) => [`${record.namespace}/${record.name}`, record]));
    for (const [key, versions] of this.#versions) {
      const version = versions.findLast((one) => one.revision <= revision);
      const record = isVisible(version?.record) ? version.record : undefined;
      if (text(has.get(key)) !== text(record)) {
        this.report(`${server} has at ${revision} ${text(has.get(key))}, but committed was ${text(record)}`);
      }
    }
  }

  /** A watcher sees an event; `seen`: how many before. */
  watched(server: string, seen: number, { revision, type, lease }: WatchEvent): void {
    const event = `${revision} ${type} ${lease.name} ${lease.fencingToken}`;
    if (this.#events[seen] !== event) {
      this.report(`a watcher at ${server} saw as event ${seen} ${event}, but this happened: ${String(this.#events[seen])}`);
    }
  }

  get events(): number {
    return this.#events.length;
  }

  #checkEvents({ events, revision, record: after, key }: CommittedChange, before: LeaseRecord | undefined): void {
    let record = before;
    for (const { type, reason, lease } of events) {
      this.#events.push(`${revision} ${type} ${lease.name} ${lease.fencingToken}`);
      this.count(`${type} ${reason}`);
      if (type === 'ACQUIRED') this.#checkGrant(key, revision, record, lease);
      if (type === 'EXPIRED' || type === 'RELEASED') this.#checkEnding(type, reason, record);
      record = type === 'DELETED' ? undefined : lease;
    }
    if (isHeld(before) && isHeld(after) && after.fencingToken !== before.fencingToken && events.length < 2) {
      this.report(`the tenure ${before.fencingToken} of ${key} ends without an event`);
    }
  }

  #checkGrant(key: LeaseKey, revision: bigint, before: LeaseRecord | undefined, lease: LeaseRecord): void {
    if (isHeld(before)) this.report(`${lease.holder} is granted ${key}, which ${before.holder} holds`);
    if (lease.fencingToken !== revision) this.report(`token ${lease.fencingToken} is granted at revision ${revision}`);
    this.#checkGrantedOnce(lease);
  }

  /** Who waits at another server and comes first is not passed over. */
  #checkTurn(
    { events, key, revision }: CommittedChange,
    before: LeaseRecord | undefined,
    by: string,
    live: ReadonlySet<string>,
  ): void {
    if (!events.some(({ type }) => type === 'ACQUIRED')) return;
    const waiting = before?.waiting.filter(({ session }) => session === by || live.has(session)) ?? [];
    const best = Math.max(...waiting.map(({ priority }) => priority));
    const first = waiting.find(({ priority }) => priority === best);
    if (first !== undefined && first.session !== by) {
      this.report(`${key} is granted at ${revision} by ${by}, although ${first.session} comes first`);
    }
  }

  #checkGrantedOnce({ holder, acquireId }: LeaseRecord): void {
    const grants = (this.#grants.get(acquireId) ?? 0) + 1;
    this.#grants.set(acquireId, grants);
    // One that was sent again may be granted again, when another tenure came in between. The SDK's, with ids of its own, may have been.
    const wasSentOnce = acquireId.startsWith(`${holder}-`) && !acquireId.endsWith('again');
    if (grants > 1 && wasSentOnce) this.report(`one Acquire of ${holder} is granted twice`);
  }

  #checkEnding(type: string, reason: string, record: LeaseRecord | undefined): void {
    if (!isHeld(record)) this.report(`a lease ends by ${type}, which nobody holds`);
    const token = record?.fencingToken ?? 0n;
    if (reason === 'REVOKED' && this.#forced.has(token)) {
      this.#endedByForce.add(token);
      return;
    }
    const holder = [...this.#holders].find((one) => one.token === token && one.believes);
    if (holder !== undefined) {
      this.report(
        `${type} (${reason}) ends the tenure of ${name(holder)}, which believes for another ${holder.believesForMs} ms`,
      );
    }
  }
}

function name({ name: who, token }: Believer): string {
  return `${who} (${token})`;
}

function describe({ record, events }: CommittedChange): string {
  const happened = events.map(({ type, reason }) => `${type}/${reason}`).join(' ');
  if (record === undefined) return `${happened} (gone)`;
  const { state, holder, fencingToken, attendant, waiting, revoking, reservedMs } = record;
  const waits = waiting.map(({ session, priority }) => `${session}:${priority}`).join(',');
  const parts = [attendant && `at ${attendant}`, waits && `waiting ${waits}`, revoking && 'revoking', reservedMs && 'reserved'];
  return [happened, state, holder, String(fencingToken), ...parts].filter(Boolean).join(' ');
}

/** For comparing. */
function text(record: LeaseRecord | undefined): string {
  if (record === undefined) return 'nothing';
  const entries = Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1));
  return JSON.stringify(Object.fromEntries(entries), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}
