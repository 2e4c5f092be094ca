import { isList, isObject, member, type Json, type JsonObject } from '../json.js';
import type { LeaseObject } from '../lease-object.js';
import { badRequest } from '../status.js';
import { jsonType } from '../go-types.js';

/**
 * The object after a merge patch (RFC 7396). What comes out may be anything: read it as a lease before use.
 *
 * @param patch as parsed.
 * @throws {StatusError} 400: it is no object.
 */
export function applyMergePatch(object: LeaseObject, patch: unknown): Json {
  const changes = patch as Json;
  if (changes === null) throw badRequest('Invalid JSON Patch');
  if (!isObject(changes)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${jsonType(changes)} into Go value of type map[string]interface {}`,
    );
  }
  return mergedObject(object as unknown as JsonObject, changes);
}

function mergedObject(object: JsonObject, patch: JsonObject): JsonObject {
  const kept = Object.entries(object).filter(([key]) => !Object.hasOwn(patch, key));
  const changed = Object.entries(patch)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => [key, merged(member(object, key), value)] as const);
  return Object.fromEntries([...kept, ...changed]);
}

function merged(value: Json | undefined, patch: Json): Json {
  if (!isObject(value)) return withoutNulls(patch);
  return isObject(patch) ? mergedObject(value, patch) : patch;
}

/** What is new has nothing to delete. */
function withoutNulls(value: Json): Json {
  if (isList(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(entries.map(([key, field]) => [key, withoutNulls(field)]));
}
