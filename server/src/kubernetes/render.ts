import { encode, type AnyObject } from './codec/encode.js';
import { parseIncludeObject, type IncludeObject } from './codec/table.js';
import type { ObjectMeta } from './lease-object.js';
import { negotiate, negotiateList, type Transform } from './negotiate.js';
import type { ListMeta, TableColumn } from './objects.js';
import type { ApiAnswer, ApiRequest } from './request.js';
import { StatusError } from './status.js';

/** Answers with an object in the format that the client has asked for. @throws {StatusError} 406 */
export function render(request: ApiRequest, code: number, object: AnyObject): ApiAnswer {
  return {
    code,
    ...encode(
      object,
      negotiate(request, () => false),
    ),
  };
}

/** How objects of a kind become lines for people. */
export interface Lines<T> {
  readonly columns: readonly TableColumn[];
  readonly cells: (object: T) => readonly string[];
}

interface Item extends AnyObject {
  readonly metadata: ObjectMeta;
}

interface ItemList<T> extends AnyObject {
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}

/** Answers with an object or a list in the format and the form that the client has asked for. @throws {StatusError} 406 */
export function renderAs<T extends Item>(request: ApiRequest, code: number, answer: T | ItemList<T>, lines: Lines<T>): ApiAnswer {
  const { as, ...representation } = 'items' in answer ? negotiateList(request) : negotiate(request);
  const includeObject = as?.kind === 'Table' ? parseIncludeObject(request.query.get('includeObject')) : 'None';
  return { code, ...encode(transformAs(answer, lines, as, { includeObject, withColumns: true }), representation) };
}

/** Turns an object or a list into the kind that the client has negotiated. @throws {StatusError} 406 */
export function transformAs<T extends Item>(
  answer: T | ItemList<T>,
  lines: Lines<T>,
  as: Transform | undefined,
  options: TableForm,
): AnyObject {
  if (as === undefined) return 'items' in answer ? withoutKinds(answer) : answer;
  return as.kind === 'Table' ? toTable(answer, lines, as, options) : toPartial(answer, as);
}

interface TableForm {
  readonly includeObject: IncludeObject;
  /** Of a watch only the first table has the columns. */
  readonly withColumns: boolean;
}

/** In a list, the kind of its items stands with the list. */
function withoutKinds<T extends Item>(list: ItemList<T>): AnyObject {
  const items = list.items.map(({ apiVersion, kind, ...rest }) => rest);
  return { ...list, items } as AnyObject;
}

function toTable<T extends Item>(
  answer: T | ItemList<T>,
  { columns, cells }: Lines<T>,
  as: Transform,
  { includeObject, withColumns }: TableForm,
): AnyObject {
  const items = 'items' in answer ? answer.items : [answer];
  const rows = items.map((item) => ({
    cells: cells(item),
    object: includeObject === 'None' ? null : includeObject === 'Object' ? item : partialOf(item, as),
  }));
  const { resourceVersion } = answer.metadata;
  const metadata = 'items' in answer ? answer.metadata : resourceVersion === undefined ? {} : { resourceVersion };
  const columnDefinitions = withColumns ? columns : null;
  return { kind: 'Table', apiVersion: versionOf(as), metadata, columnDefinitions, rows } as AnyObject;
}

function toPartial<T extends Item>(answer: T | ItemList<T>, as: Transform): AnyObject {
  const isList = 'items' in answer;
  if (isList !== (as.kind === 'PartialObjectMetadataList')) {
    const reality = isList ? 'a list' : 'not a list';
    throw new StatusError(406, 'NotAcceptable', `you requested ${as.kind}, but the requested object is ${reality}`);
  }
  if (!isList) {
    return partialOf(answer, as);
  }
  const items = answer.items.map((item) => partialOf(item, as));
  return { kind: as.kind, apiVersion: versionOf(as), metadata: answer.metadata, items } as AnyObject;
}

function partialOf({ metadata }: Item, as: Transform): AnyObject {
  return { kind: 'PartialObjectMetadata', apiVersion: versionOf(as), metadata } as AnyObject;
}

function versionOf({ group, version }: Transform): string {
  return `${group}/${version}`;
}
