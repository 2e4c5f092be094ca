import type { ObjectMeta } from './lease-object.js';

/** Metadata of which parts may be missing. */
export type LooseMeta = { readonly [Name in keyof ObjectMeta]: ObjectMeta[Name] | undefined };

/** Metadata without what is missing, and without texts, maps and lists that have nothing in them. */
export function withoutNothing(metadata: LooseMeta): ObjectMeta {
  const entries = Object.entries(metadata).filter(([, value]) => {
    if (value === undefined || value === '') return false;
    return typeof value !== 'object' || Object.keys(value).length > 0;
  });
  return Object.fromEntries(entries);
}
