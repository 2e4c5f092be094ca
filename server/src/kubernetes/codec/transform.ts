import type { LeaseObject } from '../lease-object.js';
import type { Transform } from '../negotiate.js';
import type { LeaseList, MetaVersion, PartialObjectMetadata, PartialObjectMetadataList, Table } from '../objects.js';
import { StatusError, type Status } from '../status.js';
import { toPartialMetadata, toPartialMetadataList } from './partial-metadata.js';
import { toTable, type TableOptions } from './table.js';

/** What an answer about leases can be. */
export type LeaseAnswer = LeaseObject | LeaseList | Status;

/** What it can be turned into. */
export type Transformed = LeaseAnswer | Table | PartialObjectMetadata | PartialObjectMetadataList;

/**
 * Turns an answer into the kind that the client has negotiated. A Status stays what it is.
 *
 * @throws StatusError 406 when metadata of a list is asked for of a single lease, or the other way round
 */
export function transform(answer: LeaseAnswer, as: Transform | undefined, options: Omit<TableOptions, 'version'>): Transformed {
  if (as === undefined || answer.kind === 'Status') return answer;
  const version: MetaVersion = as.version === 'v1' ? 'meta.k8s.io/v1' : 'meta.k8s.io/v1beta1';
  if (as.kind === 'Table') return toTable(answer, { ...options, version });
  const isList = answer.kind === 'LeaseList';
  if (isList !== (as.kind === 'PartialObjectMetadataList')) {
    const reality = isList ? 'a list (*coordination.LeaseList)' : 'not a list (*coordination.Lease)';
    throw new StatusError(406, 'NotAcceptable', `you requested ${as.kind}, but the requested object is ${reality}`);
  }
  return isList ? toPartialMetadataList(answer, version) : toPartialMetadata(answer, version);
}
