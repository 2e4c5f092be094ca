import type { LeaseList, PartialObjectMetadataList, Table } from '../objects.js';
import { toWritten, type Encoded } from './encode.js';
import { sealParts } from './envelope.js';
import { protobufShapes } from './kinds.js';
import { mediaTypes, type Format } from './media-type.js';
import { writeMessage } from './protobuf.js';
import type { Struct } from './schema.js';
import { toYaml } from './yaml-encode.js';

/** What a list of leases is answered as. */
export type AnyList = LeaseList | PartialObjectMetadataList | Table;

/**
 * Writes a list piece by piece, as `encode` would write the whole of it, without indentation.
 *
 * @param head the list with nothing in it.
 * @param pieces what is in it, as `encodeItems` writes lists of the same kind. They are asked for one after the other.
 * @param turn lets others have a turn between two pieces.
 */
export async function encodeList(
  head: AnyList,
  pieces: Iterable<string | Uint8Array>,
  format: Format,
  turn: () => Promise<void>,
): Promise<Encoded> {
  const shape = format === 'protobuf' ? protobufShapes.get(head.kind) : undefined;
  const written: (string | Uint8Array)[] = [];
  for (const piece of pieces) {
    written.push(piece);
    await turn();
  }
  if (format === 'yaml') {
    const whole = toYaml(toWritten(head));
    const texts = written.filter((text) => text !== emptyYaml);
    // Items stand as far to the left as the name of their list.
    const body = texts.length === 0 ? whole : whole.replace(emptyInside, (_, name: string) => `${name}:\n${texts.join('')}`);
    return { contentType: mediaTypes.yaml, body };
  }
  if (shape === undefined) {
    const whole = JSON.stringify(toWritten(head));
    const texts = written.filter((text) => text.length > 0);
    // What is in a list stands at its end.
    return { contentType: mediaTypes.json, body: `${whole.slice(0, -']}'.length)}${texts.join(',')}]}\n` };
  }
  const parts = [writeMessage(shape, toWritten(head)), ...(written as Uint8Array[])];
  return { contentType: mediaTypes.protobuf, body: sealParts(head, parts) };
}

/** Writes what is in a list, as it stands in the list. */
export function encodeItems(list: AnyList, format: Format): string | Uint8Array {
  if (format === 'yaml') return toYaml(itemsIn(list));
  const shape = format === 'protobuf' ? protobufShapes.get(list.kind) : undefined;
  return shape === undefined ? itemsText(list) : writeMessage(itemsOf(shape), toWritten(list));
}

/** What is in a list, without the brackets. */
function itemsText(list: AnyList): string {
  return JSON.stringify(itemsIn(list)).slice(1, -1);
}

function itemsIn(list: AnyList): readonly object[] {
  const { items, rows } = toWritten(list) as { readonly items?: readonly object[]; readonly rows?: readonly object[] };
  return items ?? rows ?? [];
}

const emptyYaml = '[]\n';

/** Where YAML has the items of a list with nothing in it. */
const emptyInside = /^(items|rows): \[\]\n/m;

/** The message of a list without what it says of itself. Messages of protobuf that stand one behind the other are one. */
function itemsOf(shape: Struct): Struct {
  return { ...shape, numbered: shape.numbered.filter(({ name }) => name === 'items') };
}
