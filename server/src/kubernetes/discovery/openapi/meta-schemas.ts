import {
  atomic,
  flag,
  int32,
  int64,
  listOf,
  part,
  reference,
  text,
  textMap,
  texts,
  type Definition,
  type Property,
} from './schema.js';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

type MetaName =
  'objectMeta' | 'listMeta' | 'microTime' | 'time' | 'deleteOptions' | 'patch' | 'status' | 'watchEvent' | 'resourceList';

/** Names of definitions that others refer to. */
export const metaNames: Readonly<Record<MetaName, string>> = {
  objectMeta: `${meta}.ObjectMeta`,
  listMeta: `${meta}.ListMeta`,
  microTime: `${meta}.MicroTime`,
  time: `${meta}.Time`,
  deleteOptions: `${meta}.DeleteOptions`,
  patch: `${meta}.Patch`,
  status: `${meta}.Status`,
  watchEvent: `${meta}.WatchEvent`,
  resourceList: `${meta}.APIResourceList`,
};

/** The two fields that say what an object is. */
export const typeFields: Readonly<Record<string, Property>> = {
  apiVersion: text('The version of the API that this object is written in: the group, a slash, and the version.'),
  kind: text('What kind of object this is, in CamelCase.'),
};

const rawExtension = 'io.k8s.apimachinery.pkg.runtime.RawExtension';

/** What the objects of all groups are made of (k8s.io/apimachinery). */
export const metaSchemas: readonly Definition[] = [
  {
    name: metaNames.objectMeta,
    description: 'What every object has besides its contents: its name, its versions, and what people attach to it.',
    properties: {
      annotations: textMap('Texts that tools attach to the object, by name. Nothing is selected by them.'),
      creationTimestamp: reference(metaNames.time, 'When the object was created. Set by the server.'),
      deletionGracePeriodSeconds: int64('How long the object may take to end once it is being deleted. Set by the server.'),
      deletionTimestamp: reference(metaNames.time, 'Since when the object is being deleted and waits for its finalizers.'),
      finalizers: texts('Who has to do something before the object may go. It goes when the last of them is removed.', {
        'x-kubernetes-list-type': 'set',
        'x-kubernetes-patch-strategy': 'merge',
      }),
      generateName: text(
        'The beginning of a name, to which the server adds five characters when the object is created without one.',
      ),
      generation: int64('Counts changes of what is wanted. Leases have none.'),
      labels: textMap('Short texts by name, by which objects are selected.'),
      managedFields: listOf(`${meta}.ManagedFieldsEntry`, 'Who has written which fields. Kept by the server.', atomic),
      name: text('The name of the object, which nothing else of its kind has in its namespace. It cannot be changed.'),
      namespace: text('The space in which the name is unique. It cannot be changed, and needs no creation here.'),
      ownerReferences: listOf(`${meta}.OwnerReference`, 'Objects that this one belongs to. Nothing follows from it here.', {
        'x-kubernetes-list-map-keys': ['uid'],
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-patch-merge-key': 'uid',
        'x-kubernetes-patch-strategy': 'merge',
      }),
      resourceVersion: text('The version of the object: a number that grows with every change to any lease.'),
      selfLink: text('Not used any more.'),
      uid: text('Tells this object from others that had its name before it. Set by the server.'),
    },
  },
  {
    name: `${meta}.OwnerReference`,
    description: 'An object in the same namespace that another one belongs to.',
    properties: {
      apiVersion: text('The version of its API.', { default: '' }),
      blockOwnerDeletion: flag('Whether the owner is to wait with its end for this object.'),
      controller: flag('Whether the owner is the one that manages this object.'),
      kind: text('Its kind.', { default: '' }),
      name: text('Its name.', { default: '' }),
      uid: text('Its uid.', { default: '' }),
    },
    required: ['apiVersion', 'kind', 'name', 'uid'],
    extensions: { 'x-kubernetes-map-type': 'atomic' },
  },
  {
    name: `${meta}.ManagedFieldsEntry`,
    description: 'The fields that one manager has written last.',
    properties: {
      apiVersion: text('The version of the API that the fields are named in.'),
      fieldsType: text('How the fields are written down: FieldsV1.'),
      fieldsV1: reference(`${meta}.FieldsV1`, 'The fields.'),
      manager: text('Who has written them.'),
      operation: text('How: Apply or Update.'),
      subresource: text('The subresource by way of which they were written.'),
      time: reference(metaNames.time, 'When the set of fields was changed last.'),
    },
  },
  {
    name: `${meta}.FieldsV1`,
    description:
      'A set of fields as a tree: f:NAME for a field, k:{…} and v:… for an element of a list, and . for the node itself.',
  },
  { name: metaNames.time, description: 'A time in RFC 3339, in whole seconds.', format: 'date-time' },
  { name: metaNames.microTime, description: 'A time in RFC 3339, in microseconds.', format: 'date-time' },
  {
    name: metaNames.listMeta,
    description: 'What a list has besides its items.',
    properties: {
      continue: text('Where the next page begins: to be sent back as it is. Empty on the last page.'),
      remainingItemCount: int64('How many items follow on later pages, where that is known.'),
      resourceVersion: text('The version of the list, from which a watch can go on.'),
      selfLink: text('Not used any more.'),
      shardInfo: reference(`${meta}.ShardInfo`, 'Which part of a list this is. Lists are whole here.'),
    },
  },
  {
    name: `${meta}.ShardInfo`,
    description: 'Which part of a list a client has asked for.',
    properties: { selector: text('What selects the part.', { default: '' }) },
    required: ['selector'],
  },
  {
    name: metaNames.deleteOptions,
    description: 'How an object is to be deleted.',
    properties: {
      ...typeFields,
      dryRun: texts('All: check everything and delete nothing.', atomic),
      gracePeriodSeconds: int64('How long the object may take to end. Leases end at once.'),
      ignoreStoreReadErrorWithClusterBreakingPotential: flag('Not used here.'),
      orphanDependents: flag('Not used any more: see propagationPolicy.'),
      preconditions: reference(`${meta}.Preconditions`, 'What must be true of the object, or it is not deleted.'),
      propagationPolicy: text('What becomes of objects that belong to this one: Orphan, Background or Foreground.'),
    },
    kinds: [
      { group: '', kind: 'DeleteOptions', version: 'v1' },
      { group: 'coordination.k8s.io', kind: 'DeleteOptions', version: 'v1' },
    ],
  },
  {
    name: `${meta}.Preconditions`,
    description: 'What must be true of an object.',
    properties: { resourceVersion: text('Its version.'), uid: text('Its uid.') },
  },
  { name: metaNames.patch, description: 'A change of an object, in the form that the content type says.' },
  {
    name: metaNames.status,
    description: 'What became of a request.',
    properties: {
      ...typeFields,
      code: int32('The HTTP status.'),
      details: reference(`${meta}.StatusDetails`, 'What the failure is about.'),
      message: text('What happened, for people.'),
      metadata: part(metaNames.listMeta, 'Of a list that failed: where to go on.'),
      reason: text('What happened, for programs: one word.'),
      status: text('Success or Failure.'),
    },
    kinds: [{ group: '', kind: 'Status', version: 'v1' }],
  },
  {
    name: `${meta}.StatusDetails`,
    description: 'What a failure is about.',
    properties: {
      causes: listOf(`${meta}.StatusCause`, 'The single causes, where there are several.', atomic),
      group: text('The API group of the object.'),
      kind: text('The kind or the resource of the object.'),
      name: text('The name of the object.'),
      retryAfterSeconds: int32('When the request may be repeated.'),
      uid: text('The uid of the object.'),
    },
  },
  {
    name: `${meta}.StatusCause`,
    description: 'One cause of a failure.',
    properties: { field: text('The field that caused it.'), message: text('For people.'), reason: text('For programs.') },
  },
  {
    name: metaNames.watchEvent,
    description: 'One change of one object.',
    properties: {
      object: reference(rawExtension, 'The object after the change, or as it was before it was deleted; of an error, a Status.'),
      type: text('ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.', { default: '' }),
    },
    required: ['type', 'object'],
    kinds: [
      { group: '', kind: 'WatchEvent', version: 'v1' },
      { group: 'coordination.k8s.io', kind: 'WatchEvent', version: 'v1' },
    ],
  },
  { name: rawExtension, description: 'An object of any kind.' },
  {
    name: metaNames.resourceList,
    description: 'The resources of one version of an API group.',
    properties: {
      ...typeFields,
      groupVersion: text('The group and the version.', { default: '' }),
      resources: listOf(`${meta}.APIResource`, 'The resources.', atomic),
    },
    required: ['groupVersion', 'resources'],
    kinds: [{ group: '', kind: 'APIResourceList', version: 'v1' }],
  },
  {
    name: `${meta}.APIResource`,
    description: 'A resource: what it is called and what can be done with it.',
    properties: {
      categories: texts('Names for several resources at once.', atomic),
      group: text('The group of its objects, if it is another one.'),
      kind: text('The kind of its objects.', { default: '' }),
      name: text('Its name in paths.', { default: '' }),
      namespaced: flag('Whether its objects are in namespaces.', { default: false }),
      shortNames: texts('Abbreviations for the command line.', atomic),
      singularName: text('Its name for one object.', { default: '' }),
      storageVersionHash: text('Differs when the stored form does.'),
      verbs: texts('What can be done with it.'),
      version: text('The version of its objects, if it is another one.'),
    },
    required: ['name', 'singularName', 'namespaced', 'kind', 'verbs'],
  },
];
