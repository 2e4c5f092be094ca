import { goQuote } from '../codec/go-quote.js';
import { isList, isObject, isTooDeep, member, objectOr, sameJson, type Json, type JsonObject } from '../json.js';
import type { LeaseObject } from '../lease-object.js';
import { badRequest, StatusError } from '../status.js';
import { patchRefused } from './errors.js';
import { jsonType } from '../go-types.js';

/**
 * The object after a JSON patch (RFC 6902, as kube-apiserver takes it: indices may be negative, and `replace` may name a member that
 * is not there). What comes out may be anything: read it as a lease before use.
 *
 * @param operations the patch, as parsed.
 * @throws {StatusError} 400: it is no list of operations; 413: it is too long; 422: an operation cannot be made.
 */
export function applyJsonPatch(object: LeaseObject, operations: unknown): Json {
  const patch = readOperations(operations as Json);
  const document = new Document(object as unknown as Json);
  for (const operation of patch) document.apply(operation);
  // What is put into something deep again and again is deeper than any text that was read.
  if (isTooDeep(document.root)) throw patchRefused();
  return document.root;
}

/** Fields of operations that mean nothing, in the words of Kubernetes; what is done about them, field validation says. */
export function unknownOperationFields(operations: unknown): string[] {
  const list = operations as Json;
  if (!isList(list)) return [];
  return list.flatMap((operation, index) =>
    Object.keys(objectOr(operation))
      .filter((name) => !operationFields.has(name))
      .map((name) => `unknown field ${goQuote(`[${index}].${name}`)}`),
  );
}

const operationFields: ReadonlySet<string> = new Set(['op', 'path', 'from', 'value']);

/** Operations of a patch (maxJSONPatchOperations of kube-apiserver). */
const operationsMax = 10_000;

/** What the `copy` operations of a patch may add together, in bytes of JSON (JSONPatchMaxCopyBytes of kube-apiserver). */
const copyBytesMax = 3 * 1024 * 1024;

/** How many items of lists operations may move, at most: as many as with all operations on a list of ten thousand. */
const movedMax = 100_000_000;

/** A list or an object of the document, which belongs to the document alone. */
type Container = Json[] | Record<string, Json>;

/** Where an operation is made. */
interface Place {
  readonly container: Container;
  readonly key: string;
}

class Document {
  root: Json;
  #copiedBytes = 0;
  #moved = 0;

  constructor(root: Json) {
    this.root = structuredClone(root);
  }

  apply(operation: JsonObject): void {
    const path = operation['path'];
    if (typeof path !== 'string') throw patchRefused();
    switch (operation['op']) {
      case 'add':
        this.#add(path, valueOf(operation) ?? null);
        return;
      case 'remove':
        this.#remove(path);
        return;
      case 'replace':
        this.#replace(path, valueOf(operation) ?? null);
        return;
      case 'move':
        this.#move(fromOf(operation), path);
        return;
      case 'copy':
        this.#copy(fromOf(operation), path);
        return;
      case 'test':
        this.#test(path, operation);
        return;
      default:
        throw patchRefused();
    }
  }

  #replace(path: string, value: Json): void {
    if (path !== '') replace(this.#place(path), value);
    else this.root = containerOr(value);
  }

  #move(from: string, path: string): void {
    const place = this.#place(from);
    const value = get(place) ?? null;
    this.#remove(from);
    this.#add(path, value);
  }

  #copy(from: string, path: string): void {
    const value = get(this.#place(from)) ?? null;
    if (isTooDeep(value)) throw patchRefused();
    this.#copiedBytes += Buffer.byteLength(JSON.stringify(value));
    if (this.#copiedBytes > copyBytesMax) throw patchRefused();
    this.#add(path, structuredClone(value));
  }

  #add(path: string, value: Json): void {
    const place = this.#place(path);
    this.#count(place);
    add(place, value);
  }

  #remove(path: string): void {
    const place = this.#place(path);
    this.#count(place);
    remove(place);
  }

  /** What is put into the middle of a list moves all that comes behind it: ten thousand times a million items would take seconds. */
  #count({ container }: Place): void {
    this.#moved += Array.isArray(container) ? container.length : 0;
    if (this.#moved > movedMax) throw patchRefused();
  }

  #test(path: string, operation: JsonObject): void {
    const found = path === '' ? this.root : (get(this.#place(path)) ?? null);
    if (!sameJson(found, member(operation, 'value') ?? null)) throw patchRefused();
  }

  /** Where a pointer leads (RFC 6901). What comes before its first slash does not count. */
  #place(pointer: string): Place {
    const [, ...keys] = pointer.split('/').map(unescaped);
    const key = keys.pop();
    if (key === undefined) throw patchRefused();
    let at: Json | undefined = this.root;
    for (const step of keys) at = get({ container: containerOr(at), key: step });
    return { container: containerOr(at), key };
  }
}

function get({ container, key }: Place): Json | undefined {
  if (!Array.isArray(container)) return member(container, key);
  return container[indexIn(container.length - 1, key)];
}

function add({ container, key }: Place, value: Json): void {
  if (!Array.isArray(container)) put(container, key, value);
  else container.splice(key === '-' ? container.length : indexIn(container.length, key), 0, value);
}

function remove({ container, key }: Place): void {
  if (Array.isArray(container)) container.splice(indexIn(container.length - 1, key), 1);
  else if (!Object.hasOwn(container, key) || !Reflect.deleteProperty(container, key)) throw patchRefused();
}

function replace({ container, key }: Place, value: Json): void {
  if (Array.isArray(container)) container[indexIn(container.length - 1, key)] = value;
  else put(container, key, value);
}

/** An assignment that takes `__proto__` for a name like any other. */
function put(container: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
}

/** A place in a list; negative ones count from behind the last place that there is. */
function indexIn(last: number, text: string): number {
  const index = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  const place = index < 0 ? index + last + 1 : index;
  if (!(place >= 0 && place <= last)) throw patchRefused();
  return place;
}

function containerOr(value: Json | undefined): Container {
  if (!isList(value) && !isObject(value)) throw patchRefused();
  return value as Container;
}

function unescaped(token: string): string {
  return token.replaceAll(/~[01]/g, (escape) => (escape === '~1' ? '/' : '~'));
}

/** The operation's value, for the document to keep: what is patched later is not the patch. */
function valueOf(operation: JsonObject): Json | undefined {
  return structuredClone(member(operation, 'value'));
}

function fromOf(operation: JsonObject): string {
  const from = operation['from'];
  if (typeof from !== 'string') throw patchRefused();
  return from;
}

function readOperations(patch: Json | undefined): readonly JsonObject[] {
  const list = patch ?? [];
  if (!isList(list)) throw undecodable(`json: cannot unmarshal ${jsonType(list)} into Go value of type []handlers.jsonPatchOp`);
  for (const operation of list) {
    const why = whyNoOperation(operation);
    if (why !== undefined) throw undecodable(why);
  }
  if (list.length > operationsMax) {
    const allowed = `The allowed maximum operations in a JSON patch is ${operationsMax}, got ${list.length}`;
    throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${allowed}`);
  }
  return list.map(objectOr);
}

function whyNoOperation(operation: Json): string | undefined {
  if (operation === null) return undefined;
  if (!isObject(operation)) return `json: cannot unmarshal ${jsonType(operation)} into Go value of type handlers.jsonPatchOp`;
  for (const name of ['op', 'path', 'from']) {
    const value = member(operation, name);
    if (typeof value === 'string' || value === undefined || value === null) continue;
    return `json: cannot unmarshal ${jsonType(value)} into Go struct field jsonPatchOp.${name} of type string`;
  }
  return undefined;
}

function undecodable(why: string): StatusError {
  return badRequest(`error decoding patch: ${why}`);
}
