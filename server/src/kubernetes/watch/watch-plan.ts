import { randomInt } from 'node:crypto';
import { parseIncludeObject } from '../codec/table.js';
import { scopeOf, type Scope } from '../list/scope.js';
import { negotiateWatch } from '../negotiate.js';
import { readSwitch } from '../query.js';
import type { ApiRequest, LeaseTarget } from '../request.js';
import { checkListOptions, checkWatchOptions, readListOptions, type ListOptions } from '../selection/list-options.js';
import type { SelectableFields } from '../selection/field-selector.js';
import type { Selection } from '../selection/selection.js';
import { queriedVersion } from '../versions.js';
import type { EventForm } from './event-encoder.js';

/** What a watch is to do. */
export interface WatchPlan {
  readonly scope: Scope;
  readonly selection: Selection;
  readonly form: Omit<EventForm, 'framed'>;
  /** The last version that the client has seen; 0: none. */
  readonly version: bigint;
  /** Whether it begins with what there is: of that version or a later one. */
  readonly beginsWithAll: boolean;
  readonly bookmarks: boolean;
  /** Whether a bookmark says where that ends. */
  readonly marksEndOfAll: boolean;
  /** Not above 0: it is over before it has begun. */
  readonly timeoutMs: number;
}

/**
 * Reads what a watch is asked for.
 *
 * @param selectable what fields select by, where it is not leases.
 * @throws {StatusError} 400, 406, 422, 500
 */
export function planWatch(request: ApiRequest, target: LeaseTarget, selectable?: SelectableFields): WatchPlan {
  const { query } = request;
  const { format, as } = negotiateWatch(request);
  const options = readOptions(query, selectable);
  const scope = scopeOf(target, options.selection);
  const version = queriedVersion(options.resourceVersion);
  return {
    scope,
    selection: options.selection,
    form: { format, as, includeObject: as?.kind === 'Table' ? parseIncludeObject(query.get('includeObject')) : 'Metadata' },
    version,
    beginsWithAll: options.sendInitialEvents ?? version === 0n,
    bookmarks: options.allowWatchBookmarks,
    // Watches by their path alone are from before there were such bookmarks.
    marksEndOfAll: options.allowWatchBookmarks && (options.sendInitialEvents ?? readSwitch(query, 'watch') === true),
    timeoutMs: timeoutMs(options.timeoutSeconds),
  };
}

/** kube-apiserver takes a watch for one by its query; by its path alone, the rules are those of a list. */
function readOptions(query: URLSearchParams, selectable: SelectableFields | undefined): ListOptions {
  const options = readListOptions(query, selectable);
  const check = readSwitch(query, 'watch') === true ? checkWatchOptions : checkListOptions;
  check(options);
  return options;
}

/** Those that say nothing end after half an hour to an hour, by chance: so that not all of them come again at once. */
function timeoutMs(seconds = 0): number {
  return seconds === 0 ? randomInt(timeoutMsMin, 2 * timeoutMsMin) : seconds * 1000;
}

/** As kube-apiserver has it (--min-request-timeout). */
const timeoutMsMin = 1_800_000;
