import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { LeaseRecord, WatchEvent, WatchMessage } from '@leasehold/core';
import { Event } from '@leasehold/proto/leasehold/v1/lease';
import { WatchResponse } from '@leasehold/proto/leasehold/v1/lease_service';
import { toEvent } from './convert.js';

/**
 * Encodes a message of a watch as one `WatchResponse`, or as several when it is large. Events of one revision stay together, and each
 * part but the last says the revision of its own last event.
 *
 * An event goes to many watchers, and encoding it is most of the work: so it is done once.
 */
export function encodeWatchMessage(message: WatchMessage): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let events: Uint8Array[] = [];
  let bytes = 0;
  let revision = 0n;
  for (const event of message.events) {
    const encoded = encodeEvent(event);
    if (bytes + encoded.length > partBytesMax && bytes > 0 && event.revision !== revision) {
      parts.push(encodeResponse(events, revision));
      events = [];
      bytes = 0;
    }
    events.push(encoded);
    bytes += encoded.length;
    revision = event.revision;
  }
  parts.push(encodeResponse(events, message.revision));
  return parts;
}

/** Far below the 4 MiB that clients take by default. */
const partBytesMax = 1024 * 1024;

/** The field `events` of a `WatchResponse`: number 1, with a length. */
const eventsTag = (1 << 3) | 2;

interface EncodedEvent {
  readonly event: Pick<WatchEvent, 'type' | 'reason' | 'wasSelected'>;
  readonly bytes: Uint8Array;
}

/** By the lease of the event, which is the same object for all watchers. */
const encodedEvents = new WeakMap<LeaseRecord, EncodedEvent>();

function encodeEvent(event: WatchEvent): Uint8Array {
  const known = encodedEvents.get(event.lease);
  if (known?.event.type === event.type && known.event.reason === event.reason && known.event.wasSelected === event.wasSelected) {
    return known.bytes;
  }
  const bytes = Event.encode(toEvent(event)).finish();
  encodedEvents.set(event.lease, { event, bytes });
  return bytes;
}

function encodeResponse(events: readonly Uint8Array[], revision: bigint): Uint8Array {
  const writer = new BinaryWriter();
  for (const event of events) {
    writer.uint32(eventsTag).bytes(event);
  }
  return WatchResponse.encode({ events: [], revision }, writer).finish();
}
