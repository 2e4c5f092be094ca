import { goQuote } from '../codec/go-quote.js';
import { StatusError, type StatusCause } from '../status.js';
import type { FieldSet } from './field-set.js';
import type { Manager, Managers } from './managers.js';
import { showPath } from './path-element.js';

/**
 * Refuses what takes fields from others, who have given them another value.
 *
 * @param taken the fields by the identity of their manager.
 * @param free fields that may be taken from anyone.
 * @throws {StatusError} 409, with every field and its manager.
 */
export function refuseConflicts(managers: Managers, taken: ReadonlyMap<string, FieldSet>, free: FieldSet): void {
  const conflicts: Conflict[] = [];
  for (const [identity, manager] of [...managers].sort(byIdentity)) {
    const paths = taken.get(identity)?.difference(free).paths() ?? [];
    if (paths.length > 0) conflicts.push({ owner: showManager(manager), paths: paths.map(showPath) });
  }
  if (conflicts.length === 0) return;
  const causes = conflicts.flatMap(({ owner, paths }) => paths.map((path) => conflictCause(owner, path)));
  throw new StatusError(409, 'Conflict', messageOf(conflicts), { details: { causes } });
}

interface Conflict {
  readonly owner: string;
  readonly paths: readonly string[];
}

function conflictCause(owner: string, field: string): StatusCause {
  return { reason: 'FieldManagerConflict', message: `conflict with ${owner}`, field };
}

function messageOf(conflicts: readonly Conflict[]): string {
  const count = conflicts.reduce((sum, { paths }) => sum + paths.length, 0);
  const [first] = conflicts;
  if (count === 1 && first !== undefined)
    return `Apply failed with 1 conflict: conflict with ${first.owner}: ${first.paths.join('')}`;
  const lines = conflicts.flatMap(({ owner, paths }) => [`conflicts with ${owner}:`, ...paths.map((path) => `- ${path}`)]);
  return `Apply failed with ${count} conflicts: ${lines.join('\n')}`;
}

function showManager({ name, operation, apiVersion, subresource }: Manager): string {
  const where = subresource === '' ? '' : ` with subresource ${goQuote(subresource)}`;
  return `${goQuote(name)}${where}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
}

function byIdentity([left]: [string, Manager], [right]: [string, Manager]): number {
  return left < right ? -1 : 1;
}
