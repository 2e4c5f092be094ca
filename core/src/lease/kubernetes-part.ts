/**
 * What a record keeps for the Kubernetes API: that API has clients write times, durations and counts, and shows them as written.
 */
export interface KubernetesPart {
  /** The spec as it was written last; `undefined` once something else than the Kubernetes API has changed hands of the lease. */
  readonly spec: KubernetesSpec | undefined;
  readonly generateName: string;
  /** As whoever created the object has set it; absent: they have not. Nothing is counted by it. */
  readonly generation?: number;
  readonly ownerReferences: readonly unknown[];
  /** While there are any, a deletion only marks the record. */
  readonly finalizers: readonly string[];
  readonly managedFields: readonly unknown[];
  /** Wall clock of the deletion that waits for the finalizers; `undefined`: there is none. */
  readonly deletionTimeMs: number | undefined;
}

/** `spec` of a Lease of coordination.k8s.io/v1. Times are RFC 3339 in UTC with six digits of a second. */
export interface KubernetesSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
  readonly strategy?: string;
  readonly preferredHolder?: string;
}
