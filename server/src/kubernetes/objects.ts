import type { LeaseObject, ObjectMeta } from './lease-object.js';

/** `metadata` of a list (meta/v1 ListMeta). */
export interface ListMeta {
  readonly resourceVersion?: string;
  readonly continue?: string;
  /** Of a list in pages: how many are left at least. */
  readonly remainingItemCount?: number;
}

/** Many leases. Their kind is written once, with the list. */
export interface LeaseList {
  readonly apiVersion: 'coordination.k8s.io/v1';
  readonly kind: 'LeaseList';
  readonly metadata: ListMeta;
  readonly items: readonly LeaseObject[];
}

/** The groups' versions that transformed answers may be asked for in; they do not differ. */
export type MetaVersion = 'meta.k8s.io/v1' | 'meta.k8s.io/v1beta1';

/** An object without its spec. */
export interface PartialObjectMetadata {
  readonly apiVersion: MetaVersion;
  readonly kind: 'PartialObjectMetadata';
  readonly metadata: ObjectMeta;
}

export interface PartialObjectMetadataList {
  readonly apiVersion: MetaVersion;
  readonly kind: 'PartialObjectMetadataList';
  readonly metadata: ListMeta;
  readonly items: readonly PartialObjectMetadata[];
}

/** Objects as lines for people: what `kubectl get` prints. */
export interface Table {
  readonly apiVersion: MetaVersion;
  readonly kind: 'Table';
  readonly metadata: ListMeta;
  /** `null`: those of the table before. */
  readonly columnDefinitions: readonly TableColumn[] | null;
  readonly rows: readonly TableRow[];
}

export interface TableColumn {
  readonly name: string;
  readonly type: 'string';
  readonly format: 'name' | '';
  readonly description: string;
  readonly priority: number;
}

export interface TableRow {
  readonly cells: readonly string[];
  readonly object: LeaseObject | PartialObjectMetadata | null;
}

/** How a deletion is meant (meta/v1 DeleteOptions). Values are as the client wrote them. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly orphanDependents?: boolean;
  readonly propagationPolicy?: string;
  readonly dryRun?: readonly string[];
  readonly ignoreStoreReadErrorWithClusterBreakingPotential?: boolean;
}

/** Asks whether the caller may do something (authorization.k8s.io/v1). */
export interface SelfSubjectAccessReview {
  readonly apiVersion: 'authorization.k8s.io/v1';
  readonly kind: 'SelfSubjectAccessReview';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly resourceAttributes?: ResourceAttributes;
    readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  };
  readonly status: {
    readonly allowed: boolean;
    readonly denied?: boolean;
    readonly reason?: string;
    readonly evaluationError?: string;
  };
}

/** What somebody wants to do to which resources; empty names mean all. */
export interface ResourceAttributes {
  readonly namespace?: string;
  readonly verb?: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly name?: string;
}

/** Asks what the caller may do in a namespace (authorization.k8s.io/v1). */
export interface SelfSubjectRulesReview {
  readonly apiVersion: 'authorization.k8s.io/v1';
  readonly kind: 'SelfSubjectRulesReview';
  readonly metadata: ObjectMeta;
  readonly spec: { readonly namespace?: string };
  readonly status: {
    readonly resourceRules: readonly ResourceRule[];
    readonly nonResourceRules: readonly NonResourceRule[];
    readonly incomplete: boolean;
    readonly evaluationError?: string;
  };
}

export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface NonResourceRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** Asks who the caller is (authentication.k8s.io/v1). */
export interface SelfSubjectReview {
  readonly apiVersion: 'authentication.k8s.io/v1';
  readonly kind: 'SelfSubjectReview';
  readonly metadata: ObjectMeta;
  readonly status: { readonly userInfo: UserInfo };
}

export interface UserInfo {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
}

/** A namespace of core/v1, as far as anything here has to do with one. */
export interface NamespaceObject {
  readonly apiVersion: 'v1';
  readonly kind: 'Namespace';
  readonly metadata: ObjectMeta;
  readonly spec: { readonly finalizers?: readonly string[] };
  readonly status: { readonly phase?: string };
}

export interface NamespaceList {
  readonly apiVersion: 'v1';
  readonly kind: 'NamespaceList';
  readonly metadata: ListMeta;
  readonly items: readonly NamespaceObject[];
}
