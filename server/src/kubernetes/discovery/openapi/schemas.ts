import { metaNames, metaSchemas, typeFields } from './meta-schemas.js';
import { flag, int32, listOf, part, reference, text, texts, type Definition, type Property } from './schema.js';

const coordination = 'io.k8s.api.coordination.v1';
const core = 'io.k8s.api.core.v1';
const authorization = 'io.k8s.api.authorization.v1';
const authentication = 'io.k8s.api.authentication.v1';

/** What a kind of this server is called among the definitions. */
export const definitionNames: Readonly<Record<string, string>> = {
  Lease: `${coordination}.Lease`,
  LeaseList: `${coordination}.LeaseList`,
  Namespace: `${core}.Namespace`,
  NamespaceList: `${core}.NamespaceList`,
  SelfSubjectAccessReview: `${authorization}.SelfSubjectAccessReview`,
  SelfSubjectRulesReview: `${authorization}.SelfSubjectRulesReview`,
  SelfSubjectReview: `${authentication}.SelfSubjectReview`,
};

const metadata: Property = part(metaNames.objectMeta, 'Name, namespace, version, labels and annotations.');

const leases: readonly Definition[] = [
  {
    name: `${coordination}.Lease`,
    description:
      'A lease: says who holds something, and for how long yet. Whoever leads a group holds one and renews it; a node that lives renews its own.',
    properties: {
      ...typeFields,
      metadata,
      spec: part(`${coordination}.LeaseSpec`, 'Who holds the lease, since when and for how long.'),
    },
    kinds: [{ group: 'coordination.k8s.io', kind: 'Lease', version: 'v1' }],
  },
  {
    name: `${coordination}.LeaseSpec`,
    description: 'Who holds a lease, since when and for how long.',
    properties: {
      acquireTime: reference(metaNames.microTime, 'When the holder got the lease, by its own clock.'),
      holderIdentity: text('Who holds the lease. Empty or absent: nobody does.'),
      leaseDurationSeconds: int32(
        'For how long the lease is good after a renewal, by the clock of the server. Must be greater than 0. Absent: it never expires.',
      ),
      leaseTransitions: int32('How often the lease has changed hands, as holders count it. Must not be negative.'),
      preferredHolder: text('Who the holder should give the lease to. Needs a strategy.'),
      renewTime: reference(
        metaNames.microTime,
        'When the holder renewed the lease last, by its own clock. A write that changes it, and has a holder, renews the lease.',
      ),
      strategy: text('How a holder is chosen by those who coordinate that: OldestEmulationVersion, or a name with a prefix.'),
    },
  },
  {
    name: `${coordination}.LeaseList`,
    description: 'Many leases.',
    properties: {
      ...typeFields,
      items: listOf(`${coordination}.Lease`, 'The leases.'),
      metadata: part(metaNames.listMeta, 'The version of the list, and where its next page begins.'),
    },
    required: ['items'],
    kinds: [{ group: 'coordination.k8s.io', kind: 'LeaseList', version: 'v1' }],
  },
];

const namespaces: readonly Definition[] = [
  {
    name: `${core}.Namespace`,
    description: 'A space for names. Namespaces need no creation here: those are listed that have leases.',
    properties: {
      ...typeFields,
      metadata,
      spec: part(`${core}.NamespaceSpec`, 'Has nothing to say here.'),
      status: part(`${core}.NamespaceStatus`, 'Whether the namespace can be used.'),
    },
    kinds: [{ group: '', kind: 'Namespace', version: 'v1' }],
  },
  {
    name: `${core}.NamespaceSpec`,
    description: 'What is wanted of a namespace.',
    properties: { finalizers: texts('Who has to do something before the namespace may go.') },
  },
  {
    name: `${core}.NamespaceStatus`,
    description: 'The state of a namespace.',
    properties: { phase: text('Active, always.') },
  },
  {
    name: `${core}.NamespaceList`,
    description: 'Many namespaces.',
    properties: {
      ...typeFields,
      items: listOf(`${core}.Namespace`, 'The namespaces.'),
      metadata: part(metaNames.listMeta, 'The version of the list.'),
    },
    required: ['items'],
    kinds: [{ group: '', kind: 'NamespaceList', version: 'v1' }],
  },
];

const reviews: readonly Definition[] = [
  {
    name: `${authorization}.SelfSubjectAccessReview`,
    description: 'Asks whether whoever asks may do something.',
    properties: {
      ...typeFields,
      metadata,
      spec: part(`${authorization}.SelfSubjectAccessReviewSpec`, 'What is to be done: to a resource, or with a path.'),
      status: part(`${authorization}.SubjectAccessReviewStatus`, 'The answer.'),
    },
    required: ['spec'],
    kinds: [{ group: 'authorization.k8s.io', kind: 'SelfSubjectAccessReview', version: 'v1' }],
  },
  {
    name: `${authorization}.SelfSubjectAccessReviewSpec`,
    description: 'What is to be done. One of the two.',
    properties: {
      nonResourceAttributes: reference(`${authorization}.NonResourceAttributes`, 'What is to be done with a path.'),
      resourceAttributes: reference(`${authorization}.ResourceAttributes`, 'What is to be done to a resource.'),
    },
  },
  {
    name: `${authorization}.ResourceAttributes`,
    description: 'What is to be done to a resource. What is empty means all.',
    properties: {
      group: text('The API group.'),
      name: text('The name of the object.'),
      namespace: text('The namespace.'),
      resource: text('The resource, such as leases.'),
      subresource: text('A part of the object.'),
      verb: text('What is to be done: get, list, watch, create, update, patch, delete, deletecollection.'),
      version: text('The version of the API.'),
    },
  },
  {
    name: `${authorization}.NonResourceAttributes`,
    description: 'What is to be done with a path that is no resource.',
    properties: { path: text('The path.'), verb: text('The method, in lower case.') },
  },
  {
    name: `${authorization}.SubjectAccessReviewStatus`,
    description: 'Whether something is allowed.',
    properties: {
      allowed: flag('Whether it is allowed.', { default: false }),
      denied: flag('Whether it is forbidden, whatever others say.'),
      evaluationError: text('What went wrong while that was found out.'),
      reason: text('Why.'),
    },
    required: ['allowed'],
  },
  {
    name: `${authorization}.SelfSubjectRulesReview`,
    description: 'Asks for all that whoever asks may do in a namespace.',
    properties: {
      ...typeFields,
      metadata,
      spec: part(`${authorization}.SelfSubjectRulesReviewSpec`, 'Which namespace is meant.'),
      status: part(`${authorization}.SubjectRulesReviewStatus`, 'The answer.'),
    },
    required: ['spec'],
    kinds: [{ group: 'authorization.k8s.io', kind: 'SelfSubjectRulesReview', version: 'v1' }],
  },
  {
    name: `${authorization}.SelfSubjectRulesReviewSpec`,
    description: 'Which namespace is meant.',
    properties: { namespace: text('The namespace.') },
  },
  {
    name: `${authorization}.SubjectRulesReviewStatus`,
    description: 'What somebody may do.',
    properties: {
      evaluationError: text('What went wrong while that was found out.'),
      incomplete: flag('Whether there may be more.', { default: false }),
      nonResourceRules: listOf(`${authorization}.NonResourceRule`, 'What may be done with paths.'),
      resourceRules: listOf(`${authorization}.ResourceRule`, 'What may be done to resources.'),
    },
    required: ['resourceRules', 'nonResourceRules', 'incomplete'],
  },
  {
    name: `${authorization}.ResourceRule`,
    description: 'What may be done to which resources. * is everything.',
    properties: {
      apiGroups: texts('API groups.'),
      resourceNames: texts('Names of objects. None: all.'),
      resources: texts('Resources.'),
      verbs: texts('What may be done.'),
    },
    required: ['verbs'],
  },
  {
    name: `${authorization}.NonResourceRule`,
    description: 'What may be done with which paths. * is everything.',
    properties: { nonResourceURLs: texts('Paths.'), verbs: texts('Methods, in lower case.') },
    required: ['verbs'],
  },
  {
    name: `${authentication}.SelfSubjectReview`,
    description: 'Asks who whoever asks is to the server.',
    properties: { ...typeFields, metadata, status: part(`${authentication}.SelfSubjectReviewStatus`, 'The answer.') },
    kinds: [{ group: 'authentication.k8s.io', kind: 'SelfSubjectReview', version: 'v1' }],
  },
  {
    name: `${authentication}.SelfSubjectReviewStatus`,
    description: 'Who somebody is.',
    properties: { userInfo: part(`${authentication}.UserInfo`, 'The user.') },
  },
  {
    name: `${authentication}.UserInfo`,
    description: 'A user.',
    properties: {
      groups: texts('The groups of the user.'),
      uid: text('Tells the user from others of the same name before.'),
      username: text('The name of the user.'),
    },
  },
];

/** All definitions by name. */
export const definitions: ReadonlyMap<string, Definition> = new Map(
  [...metaSchemas, ...leases, ...namespaces, ...reviews].map((definition) => [definition.name, definition]),
);
