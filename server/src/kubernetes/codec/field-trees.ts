import type { FieldsV1 } from '../lease-object.js';
import { Memo } from '../memo.js';
import type { DocumentValue } from './document.js';
import { toFieldTree, unreadable } from './json-decode.js';
import { parseJson } from './json-parse.js';

/**
 * The set of fields that a text is; `unreadable` if it is none. All leases of a kind have the same few sets, which every write brings back:
 * each is read once, and is one object in memory for all of them.
 */
export function parseFieldTree(text: string): FieldsV1 {
  return trees.of(text);
}

/** A set of fields as protobuf has it, which is JSON. */
export function fieldTreeBytes(tree: FieldsV1): Uint8Array {
  const bytes = written.get(tree) ?? Buffer.from(JSON.stringify(tree));
  written.set(tree, bytes);
  return bytes;
}

const trees = new Memo(1000, (text): FieldsV1 => {
  let tree: DocumentValue;
  try {
    tree = parseJson(text);
  } catch {
    return unreadable;
  }
  return toFieldTree(tree);
});

const written = new WeakMap<FieldsV1, Uint8Array>();
