import { LeaseError, type LeaseCoordinator, type LeaseRecord } from '@leasehold/core';
import type { ListMeta } from '../objects.js';
import type { LeaseTarget } from '../request.js';
import { readContinue, writeContinue } from '../selection/continue-token.js';
import type { ListOptions } from '../selection/list-options.js';
import { selects } from '../selection/selection.js';
import { badRequest, StatusError } from '../status.js';
import { awaitVersion, badQueriedVersion, parseVersion } from '../versions.js';
import { recordsIn, scopeOf, type Scope } from './scope.js';

/** The leases of a list, or of a page of one, and what the list says of itself. */
export interface LeasePage {
  readonly records: readonly LeaseRecord[];
  readonly metadata: ListMeta;
}

/**
 * Reads what a list asks for: of now, or of an earlier resource version. All pages of a list are of the version of the first one, so
 * that together they are one consistent list.
 *
 * @throws {StatusError} 400; 410: it is not known any more what there was; 504: the resource version is in the future.
 * @throws {LeaseError} there is nothing to read from.
 */
export async function readList(coordinator: LeaseCoordinator, target: LeaseTarget, options: ListOptions): Promise<LeasePage> {
  const scope = scopeOf(target, options.selection);
  const place = placeOf(scope, options);
  await awaitVersion(coordinator, place.atLeast);
  try {
    return takePage(await readAll(coordinator, scope, place), place, options);
  } catch (error) {
    throw isGone(error) ? expired(place) : error;
  }
}

/** Where a list is read. */
interface Place {
  /** `undefined`: the newest one, */
  readonly revision: bigint | undefined;
  /** but none older than this. */
  readonly atLeast: bigint;
  /** After which key a page begins; empty: it is the first one. */
  readonly after: string;
}

function placeOf({ isSingle }: Scope, options: ListOptions): Place {
  const { resourceVersion, resourceVersionMatch, limit, continueAt } = options;
  if (continueAt !== '' && !isSingle) {
    const { revision, after } = readContinue(continueAt);
    if (resourceVersion !== '' && resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    return { revision, atLeast: revision ?? 0n, after };
  }
  const version = parseListVersion(resourceVersion);
  // Pages of a version are of that very version, whether they say so or not.
  const isExact = resourceVersionMatch === 'Exact' || (resourceVersionMatch === '' && limit !== undefined && !isSingle);
  return { revision: isExact && version > 0n ? version : undefined, atLeast: version, after: '' };
}

/** The resource version of a list's query: 0 if none is asked for. @throws {StatusError} 400 */
export function parseListVersion(text: string): bigint {
  if (text === '') return 0n;
  return parseVersion(text, (why) => badRequest(`invalid resource version: ${badQueriedVersion(text, why)}`));
}

/** The leases of a scope at a revision, each with its key in the list. */
interface Listed {
  readonly revision: bigint;
  readonly entries: readonly { readonly key: string; readonly record: LeaseRecord }[];
}

async function readAll(coordinator: LeaseCoordinator, scope: Scope, { revision }: Place): Promise<Listed> {
  const withKeys = (records: readonly LeaseRecord[]): Listed['entries'] =>
    records.map((record) => ({ key: scope.namespace === '' ? `${record.namespace}/${record.name}` : record.name, record }));
  if (revision === undefined) {
    return { revision: coordinator.revision, entries: withKeys(recordsIn(scope, coordinator)) };
  }
  const records = await coordinator.recordsAt(scope.namespace, revision);
  return { revision, entries: withKeys(scope.isSingle ? records.filter(({ name }) => name === scope.name) : records) };
}

function takePage({ revision, entries }: Listed, { after }: Place, options: ListOptions): LeasePage {
  const { selection, resourceVersion } = options;
  // Whoever is content with any version gets all of it, as from kube-apiserver's cache.
  const limit = resourceVersion === '0' ? undefined : options.limit;
  const rest = after === '' ? entries : entries.filter(({ key }) => key > after);
  const records: LeaseRecord[] = [];
  let last = '';
  for (const { key, record } of rest) {
    if (records.length === limit) {
      const remaining = selection.isEverything ? { remainingItemCount: rest.length - limit } : {};
      return {
        records,
        metadata: { resourceVersion: String(revision), continue: writeContinue({ revision, after: last }), ...remaining },
      };
    }
    if (selects(selection, record)) {
      records.push(record);
      last = key;
    }
  }
  return { records, metadata: { resourceVersion: String(revision) } };
}

function isGone(error: unknown): boolean {
  return error instanceof LeaseError && (error.reason === 'REVISION_COMPACTED' || error.reason === 'REVISION_UNKNOWN');
}

/** 410; for a page with a token to go on with all the same: with the rest of the list as it is now. */
function expired({ after }: Place): StatusError {
  if (after === '') return new StatusError(410, 'Expired', 'The resourceVersion for the provided list is too old.');
  const message =
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
    'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
    'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted ' +
    'between the time the first chunk was returned and now may show up in the list.';
  return new StatusError(410, 'Expired', message, { continue: writeContinue({ revision: undefined, after }) });
}
