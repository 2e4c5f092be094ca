import { coreGroup, groups, type Group, type Resource } from './resources.js';

/** The documents of discovery as they were before there were aggregated ones: a small one for every path. */

/** `/apis` (meta/v1 APIGroupList). */
export function groupList(): object {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(describeGroup) };
}

/** `/apis/GROUP` (meta/v1 APIGroup). */
export function groupDocument(group: Group): object {
  return { kind: 'APIGroup', apiVersion: 'v1', ...describeGroup(group) };
}

/** `/apis/GROUP/v1` and `/api/v1` (meta/v1 APIResourceList). Of the core group it has no apiVersion. */
export function resourceList(group: Group): object {
  return {
    kind: 'APIResourceList',
    ...(group === coreGroup ? {} : { apiVersion: 'v1' }),
    groupVersion: groupVersionOf(group),
    resources: group.resources.map(describeResource),
  };
}

/** `/api` (meta/v1 APIVersions). @param address where the client reached this server. */
export function coreVersions(address: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  };
}

/** `/api` or `/apis` with all there is below it in one answer (apidiscovery.k8s.io/v2 APIGroupDiscoveryList). */
export function aggregated(described: readonly Group[]): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: described.map(({ name, resources }) => ({
      metadata: name === '' ? {} : { name },
      versions: [{ version: 'v1', resources: resources.map(describeAggregated), freshness: 'Current' }],
    })),
  };
}

/** What an aggregated document is called in `Accept` and `Content-Type`. */
export const aggregatedType = { group: 'apidiscovery.k8s.io', version: 'v2', kind: 'APIGroupDiscoveryList' } as const;

/** `GROUP/v1`, or `v1` for the core group. */
export function groupVersionOf({ name }: Group): string {
  return name === '' ? 'v1' : `${name}/v1`;
}

function describeGroup(group: Group): object {
  const version = { groupVersion: groupVersionOf(group), version: 'v1' };
  return { name: group.name, versions: [version], preferredVersion: version };
}

function describeResource({ name, singularName, namespaced, kind, verbs, ...rest }: Resource): object {
  return { name, singularName, namespaced, kind, verbs, ...rest };
}

function describeAggregated({ name, singularName, namespaced, kind, verbs, shortNames }: Resource): object {
  return {
    resource: name,
    // Empty where they are those of the resource.
    responseKind: { group: '', version: '', kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singularName,
    verbs,
    ...(shortNames === undefined ? {} : { shortNames }),
  };
}
