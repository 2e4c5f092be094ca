import type { KubernetesPart, KubernetesSpec } from './kubernetes-part.js';
import type { LeaseRecord } from './record.js';

/** A duration that no lease outlives, in milliseconds: Kubernetes' leases without a duration never expire. */
const foreverMs = 1e14;

/**
 * What holds up the deletion of a record: its finalizers, but for the two that Kubernetes' garbage collector takes away when it has seen
 * to whatever belongs to the object. Nothing belongs to a lease.
 */
export function finalizersInTheWay({ finalizers }: Pick<KubernetesPart, 'finalizers'>): readonly string[] {
  return finalizers.filter((finalizer) => finalizer !== 'orphan' && finalizer !== 'foregroundDeletion');
}

/** What the Kubernetes API shows as the spec of a record: what was written through it, or else what the record amounts to. */
export function kubernetesSpec(record: LeaseRecord): KubernetesSpec {
  const written = record.kubernetes?.spec;
  if (written !== undefined) return written;
  if (record.acquireTimeMs === 0) return {};
  return {
    holderIdentity: record.holder,
    leaseDurationSeconds: wholeSeconds(record.durationMs),
    acquireTime: microTime(record.acquireTimeMs),
    renewTime: microTime(record.renewTimeMs),
    leaseTransitions: record.transitions,
  };
}

/** Whether two specs say the same. */
export function sameSpec(left: KubernetesSpec, right: KubernetesSpec): boolean {
  return specFields.every((field) => left[field] === right[field]);
}

/** The part after something else than the Kubernetes API has begun or ended a tenure: the record says it all now. */
export function withoutSpec(part: KubernetesPart | undefined): KubernetesPart | undefined {
  return part?.spec === undefined ? part : { ...part, spec: undefined };
}

/** The part after a renewal that did not come through the Kubernetes API. `durationMs`: if that has grown by it. */
export function withRenewal(
  part: KubernetesPart | undefined,
  renewTimeMs: number,
  durationMs?: number,
): KubernetesPart | undefined {
  if (part?.spec === undefined) return part;
  const grown = durationMs === undefined ? {} : { leaseDurationSeconds: wholeSeconds(durationMs) };
  return { ...part, spec: { ...part.spec, ...grown, renewTime: microTime(renewTimeMs) } };
}

/** How long a lease of this spec stays held without a renewal, in milliseconds. */
export function durationOf(spec: KubernetesSpec): number {
  return spec.leaseDurationSeconds === undefined ? foreverMs : spec.leaseDurationSeconds * 1000;
}

/** Milliseconds since 1970 as Kubernetes writes them. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

/** A duration below a second would be shown as 0, which Kubernetes does not allow. */
function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

const specFields = [
  'holderIdentity',
  'leaseDurationSeconds',
  'acquireTime',
  'renewTime',
  'leaseTransitions',
  'strategy',
  'preferredHolder',
] as const satisfies readonly (keyof KubernetesSpec)[];
