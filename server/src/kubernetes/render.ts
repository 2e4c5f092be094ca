import { encode, type AnyObject } from './codec/encode.js';
import { parseIncludeObject, type IncludeObject } from './codec/table.js';
import type { ObjectMeta } from './lease-object.js';
import { negotiate, type Transform } from './negotiate.js';
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
  const { as, ...representation } = negotiate(request);
  if (as === undefined) {
    return { code, ...encode('items' in answer ? withoutKinds(answer) : answer, representation) };
  }
  const transformed =
    as.kind === 'Table'
      ? toTable(answer, lines, { as, include: parseIncludeObject(request.query.get('includeObject')) })
      : toPartial(answer, as);
  return { code, ...encode(transformed, representation) };
}

/** In a list, the kind of its items stands with the list. */
function withoutKinds<T extends Item>(list: ItemList<T>): AnyObject {
  const items = list.items.map(({ apiVersion, kind, ...rest }) => rest);
  return { ...list, items } as AnyObject;
}

function toTable<T extends Item>(
  answer: T | ItemList<T>,
  { columns, cells }: Lines<T>,
  { as, include }: { as: Transform; include: IncludeObject },
): AnyObject {
  const items = 'items' in answer ? answer.items : [answer];
  const rows = items.map((item) => ({
    cells: cells(item),
    object: include === 'None' ? null : include === 'Object' ? item : partialOf(item, as),
  }));
  const metadata = 'items' in answer ? answer.metadata : {};
  return { kind: 'Table', apiVersion: versionOf(as), metadata, columnDefinitions: columns, rows } as AnyObject;
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
