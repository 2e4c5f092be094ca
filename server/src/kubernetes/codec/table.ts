import type { LeaseObject } from '../lease-object.js';
import type { LeaseList, ListMeta, MetaVersion, Table, TableColumn, TableRow } from '../objects.js';
import { badRequest } from '../status.js';
import { goQuote } from './go-quote.js';
import { humanDuration } from './human-duration.js';
import { toPartialMetadata } from './partial-metadata.js';

/** What a row of a table carries of its object besides the cells. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions {
  readonly version: MetaVersion;
  readonly includeObject: IncludeObject;
  /** Wall clock: ages count from here. */
  readonly nowMs: number;
  /** Of a watch only the first table has the columns. */
  readonly withColumns: boolean;
}

/** Leases as lines for people. */
export function toTable(object: LeaseObject | LeaseList, options: TableOptions): Table {
  const leases = object.kind === 'LeaseList' ? object.items : [object];
  return {
    kind: 'Table',
    apiVersion: options.version,
    metadata: listMetaOf(object),
    columnDefinitions: options.withColumns ? columns : null,
    rows: leases.map((lease) => toRow(lease, options)),
  };
}

/**
 * Reads the query parameter of that name; without one, rows carry metadata.
 *
 * @throws StatusError 400
 */
export function parseIncludeObject(text: string | null): IncludeObject {
  if (text === null || text === '') return 'Metadata';
  if (text === 'None' || text === 'Metadata' || text === 'Object') return text;
  const rule = `must be 'Metadata', 'Object', 'None', or empty`;
  throw badRequest(`Unable to convert to Table as requested: includeObject: Invalid value: ${goQuote(text)}: ${rule}`);
}

function listMetaOf(object: LeaseObject | LeaseList): ListMeta {
  if (object.kind === 'LeaseList') return object.metadata;
  const { resourceVersion } = object.metadata;
  return resourceVersion === undefined ? {} : { resourceVersion };
}

function toRow(lease: LeaseObject, { version, includeObject, nowMs }: TableOptions): TableRow {
  const { metadata, spec } = lease;
  const created = metadata.creationTimestamp;
  const age = created === undefined ? '<unknown>' : humanDuration(nowMs - Date.parse(created));
  return { cells: [metadata.name ?? '', spec?.holderIdentity ?? '', age], object: objectOf(lease, includeObject, version) };
}

function objectOf(lease: LeaseObject, includeObject: IncludeObject, version: MetaVersion): TableRow['object'] {
  if (includeObject === 'None') return null;
  return includeObject === 'Object' ? lease : toPartialMetadata(lease, version);
}

const columns: readonly TableColumn[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'What the lease is called in its namespace.', priority: 0 },
  { name: 'Holder', type: 'string', format: '', description: 'Who holds the lease, or held it last.', priority: 0 },
  { name: 'Age', type: 'string', format: '', description: 'How long ago the lease was created.', priority: 0 },
];
