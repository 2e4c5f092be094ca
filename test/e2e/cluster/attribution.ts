import type { LeaseEvent } from '@leasehold/sdk';
import { versionOf, type Entry, type EntryOf } from './history.js';
import { eventText, type Told } from './watcher.js';

/** A history for the model, and what does not fit into any. */
export interface Attributed {
  readonly history: readonly Entry[];
  readonly findings: readonly string[];
}

/** When a change can have happened, by who has asked for it. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const anyTime: Span = { fromMs: 0, toMs: Infinity };

/**
 * Puts the commands on one lease and the changes of it that watchers were told of together: each change happened after it was asked for, and before it was
 * answered or told. What the server does by itself can happen whenever. A command of unknown outcome has had the changes that bear
 * its name, whatever they are; its answer says nothing.
 */
export function attribute(entries: readonly Entry[], told: readonly Told[]): Attributed {
  const findings: string[] = [];
  const search = new Authors(entries, told, findings);
  const changes = [...changesOf(told), ...leftOut(entries, told)].sort((left, right) =>
    left.revision < right.revision ? -1 : 1,
  );
  let labels: Readonly<Record<string, string>> = {};
  const spans = changes.map(({ revision, events, toldMs }): Span => {
    const causes = events.map((event) => search.spanOf(event, revision, labels));
    labels = events.at(-1)?.lease.labels ?? labels;
    return {
      fromMs: Math.max(...causes.map(({ fromMs }) => fromMs)),
      toMs: Math.min(toldMs, ...causes.map(({ toMs }) => toMs)),
    };
  });
  const happened = inOrder(spans).map(({ fromMs: callMs, toMs: returnMs }, index): Entry => {
    const { events } = changes[index]!;
    if (callMs > returnMs) findings.push(`done before it was asked for: ${events.map(eventText).join(', ')}`);
    const lease = events[0]?.lease.name ?? '';
    return { by: 'watch', lease, input: { kind: 'change', events }, output: { kind: 'told' }, callMs, returnMs };
  });
  const revisions = new Set(changes.map(({ revision }) => revision));
  findings.push(...lost(entries, revisions));
  const answered = entries.filter(({ output }) => output.kind !== 'unknown');
  return { history: [...happened, ...answered], findings };
}

/** Changes happen in the order of their revisions: none before one of a lower revision can have, or after one of a higher must have. */
function inOrder(spans: readonly Span[]): Span[] {
  let fromMs = 0;
  const notBefore = spans.map((span) => (fromMs = Math.max(fromMs, span.fromMs)));
  let toMs = Infinity;
  const notAfter = [...spans].reverse().map((span) => (toMs = Math.min(toMs, span.toMs)));
  return notBefore.map((from, index) => ({ fromMs: from, toMs: notAfter[spans.length - 1 - index]! }));
}

interface Change {
  readonly revision: bigint;
  readonly events: readonly LeaseEvent[];
  readonly toldMs: number;
}

/** The changes, each once, with when it was told first. */
function changesOf(told: readonly Told[]): Change[] {
  const found = new Map<string, { revision: bigint; events: Map<string, LeaseEvent>; toldMs: number }>();
  for (const { event, toldMs } of told) {
    const { revision } = event;
    const change = found.get(String(revision)) ?? { revision, events: new Map<string, LeaseEvent>(), toldMs };
    change.events.set(event.type, event);
    change.toldMs = Math.min(change.toldMs, toldMs);
    found.set(String(revision), change);
  }
  return [...found.values()].map(({ revision, events, toldMs }) => ({ revision, events: [...events.values()], toldMs }));
}

/** Renewals that were shown to somebody, and that all watchers were told the later one of instead. */
function leftOut(entries: readonly Entry[], told: readonly Told[]): Change[] {
  const revisions = new Set(told.map(({ event }) => event.revision));
  const found = new Map<bigint, Change>();
  for (const { output, returnMs } of entries) {
    if (output.kind !== 'shown' && output.kind !== 'validity') continue;
    const { lease } = output;
    const revision = lease.resourceVersion;
    if (revisions.has(revision) || lease.state !== 'HELD' || lease.fencingToken === revision) continue;
    const toldMs = Math.min(returnMs, found.get(revision)?.toldMs ?? Infinity);
    const event: LeaseEvent = { type: 'RENEWED', reason: undefined, revision, wasSelected: true, lease };
    found.set(revision, { revision, events: [event], toldMs });
  }
  return [...found.values()];
}

/** Answers that tell of something that has not happened. */
function lost(entries: readonly Entry[], revisions: ReadonlySet<bigint>): string[] {
  return entries.flatMap((entry) => {
    const version = versionOf(entry);
    if (version === undefined || entry.output.kind === 'renewed' || revisions.has(version)) return [];
    return [`answered, and no watcher was told: ${entry.by}, ${entry.input.kind}, version ${version}`];
  });
}

/** Finds out who asked for a change. */
class Authors {
  readonly #findings: string[];
  readonly #acquires = new Map<string, EntryOf<'acquire'>>();
  readonly #releases = new Map<bigint, EntryOf<'release'>[]>();
  readonly #updates = new Map<string, EntryOf<'update'>>();
  readonly #renewals = new Map<bigint, Entry>();
  readonly #holders = new Map<bigint, string>();
  /** Grants that nobody heard of, so that the server took them back. Their callers have asked again under the same name. */
  readonly #abandoned: ReadonlySet<bigint>;

  constructor(entries: readonly Entry[], told: readonly Told[], findings: string[]) {
    this.#findings = findings;
    const ends = told.filter(({ event }) => event.type === 'RELEASED' && event.reason === 'ABANDONED');
    this.#abandoned = new Set(ends.map(({ event }) => event.lease.fencingToken));
    for (const entry of entries) {
      if (isOf(entry, 'acquire')) this.#acquires.set(entry.input.holder, entry);
      if (isOf(entry, 'update')) this.#updates.set(entry.input.mark, entry);
      if (isOf(entry, 'release')) {
        const { token } = entry.input;
        this.#releases.set(token, [...(this.#releases.get(token) ?? []), entry]);
      }
      if (entry.output.kind === 'renewed') this.#renewals.set(entry.output.version, entry);
    }
  }

  spanOf(event: LeaseEvent, revision: bigint, labels: Readonly<Record<string, string>>): Span {
    switch (event.type) {
      case 'ACQUIRED':
        return this.#acquired(event, revision);
      case 'RELEASED':
        return this.#released(event);
      case 'UPDATED':
        return this.#updated(event, revision, labels);
      case 'RENEWED':
        return spanOfAnswer(this.#renewals.get(revision));
      default:
        return anyTime;
    }
  }

  #acquired(event: LeaseEvent, revision: bigint): Span {
    const { holder } = event.lease;
    const acquire = this.#acquires.get(holder);
    if (acquire === undefined) return this.#nobody(event);
    if (this.#abandoned.has(revision)) return { fromMs: acquire.callMs, toMs: Infinity };
    if ([...this.#holders.values()].includes(holder)) this.#findings.push(`granted twice: ${eventText(event)}`);
    this.#holders.set(revision, holder);
    if (acquire.output.kind !== 'granted') return { fromMs: acquire.callMs, toMs: Infinity };
    if (acquire.output.token !== revision) this.#findings.push(`granted as ${acquire.output.token}: ${eventText(event)}`);
    return spanOfAnswer(acquire);
  }

  #released(event: LeaseEvent): Span {
    const token = event.lease.fencingToken;
    const releases = this.#releases.get(token) ?? [];
    if (releases.length > 0) {
      const answers = releases.filter(({ output }) => output.kind === 'over').map(({ returnMs }) => returnMs);
      return { fromMs: Math.min(...releases.map(({ callMs }) => callMs)), toMs: Math.min(Infinity, ...answers) };
    }
    if (event.reason === 'ABANDONED') return anyTime;
    // A client gives back a grant that came too late for its caller.
    const acquire = this.#acquires.get(this.#holders.get(token) ?? '');
    if (acquire === undefined || acquire.output.kind === 'granted') return this.#nobody(event);
    return { fromMs: acquire.callMs, toMs: Infinity };
  }

  #updated(event: LeaseEvent, revision: bigint, labels: Readonly<Record<string, string>>): Span {
    const fresh = Object.entries(event.lease.labels).filter(([key, mark]) => labels[key] !== mark);
    const update = this.#updates.get(fresh[0]?.[1] ?? '');
    if (fresh.length !== 1 || update === undefined) return this.#nobody(event);
    const { output } = update;
    if (output.kind === 'unknown') return { fromMs: update.callMs, toMs: Infinity };
    const isDone = output.kind === 'shown' && output.lease.resourceVersion === revision;
    if (!isDone) this.#findings.push(`done twice, or though it was refused: ${eventText(event)}`);
    return spanOfAnswer(update);
  }

  #nobody(event: LeaseEvent): Span {
    this.#findings.push(`nobody asked for it: ${eventText(event)}`);
    return anyTime;
  }
}

function spanOfAnswer(entry: Entry | undefined): Span {
  return entry === undefined ? anyTime : { fromMs: entry.callMs, toMs: entry.returnMs };
}

function isOf<K extends Entry['input']['kind']>(entry: Entry, kind: K): entry is EntryOf<K> {
  return entry.input.kind === kind;
}
