import type { KubernetesSpec } from '@leasehold/core';
import type { LeaseObject, ManagedFieldsEntry, ObjectMeta, OwnerReference } from '../lease-object.js';
import type {
  DeleteOptions,
  LeaseList,
  ListMeta,
  NamespaceList,
  NamespaceObject,
  NonResourceRule,
  PartialObjectMetadata,
  PartialObjectMetadataList,
  ResourceAttributes,
  ResourceRule,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  UserInfo,
} from '../objects.js';
import type { Status, StatusCause, StatusDetails } from '../status.js';
import {
  bool,
  evenEmpty,
  fieldTree,
  int32,
  int64,
  kept,
  list,
  microTime,
  object,
  pointer,
  stringMap,
  struct,
  text,
  textOf,
  time,
  value,
  type Struct,
} from './schema.js';

/** Names and numbers are those of the published `generated.proto` files of k8s.io/api and k8s.io/apimachinery. */

/** A kind of objects: what it is called, and what it is made of. `T`: what an object of it looks like here. */
export interface Kind<T> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly shape: Struct;
  /** Only the type counts. */
  readonly example?: T;
}

/** What an object has besides its kind and version. */
type Members<T> = Exclude<keyof T, 'apiVersion' | 'kind'>;

const ownerReference = struct<keyof OwnerReference>('OwnerReference', {
  kind: kept(1, text),
  name: kept(3, text),
  uid: kept(4, textOf('types.UID')),
  apiVersion: kept(5, text),
  controller: pointer(6, bool),
  blockOwnerDeletion: pointer(7, bool),
});

const managedFieldsEntry = struct<keyof ManagedFieldsEntry>('ManagedFieldsEntry', {
  manager: value(1, text),
  operation: value(2, textOf('v1.ManagedFieldsOperationType')),
  apiVersion: value(3, text),
  time: pointer(4, time),
  fieldsType: value(6, text),
  fieldsV1: pointer(7, fieldTree),
  subresource: value(8, text),
});

const objectMeta = struct<keyof ObjectMeta>('ObjectMeta', {
  name: value(1, text),
  generateName: value(2, text),
  namespace: value(3, text),
  selfLink: value(4, text),
  uid: value(5, textOf('types.UID')),
  resourceVersion: value(6, text),
  generation: value(7, int64),
  creationTimestamp: value(8, time),
  deletionTimestamp: pointer(9, time),
  deletionGracePeriodSeconds: pointer(10, int64),
  labels: value(11, stringMap),
  annotations: value(12, stringMap),
  ownerReferences: value(13, list(ownerReference)),
  finalizers: value(14, list(text)),
  managedFields: evenEmpty(17, list(managedFieldsEntry)),
});

const listMeta = struct<keyof ListMeta | 'selfLink'>('ListMeta', {
  selfLink: value(1, text),
  resourceVersion: value(2, text),
  continue: value(3, text),
  remainingItemCount: pointer(4, int64),
});

const leaseSpec = struct<keyof KubernetesSpec>('LeaseSpec', {
  holderIdentity: pointer(1, text),
  leaseDurationSeconds: pointer(2, int32),
  acquireTime: pointer(3, microTime),
  renewTime: pointer(4, microTime),
  leaseTransitions: pointer(5, int32),
  strategy: pointer(6, textOf('v1.CoordinatedLeaseStrategy')),
  preferredHolder: pointer(7, text),
});

export const leaseKind: Kind<LeaseObject> = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  shape: object<Members<LeaseObject>>('Lease', { metadata: kept(1, objectMeta), spec: kept(2, leaseSpec) }),
};

const leaseListKind: Kind<LeaseList> = listOf(leaseKind);

export const deleteOptionsKind: Kind<DeleteOptions> = {
  apiVersion: 'v1',
  kind: 'DeleteOptions',
  shape: object<keyof DeleteOptions>('DeleteOptions', {
    gracePeriodSeconds: pointer(1, int64),
    preconditions: pointer(
      2,
      struct<'uid' | 'resourceVersion'>('Preconditions', {
        uid: pointer(1, textOf('types.UID')),
        resourceVersion: pointer(2, text),
      }),
    ),
    orphanDependents: pointer(3, bool),
    propagationPolicy: pointer(4, textOf('v1.DeletionPropagation')),
    dryRun: value(5, list(text)),
    ignoreStoreReadErrorWithClusterBreakingPotential: pointer(6, bool),
  }),
};

const statusDetails = struct<keyof StatusDetails>('StatusDetails', {
  name: value(1, text),
  group: value(2, text),
  kind: value(3, text),
  causes: value(
    4,
    list(
      struct<keyof StatusCause>('StatusCause', {
        reason: value(1, textOf('v1.CauseType')),
        message: value(2, text),
        field: value(3, text),
      }),
    ),
  ),
  retryAfterSeconds: value(5, int32),
  uid: value(6, textOf('types.UID')),
});

const statusKind: Kind<Status> = {
  apiVersion: 'v1',
  kind: 'Status',
  shape: object<Members<Status>>('Status', {
    metadata: kept(1, listMeta),
    status: value(2, text),
    message: value(3, text),
    reason: value(4, textOf('v1.StatusReason')),
    details: pointer(5, statusDetails),
    code: value(6, int32),
  }),
};

const partialShape = object<Members<PartialObjectMetadata>>('PartialObjectMetadata', { metadata: kept(1, objectMeta) });
const partialKind: Kind<PartialObjectMetadata> = {
  apiVersion: 'meta.k8s.io/v1',
  kind: 'PartialObjectMetadata',
  shape: partialShape,
};
const partialListKind: Kind<PartialObjectMetadataList> = listOf(partialKind);

export const namespaceKind: Kind<NamespaceObject> = {
  apiVersion: 'v1',
  kind: 'Namespace',
  shape: object<Members<NamespaceObject>>('Namespace', {
    metadata: kept(1, objectMeta),
    spec: kept(2, struct<'finalizers'>('NamespaceSpec', { finalizers: value(1, list(textOf('v1.FinalizerName'))) })),
    status: kept(3, struct<'phase'>('NamespaceStatus', { phase: value(1, textOf('v1.NamespacePhase')) })),
  }),
};
const namespaceListKind: Kind<NamespaceList> = listOf(namespaceKind);

const resourceAttributes = struct<keyof ResourceAttributes>('ResourceAttributes', {
  namespace: value(1, text),
  verb: value(2, text),
  group: value(3, text),
  version: value(4, text),
  resource: value(5, text),
  subresource: value(6, text),
  name: value(7, text),
});

export const accessReviewKind: Kind<SelfSubjectAccessReview> = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SelfSubjectAccessReview',
  shape: object<Members<SelfSubjectAccessReview>>('SelfSubjectAccessReview', {
    metadata: kept(1, objectMeta),
    spec: kept(
      2,
      struct<keyof SelfSubjectAccessReview['spec']>('SelfSubjectAccessReviewSpec', {
        resourceAttributes: pointer(1, resourceAttributes),
        nonResourceAttributes: pointer(
          2,
          struct<'path' | 'verb'>('NonResourceAttributes', { path: value(1, text), verb: value(2, text) }),
        ),
      }),
    ),
    status: kept(
      3,
      struct<keyof SelfSubjectAccessReview['status']>('SubjectAccessReviewStatus', {
        allowed: kept(1, bool),
        reason: value(2, text),
        evaluationError: value(3, text),
        denied: value(4, bool),
      }),
    ),
  }),
};

const resourceRule = struct<keyof ResourceRule>('ResourceRule', {
  verbs: kept(1, list(text)),
  apiGroups: value(2, list(text)),
  resources: value(3, list(text)),
  resourceNames: value(4, list(text)),
});

const nonResourceRule = struct<keyof NonResourceRule>('NonResourceRule', {
  verbs: kept(1, list(text)),
  nonResourceURLs: value(2, list(text)),
});

export const rulesReviewKind: Kind<SelfSubjectRulesReview> = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SelfSubjectRulesReview',
  shape: object<Members<SelfSubjectRulesReview>>('SelfSubjectRulesReview', {
    metadata: kept(1, objectMeta),
    spec: kept(2, struct<'namespace'>('SelfSubjectRulesReviewSpec', { namespace: value(1, text) })),
    status: kept(
      3,
      struct<keyof SelfSubjectRulesReview['status']>('SubjectRulesReviewStatus', {
        resourceRules: kept(1, list(resourceRule)),
        nonResourceRules: kept(2, list(nonResourceRule)),
        incomplete: kept(3, bool),
        evaluationError: value(4, text),
      }),
    ),
  }),
};

const userInfo = struct<keyof UserInfo>('UserInfo', {
  username: value(1, text),
  uid: value(2, text),
  groups: value(3, list(text)),
});

export const subjectReviewKind: Kind<SelfSubjectReview> = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'SelfSubjectReview',
  shape: object<Members<SelfSubjectReview>>('SelfSubjectReview', {
    metadata: kept(1, objectMeta),
    status: kept(2, struct<'userInfo'>('SelfSubjectReviewStatus', { userInfo: kept(1, userInfo) })),
  }),
};

/** The shapes of what is answered in protobuf, by kind. What is not here is answered in JSON. */
export const protobufShapes: ReadonlyMap<string, Struct> = new Map(
  [
    leaseKind,
    leaseListKind,
    statusKind,
    partialKind,
    partialListKind,
    namespaceKind,
    namespaceListKind,
    accessReviewKind,
    rulesReviewKind,
    subjectReviewKind,
    deleteOptionsKind,
  ].map(({ kind, shape }) => [kind, shape]),
);

function listOf<Item, ItemList>(item: Kind<Item>): Kind<ItemList> {
  const shape = object<'metadata' | 'items'>(`${item.kind}List`, {
    metadata: kept(1, listMeta),
    items: kept(2, list(item.shape)),
  });
  return { apiVersion: item.apiVersion, kind: `${item.kind}List`, shape };
}
