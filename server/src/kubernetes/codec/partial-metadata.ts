import type { LeaseObject } from '../lease-object.js';
import type { LeaseList, MetaVersion, PartialObjectMetadata, PartialObjectMetadataList } from '../objects.js';

/** A lease without its spec. */
export function toPartialMetadata({ metadata }: LeaseObject, version: MetaVersion): PartialObjectMetadata {
  return { kind: 'PartialObjectMetadata', apiVersion: version, metadata };
}

export function toPartialMetadataList({ metadata, items }: LeaseList, version: MetaVersion): PartialObjectMetadataList {
  return {
    kind: 'PartialObjectMetadataList',
    apiVersion: version,
    metadata,
    items: items.map((item) => toPartialMetadata(item, version)),
  };
}
