/** A kind of objects that this server has, as discovery tells of it. */
export interface Resource {
  readonly name: string;
  readonly singularName: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  /** Tells clients when the stored form changes, which it never does; as kube-apiserver has it. */
  readonly storageVersionHash?: string;
}

/** An API group. Each has the one version `v1`. */
export interface Group {
  /** Empty: the core group, which has paths of its own. */
  readonly name: string;
  readonly resources: readonly Resource[];
}

/** The core group: so much of it as clients of leases ask for. */
export const coreGroup: Group = {
  name: '',
  resources: [
    { name: 'events', singularName: 'event', namespaced: true, kind: 'Event', verbs: ['create', 'list'], shortNames: ['ev'] },
    {
      name: 'namespaces',
      singularName: 'namespace',
      namespaced: false,
      kind: 'Namespace',
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
      shortNames: ['ns'],
      storageVersionHash: 'Q3oi5N2YM8M=',
    },
  ],
};

const coordinationGroup: Group = {
  name: 'coordination.k8s.io',
  resources: [
    {
      name: 'leases',
      singularName: 'lease',
      namespaced: true,
      kind: 'Lease',
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      storageVersionHash: 'gqkMMb/YqFM=',
    },
  ],
};

/** All other groups, in the order of their names. */
export const groups: readonly Group[] = [
  { name: 'authentication.k8s.io', resources: [review('SelfSubjectReview')] },
  { name: 'authorization.k8s.io', resources: [review('SelfSubjectAccessReview'), review('SelfSubjectRulesReview')] },
  coordinationGroup,
];

/** A question that is asked by creating it. */
function review(kind: string): Resource {
  const singularName = kind.toLowerCase();
  return { name: `${singularName}s`, singularName, namespaced: false, kind, verbs: ['create'] };
}
