import { readInteger, readSwitch } from '../query.js';
import type { SelectableFields } from './field-selector.js';
import { objectInvalid } from '../status.js';
import { forbidden, notSupported, type Cause } from '../validation/causes.js';
import { readSelection, type Selection } from './selection.js';

/** What a list or a watch is asked for (meta/v1 ListOptions). */
export interface ListOptions {
  readonly selection: Selection;
  /** As it was sent; empty: the newest. */
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  /** At most so many; `undefined`: all. */
  readonly limit: number | undefined;
  /** Where a page before has ended. */
  readonly continueAt: string;
  readonly timeoutSeconds: number | undefined;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
}

/** Reads the options out of a query. @param selectable what fields select by, where it is not leases. @throws {StatusError} 400 */
export function readListOptions(query: URLSearchParams, selectable?: SelectableFields): ListOptions {
  const timeoutSeconds = readInteger(query, 'timeoutSeconds');
  const limit = readInteger(query, 'limit') ?? 0;
  return {
    selection: readSelection(query, selectable),
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    limit: limit > 0 ? limit : undefined,
    continueAt: query.get('continue') ?? '',
    timeoutSeconds,
    allowWatchBookmarks: readSwitch(query, 'allowWatchBookmarks') ?? false,
    sendInitialEvents: readSwitch(query, 'sendInitialEvents'),
  };
}

/** Checks what a list may be asked for. @throws {StatusError} 422 */
export function checkListOptions({ resourceVersion, continueAt, sendInitialEvents, ...options }: ListOptions): void {
  const match = options.resourceVersionMatch;
  const causes: Cause[] = [];
  if (match !== '') {
    if (resourceVersion === '')
      causes.push(forbidden(matchField, `${matchField} is forbidden unless resourceVersion is provided`));
    if (continueAt !== '') causes.push(forbiddenWithContinue);
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      causes.push(notSupported(matchField, match, ['Exact', 'NotOlderThan', '']));
    }
    if (match === 'Exact' && resourceVersion === '0') {
      causes.push(forbidden(matchField, `${matchField} "exact" is forbidden for resourceVersion "0"`));
    }
  }
  if (sendInitialEvents !== undefined) {
    causes.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  refuse(causes);
}

/** Checks what a watch may be asked for. @throws {StatusError} 422 */
export function checkWatchOptions(options: ListOptions): void {
  const { continueAt, sendInitialEvents, resourceVersionMatch: match } = options;
  const causes: Cause[] = [];
  // Whoever says nothing of versions is taken to ask for what there is, with a match.
  if (match === '' && beginsWithAll(options) && sendInitialEvents === undefined && continueAt !== '') {
    causes.push(forbiddenWithContinue);
  }
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    causes.push(forbidden(matchField, `sendInitialEvents requires setting ${matchField} to NotOlderThan`));
  }
  if (match !== '') {
    if (sendInitialEvents === undefined) {
      causes.push(forbidden(matchField, `${matchField} is forbidden for watch unless sendInitialEvents is provided`));
    }
    if (match !== 'NotOlderThan') causes.push(notSupported(matchField, match, ['NotOlderThan']));
    if (continueAt !== '') causes.push(forbiddenWithContinue);
  }
  refuse(causes);
}

/** Whether a watch begins with what there is. */
function beginsWithAll({ sendInitialEvents, resourceVersion }: ListOptions): boolean {
  return sendInitialEvents ?? (resourceVersion === '' || resourceVersion === '0');
}

const matchField = 'resourceVersionMatch';
const forbiddenWithContinue = forbidden(matchField, `${matchField} is forbidden when continue is provided`);

function refuse(causes: readonly Cause[]): void {
  if (causes.length > 0) throw objectInvalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', causes);
}
