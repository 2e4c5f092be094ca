import { LeaseState, type Lease } from '@leasehold/proto/leasehold/v1/lease';
import type { Shown } from './history.js';
import type { KubeLease } from './kube-client.js';

/** A lease as gRPC shows it. */
export function ofGrpc(lease: Lease): Shown {
  const state = states[lease.state as keyof typeof states];
  return {
    ...{ uid: lease.uid, version: lease.resourceVersion, state, holder: state === 'HELD' ? lease.holder : '' },
    ...{ token: lease.fencingToken, labels: lease.labels, specHolder: undefined, revoking: lease.revoking },
  };
}

/** A lease as the Kubernetes API shows it. */
export function ofKubernetes({ metadata, spec }: KubeLease): Shown {
  const { uid, resourceVersion, labels = {}, annotations = {} } = metadata;
  const state = annotations['leasehold.dev/state'] as Shown['state'];
  const specHolder = spec.holderIdentity ?? '';
  return {
    ...{ uid, version: BigInt(resourceVersion), state, holder: state === 'HELD' ? specHolder : '' },
    ...{ token: BigInt(annotations['leasehold.dev/token'] ?? -1), labels, specHolder, revoking: undefined },
  };
}

const states = {
  [LeaseState.AVAILABLE]: 'AVAILABLE',
  [LeaseState.HELD]: 'HELD',
  [LeaseState.EXPIRED]: 'EXPIRED',
} as const;
