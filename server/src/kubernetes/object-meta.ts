import { isHollow, type Json } from './json.js';
import type { ObjectMeta } from './lease-object.js';

/** Metadata of which parts may be missing. */
export type LooseMeta = { readonly [Name in keyof ObjectMeta]: ObjectMeta[Name] | undefined };

/** Metadata without what is missing, and without texts, maps and lists that have nothing in them. */
export function withoutNothing(metadata: LooseMeta): ObjectMeta {
  const kept: Record<string, unknown> = {};
  for (const name of Object.keys(metadata) as (keyof ObjectMeta)[]) {
    const value = metadata[name];
    if (value !== undefined && value !== '' && (typeof value !== 'object' || !isHollow(value as Json))) kept[name] = value;
  }
  return kept;
}
