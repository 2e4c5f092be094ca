import type { LeaseObject, ManagedFieldsEntry } from '../lease-object.js';
import { FieldSet } from './field-set.js';
import {
  identityOf,
  leaseVersion,
  ofThisVersion,
  readManagers,
  secondsOf,
  writeManagers,
  type Manager,
  type Managers,
} from './managers.js';
import { normalForm } from './normal-form.js';
import { transfer, withoutUnowned } from './own-fields.js';
import { rewriteOwn } from './rewrite-own.js';

/** A write that states an object: a creation, an update, a patch that is not applied. */
export interface Update {
  /** The object as it was; absent: this is a creation. */
  readonly before?: LeaseObject | undefined;
  /** The object as it is wanted, with the `managedFields` that came with it, before the server puts in what is its own. */
  readonly after: LeaseObject;
  /** Who writes; see `managerName`. */
  readonly manager: string;
  /** RFC 3339 in UTC, in whole seconds. */
  readonly now: string;
}

/**
 * Who owns which fields after an update: those that got another value belong to the writer alone, those that are gone to nobody.
 * `undefined`: nobody owns any.
 *
 * Writers may state `managedFields` themselves; ones that cannot be read, or none, leave those of the object as it was, and `[]` or
 * `[{}]` ends the tracking of this object until someone applies.
 */
export function trackUpdate({ before, after, manager, now }: Update): readonly ManagedFieldsEntry[] | undefined {
  const rewritten = before === undefined ? undefined : rewriteOwn(before, after, { manager, now });
  if (rewritten !== undefined) return rewritten;
  const managers = statedManagers(before, after);
  if (managers.size === 0 && before !== undefined) return undefined;
  return writeManagers(updateManagers(managers, { before, after, manager, now }));
}

/** The managers after an update, given those before. */
export function updateManagers(managers: Managers, { before, after, manager, now }: Update): Managers {
  const self = { name: manager || 'unknown', operation: 'Update', apiVersion: leaseVersion, subresource: '' } as const;
  const by = identityOf(self);
  const known = ofThisVersion(managers);
  const { others, written, removed } = transfer(known, { before: normalForm(before ?? {}), after: normalForm(after), by });
  const taken = withoutUnowned(written);
  const lost = removed.union(written.difference(taken));
  const own = known.get(by) ?? { ...self, time: undefined, fields: FieldSet.empty };
  const fields = own.fields.difference(lost).union(taken);
  if (!fields.isEmpty) others.set(by, { ...own, time: taken.isEmpty ? own.time : now, fields });
  return withoutAncient(others);
}

function statedManagers(before: LeaseObject | undefined, after: LeaseObject): Managers {
  const entries = after.metadata.managedFields;
  if (entries !== undefined && isReset(entries)) return new Map();
  const stated = readManagers(entries);
  if (stated !== undefined && stated.size > 0) return stated;
  return readManagers(before?.metadata.managedFields) ?? new Map<string, Manager>();
}

function isReset(entries: readonly ManagedFieldsEntry[]): boolean {
  const [first, ...others] = entries;
  return first === undefined || (others.length === 0 && Object.values(first).every((value) => value === null || value === ''));
}

/** Kubernetes keeps this many managers who update (managedfields.DefaultMaxUpdateManagers). */
const updatersMax = 10;

/** Puts those who updated longest ago together, so that there are not more than Kubernetes keeps. */
function withoutAncient(managers: Managers): Managers {
  const updaters = [...managers].filter(([, { operation }]) => operation === 'Update').sort(oldestFirst);
  const surplus = updaters.length - updatersMax;
  if (surplus <= 0) return managers;
  const self = { name: 'ancient-changes', operation: 'Update', apiVersion: leaseVersion, subresource: '' } as const;
  const merged = updaters.slice(0, surplus + 1);
  const bucket = merged
    .map(([, manager]) => manager)
    .reduce((all, { time, fields }) => ({ ...self, time, fields: all.fields.union(fields) }));
  const left = new Map(managers);
  for (const [identity] of merged) left.delete(identity);
  return left.set(identityOf(self), bucket);
}

function oldestFirst([identity, manager]: [string, Manager], [otherIdentity, other]: [string, Manager]): number {
  return secondsOf(manager) - secondsOf(other) || (identity < otherIdentity ? -1 : 1);
}
