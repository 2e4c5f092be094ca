/** A parameter of a request. */
export interface Parameter {
  readonly in: 'path' | 'query';
  readonly type: 'string' | 'boolean' | 'integer';
  readonly description: string;
}

export type ParameterName =
  | 'allowWatchBookmarks'
  | 'continue'
  | 'dryRun'
  | 'fieldManager'
  | 'fieldSelector'
  | 'fieldValidation'
  | 'force'
  | 'gracePeriodSeconds'
  | 'ignoreStoreReadErrorWithClusterBreakingPotential'
  | 'labelSelector'
  | 'limit'
  | 'name'
  | 'namespace'
  | 'orphanDependents'
  | 'pretty'
  | 'propagationPolicy'
  | 'resourceVersion'
  | 'resourceVersionMatch'
  | 'sendInitialEvents'
  | 'shardSelector'
  | 'timeoutSeconds'
  | 'watch';

/** Those of lists and watches. */
export const listParameters: readonly ParameterName[] = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'shardSelector',
  'timeoutSeconds',
  'watch',
];

export const writeParameters: readonly ParameterName[] = ['dryRun', 'fieldManager', 'fieldValidation'];

export const deleteParameters: readonly ParameterName[] = [
  'dryRun',
  'gracePeriodSeconds',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'orphanDependents',
  'propagationPolicy',
];

export const parameters: Readonly<Record<ParameterName, Parameter>> = {
  allowWatchBookmarks: query('boolean', 'Whether a watch is told now and then how far it has come, without an object.'),
  continue: query('string', 'Where the page begins: what the page before it said.'),
  dryRun: query('string', 'All: check everything and change nothing.'),
  fieldManager: query('string', 'Who owns the fields that are written: up to 128 printable characters.'),
  fieldSelector: query('string', 'Selects by fields: metadata.name and metadata.namespace, with =, == and !=.'),
  fieldValidation: query(
    'string',
    'What to do about fields that do not exist or come twice: Ignore, Warn (the default) or Strict.',
  ),
  force: query('boolean', 'Whether apply takes fields from those who own them.'),
  gracePeriodSeconds: query('integer', 'How long the object may take to end. Leases end at once.'),
  ignoreStoreReadErrorWithClusterBreakingPotential: query('boolean', 'Not used here.'),
  labelSelector: query('string', 'Selects by labels: k=v, k!=v, k in (a,b), k notin (a,b), k, !k, with commas between them.'),
  limit: query('integer', 'How many objects a page has at most.'),
  name: path('The name of the object.'),
  namespace: path('The namespace of the object.'),
  orphanDependents: query('boolean', 'Not used any more: see propagationPolicy.'),
  pretty: query('string', 'true: the answer is indented, for people.'),
  propagationPolicy: query('string', 'What becomes of objects that belong to this one: Orphan, Background or Foreground.'),
  resourceVersion: query('string', 'The version from which a watch goes on, or that a list must at least have.'),
  resourceVersionMatch: query('string', 'How resourceVersion is meant for a list: NotOlderThan or Exact.'),
  sendInitialEvents: query('boolean', 'Whether a watch begins with all objects there are, and a bookmark after them.'),
  shardSelector: query('string', 'Not used here.'),
  timeoutSeconds: query('integer', 'After how long a watch ends.'),
  watch: query('boolean', 'Whether to go on with the changes instead of a list.'),
};

function query(type: Parameter['type'], description: string): Parameter {
  return { in: 'query', type, description };
}

function path(description: string): Parameter {
  return { in: 'path', type: 'string', description };
}
