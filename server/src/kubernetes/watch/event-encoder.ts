import type { Clock, LeaseRecord } from '@leasehold/core';
import { encodeWatchEvent, type AnyObject, type WatchEventType } from '../codec/encode.js';
import type { IncludeObject } from '../codec/table.js';
import { transform } from '../codec/transform.js';
import { toObject } from '../convert.js';
import type { LeaseObject } from '../lease-object.js';
import type { StreamFormat, Transform } from '../negotiate.js';
import type { Status } from '../status.js';
import type { LeaseChange } from './lease-changes.js';

/** How the events of a watch are written. */
export interface EventForm {
  readonly format: StreamFormat;
  /** Another kind that leases are turned into. */
  readonly as: Transform | undefined;
  /** Of tables. */
  readonly includeObject: IncludeObject;
  /** Whether events arrive one by one, so that nothing has to tell where one ends. */
  readonly framed: boolean;
}

/** An event as it is sent: text as a message of text, bytes otherwise. */
export type EncodedEvent = string | Uint8Array;

/** Writes the events of one watch. */
export class EventEncoder {
  readonly #form: EventForm;
  readonly #clock: Clock;
  /** What events of this form are kept under. */
  readonly #key: string;
  /** Of tables the first one has the columns. */
  #needsColumns: boolean;

  constructor(form: EventForm, clock: Clock) {
    const { format, as, includeObject, framed } = form;
    // There is no list in a watch: who asks for one gets leases.
    this.#form = as?.kind === 'PartialObjectMetadataList' ? { ...form, as: undefined } : form;
    this.#clock = clock;
    this.#key = [format, as?.kind, as?.version, includeObject, framed].join(' ');
    this.#needsColumns = as?.kind === 'Table';
  }

  /** A lease that was there when the watch began. */
  present(lease: LeaseRecord): EncodedEvent {
    return this.#encode('ADDED', toObject(lease));
  }

  /** A change. It goes to many watches, and writing it is most of the work: so it is done once for all of the same form. */
  change({ type, lease, labels }: LeaseChange): EncodedEvent {
    const object = (): LeaseObject => toObject(labels === lease.labels ? lease : { ...lease, labels });
    if (this.#needsColumns) return this.#encode(type, object());
    // Which labels are shown follows from the type.
    const key = `${type} ${this.#key}`;
    const known = encodedChanges.get(lease) ?? new Map<string, EncodedEvent>();
    const event = known.get(key) ?? this.#encode(type, object());
    encodedChanges.set(lease, known.set(key, event));
    return event;
  }

  /** Tells up to which revision everything was sent. */
  bookmark(revision: bigint, annotations?: Readonly<Record<string, string>>): EncodedEvent {
    const metadata = { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) };
    const bookmark = { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', metadata, spec: {} } as const;
    const { includeObject } = this.#form;
    // What annotations say must arrive, with tables of no objects too.
    return this.#encode('BOOKMARK', bookmark, annotations !== undefined && includeObject === 'None' ? 'Metadata' : includeObject);
  }

  /** Why the watch is over. */
  error(status: Status): EncodedEvent {
    return this.#write('ERROR', status);
  }

  #encode(type: WatchEventType, object: LeaseObject, includeObject: IncludeObject = this.#form.includeObject): EncodedEvent {
    const withColumns = this.#needsColumns;
    this.#needsColumns = false;
    return this.#write(type, transform(object, this.#form.as, { includeObject, nowMs: this.#clock.wallMs(), withColumns }));
  }

  #write(type: WatchEventType, object: AnyObject): EncodedEvent {
    const { format, framed } = this.#form;
    const event = encodeWatchEvent(type, object, format);
    if (!framed) return typeof event === 'string' ? Buffer.from(event) : event;
    return typeof event === 'string' ? event : event.subarray(lengthBytes);
  }
}

/** What stands before an event in protobuf: its length. */
const lengthBytes = 4;

/** By the lease of the change, which is the same object for all watches and kept about as long as the change is recent. */
const encodedChanges = new WeakMap<LeaseRecord, Map<string, EncodedEvent>>();
