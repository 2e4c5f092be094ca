import type { Json } from '../json.js';
import { duplicateFields, toPlain } from './document.js';
import { parseJson, toText } from './json-parse.js';
import { parseYaml, yamlComplaint } from './yaml-decode.js';

/** A patch as it was sent. */
export interface PatchBody {
  readonly value: Json;
  /** Fields that come twice, in the words of Kubernetes; what is done about them, field validation says. */
  readonly complaints: readonly string[];
}

/**
 * Reads a patch in JSON.
 *
 * @throws DocumentError in Go's words
 */
export function readJsonPatch(body: Uint8Array): PatchBody {
  const document = parseJson(toText(body));
  return { value: toPlain(document), complaints: duplicateFields(document) };
}

/**
 * Reads a patch in YAML: what is applied on the server.
 *
 * @throws DocumentError in the words of Kubernetes
 */
export function readYamlPatch(body: Uint8Array): PatchBody {
  const { value, duplicates } = parseYaml(body);
  return { value: toPlain(value), complaints: duplicates.length === 0 ? [] : [yamlComplaint(duplicates)] };
}
