import type { LeaseCoordinator, LeaseRecord, WatchEvent } from '@leasehold/core';
import type { NamespaceObject } from '../objects.js';
import { transformAs } from '../render.js';
import { readSelection, type Selection } from '../selection/selection.js';
import type { Status } from '../status.js';
import { EventEncoder, type EncodedEvent, type EventForm } from '../watch/event-encoder.js';
import { toLeaseChanges } from '../watch/lease-changes.js';
import type { WatchSource } from '../watch/watch-source.js';
import { always, namespaceLines, selectsNamespace, toNamespace } from './namespace.js';

/** Namespaces, as a watch tells of them: one comes with its first lease, and goes with its last. */
export class NamespaceSource implements WatchSource {
  readonly query: WatchSource['query'];
  readonly #coordinator: LeaseCoordinator;
  readonly #selection: Selection;
  readonly #encoder: EventEncoder<NamespaceObject>;
  /** How many leases each namespace has, as far as the watch has been told. */
  #counts = new Map<string, number>();

  /** @param name of the one that is watched; empty: all of them are. */
  constructor(coordinator: LeaseCoordinator, { name, selection, form }: NamespaceSourceOptions) {
    this.#coordinator = coordinator;
    this.#selection = selection;
    this.#encoder = new EventEncoder(form, (object, as, how) => transformAs(object, namespaceLines, as, how));
    this.query = { namespace: name, name: '', selector: allLeases.labels, includeRenewals: false };
  }

  async recall(version: bigint): Promise<void> {
    this.#count(await this.#coordinator.recordsAt(this.query.namespace, version));
  }

  present(): Iterator<EncodedEvent> {
    this.#count(this.#coordinator.records(this.query.namespace));
    const { revision } = this.#coordinator;
    const names = [...this.#counts.keys()].sort().filter((name) => selectsNamespace(this.#selection, name));
    return names.map((name) => this.#encoder.encode('ADDED', toNamespace(name, revision))).values();
  }

  changes(events: readonly WatchEvent[]): EncodedEvent[] {
    return toLeaseChanges(events, allLeases).flatMap(({ type, lease }) => {
      if (type === 'MODIFIED') return [];
      const { namespace, resourceVersion } = lease;
      const [before, after] = this.#add(namespace, type === 'ADDED' ? 1 : -1);
      if (before > 0 === after > 0 || !selectsNamespace(this.#selection, namespace)) return [];
      return [this.#encoder.encode(type, toNamespace(namespace, resourceVersion))];
    });
  }

  bookmark(revision: bigint, annotations?: Readonly<Record<string, string>>): EncodedEvent {
    const metadata = { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) };
    return this.#encoder.bookmark({ kind: 'Namespace', apiVersion: 'v1', metadata, spec: {}, status: {} });
  }

  error(status: Status): EncodedEvent {
    return this.#encoder.error(status);
  }

  #count(records: readonly LeaseRecord[]): void {
    const { namespace: name } = this.query;
    // Those that are always there count one more, and never come down to nothing.
    this.#counts = new Map(always.filter((each) => name === '' || each === name).map((each) => [each, 1]));
    for (const { namespace } of records) this.#add(namespace, 1);
  }

  /** How many leases a namespace had, and has now. */
  #add(namespace: string, count: number): readonly [number, number] {
    const before = this.#counts.get(namespace) ?? 0;
    const after = before + count;
    if (after > 0) this.#counts.set(namespace, after);
    else this.#counts.delete(namespace);
    return [before, after];
  }
}

export interface NamespaceSourceOptions {
  readonly name: string;
  readonly selection: Selection;
  readonly form: EventForm;
}

const allLeases = readSelection(new URLSearchParams());
