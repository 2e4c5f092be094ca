import type { LeaseList, PartialObjectMetadataList, Table } from '../objects.js';
import { toWritten, type Encoded } from './encode.js';
import { sealEnvelope } from './envelope.js';
import { protobufShapes } from './kinds.js';
import { mediaTypes } from './media-type.js';
import { writeMessage } from './protobuf.js';
import type { Struct } from './schema.js';

/** What a list of leases is answered as. */
export type AnyList = LeaseList | PartialObjectMetadataList | Table;

/**
 * Writes a list piece by piece, as `encode` would write the whole of it, without indentation.
 *
 * @param head the list with nothing in it.
 * @param pieces lists of the same kind, of which only what is in them counts. They are asked for one after the other.
 * @param turn lets others have a turn between two pieces.
 */
export async function encodeList(
  head: AnyList,
  pieces: Iterable<AnyList>,
  format: 'json' | 'protobuf',
  turn: () => Promise<void>,
): Promise<Encoded> {
  const shape = format === 'protobuf' ? protobufShapes.get(head.kind) : undefined;
  const written: (string | Uint8Array)[] = [];
  const items = shape === undefined ? undefined : itemsOf(shape);
  for (const piece of pieces) {
    written.push(items === undefined ? itemsText(piece) : writeMessage(items, toWritten(piece)));
    await turn();
  }
  if (shape === undefined) {
    const whole = JSON.stringify(toWritten(head));
    const texts = written.filter((text) => text.length > 0);
    // What is in a list stands at its end.
    return { contentType: mediaTypes.json, body: `${whole.slice(0, -']}'.length)}${texts.join(',')}]}\n` };
  }
  const raw = Buffer.concat([writeMessage(shape, toWritten(head)), ...(written as Uint8Array[])]);
  return { contentType: mediaTypes.protobuf, body: sealEnvelope({ apiVersion: head.apiVersion, kind: head.kind, raw }) };
}

/** What is in a list, without the brackets. */
function itemsText(list: AnyList): string {
  const { items, rows } = toWritten(list) as { readonly items?: unknown; readonly rows?: unknown };
  return JSON.stringify(items ?? rows).slice(1, -1);
}

/** The message of a list without what it says of itself. Messages of protobuf that stand one behind the other are one. */
function itemsOf(shape: Struct): Struct {
  return { ...shape, numbered: shape.numbered.filter(({ name }) => name === 'items') };
}
