import { encodeWatchEvent, type AnyObject, type WatchEventType } from '../codec/encode.js';
import type { IncludeObject } from '../codec/table.js';
import type { ObjectMeta } from '../lease-object.js';
import type { StreamFormat, Transform } from '../negotiate.js';
import type { Status } from '../status.js';

/** How the events of a watch are written. */
export interface EventForm {
  readonly format: StreamFormat;
  /** Another kind that objects are turned into. */
  readonly as: Transform | undefined;
  /** Of tables. */
  readonly includeObject: IncludeObject;
  /** Whether events arrive one by one, so that nothing has to tell where one ends. */
  readonly framed: boolean;
}

/** An event as it is sent: text as a message of text, bytes otherwise. */
export type EncodedEvent = string | Uint8Array;

/** Turns an object into the kind that the client has negotiated. */
export type Transforming<T> = (
  object: T,
  as: Transform | undefined,
  options: { readonly includeObject: IncludeObject; readonly withColumns: boolean },
) => AnyObject;

/** Writes the events of one watch. */
export class EventEncoder<T extends AnyObject & { readonly metadata: ObjectMeta }> {
  /** What tells forms apart. */
  readonly key: string;
  readonly #form: EventForm;
  readonly #transform: Transforming<T>;
  /** Of tables the first one has the columns. */
  #needsColumns: boolean;

  constructor(form: EventForm, transform: Transforming<T>) {
    const { format, as, includeObject, framed } = form;
    // There is no list in a watch: who asks for one gets objects.
    this.#form = as?.kind === 'PartialObjectMetadataList' ? { ...form, as: undefined } : form;
    this.#transform = transform;
    this.key = [format, as?.kind, as?.version, includeObject, framed].join(' ');
    this.#needsColumns = as?.kind === 'Table';
  }

  /** Whether the next event is unlike the same one later. */
  get needsColumns(): boolean {
    return this.#needsColumns;
  }

  encode(type: WatchEventType, object: T, includeObject: IncludeObject = this.#form.includeObject): EncodedEvent {
    const withColumns = this.#needsColumns;
    this.#needsColumns = false;
    return this.#write(type, this.#transform(object, this.#form.as, { includeObject, withColumns }));
  }

  bookmark(bookmark: T): EncodedEvent {
    const { includeObject } = this.#form;
    // What annotations say must arrive, with tables of no objects too.
    const isMarked = bookmark.metadata.annotations !== undefined;
    return this.encode('BOOKMARK', bookmark, isMarked && includeObject === 'None' ? 'Metadata' : includeObject);
  }

  error(status: Status): EncodedEvent {
    return this.#write('ERROR', status);
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
