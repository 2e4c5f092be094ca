import type { Clock, LeaseCoordinator, LeaseRecord, WatchEvent } from '@leasehold/core';
import { transform } from '../codec/transform.js';
import { toObject } from '../convert.js';
import type { LeaseObject } from '../lease-object.js';
import { recordsIn, type Scope } from '../list/scope.js';
import { selects, type Selection } from '../selection/selection.js';
import type { Status } from '../status.js';
import { EventEncoder, type EncodedEvent, type EventForm } from './event-encoder.js';
import { toLeaseChanges, type LeaseChange } from './lease-changes.js';
import type { WatchSource } from './watch-source.js';

/** Leases, as a watch tells of them. */
export class LeaseSource implements WatchSource {
  readonly query: WatchSource['query'];
  readonly #coordinator: LeaseCoordinator;
  readonly #scope: Scope;
  readonly #selection: Selection;
  readonly #encoder: EventEncoder<LeaseObject>;

  constructor(coordinator: LeaseCoordinator, { scope, selection, form, clock }: LeaseSourceOptions) {
    this.#coordinator = coordinator;
    this.#scope = scope;
    this.#selection = selection;
    const nowMs = (): number => clock.wallMs();
    this.#encoder = new EventEncoder(form, (object, as, how) => transform(object, as, { ...how, nowMs: nowMs() }));
    const { namespace, name, isSingle } = scope;
    this.query = { namespace, name: isSingle ? name : '', selector: selection.labels, includeRenewals: true };
  }

  present(): Iterator<EncodedEvent> {
    const records = recordsIn(this.#scope, this.#coordinator).filter((record) => selects(this.#selection, record));
    return this.#added(records);
  }

  changes(events: readonly WatchEvent[]): EncodedEvent[] {
    return toLeaseChanges(events, this.#selection).map((change) => this.#change(change));
  }

  bookmark(revision: bigint, annotations?: Readonly<Record<string, string>>): EncodedEvent {
    const metadata = { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) };
    return this.#encoder.bookmark({ kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', metadata, spec: {} });
  }

  error(status: Status): EncodedEvent {
    return this.#encoder.error(status);
  }

  *#added(records: readonly LeaseRecord[]): Generator<EncodedEvent> {
    for (const record of records) yield this.#encoder.encode('ADDED', toObject(record));
  }

  /** A change. It goes to many watches, and writing it is most of the work: so it is done once for all of the same form. */
  #change({ type, lease, labels }: LeaseChange): EncodedEvent {
    const object = (): LeaseObject => toObject(labels === lease.labels ? lease : { ...lease, labels });
    if (this.#encoder.needsColumns) return this.#encoder.encode(type, object());
    // Which labels are shown follows from the type.
    const key = `${type} ${this.#encoder.key}`;
    const known = encodedChanges.get(lease) ?? new Map<string, EncodedEvent>();
    const event = known.get(key) ?? this.#encoder.encode(type, object());
    encodedChanges.set(lease, known.set(key, event));
    return event;
  }
}

export interface LeaseSourceOptions {
  readonly scope: Scope;
  readonly selection: Selection;
  readonly form: EventForm;
  readonly clock: Clock;
}

/** By the lease of the change, which is the same object for all watches and kept about as long as the change is recent. */
const encodedChanges = new WeakMap<LeaseRecord, Map<string, EncodedEvent>>();
