import type { Group, Resource } from '../resources.js';
import { groupVersionOf } from '../documents.js';
import { metaNames } from './meta-schemas.js';
import type { GroupVersionKind } from './schema.js';
import { definitionNames } from './schemas.js';
import { listParameters, writeParameters, deleteParameters, type ParameterName } from './parameters.js';

/** A path as OpenAPI describes it. */
export interface PathItem {
  readonly path: string;
  /** Those that all of its methods take. */
  readonly parameters: readonly ParameterName[];
  readonly operations: Readonly<Partial<Record<Method, Operation>>>;
}

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** What one method of a path does. */
export interface Operation {
  readonly id: string;
  readonly description: string;
  readonly parameters: readonly ParameterName[];
  readonly body?: { readonly schema: string; readonly required: boolean };
  /** Definitions by status. */
  readonly answers: Readonly<Record<string, string>>;
  /** Whether the answer can go on as a stream of events. */
  readonly streams: boolean;
  /** Of operations on objects. */
  readonly action?: { readonly name: string; readonly kind: GroupVersionKind };
}

/** All paths of a group, with its own. */
export function pathsOf(group: Group): PathItem[] {
  const root = group.name === '' ? '/api/v1' : `/apis/${groupVersionOf(group)}`;
  const discovery: Operation = {
    id: `get${titleOf(group)}V1APIResources`,
    description: 'Tells what resources there are.',
    parameters: [],
    answers: { 200: metaNames.resourceList },
    streams: false,
  };
  const own: PathItem = { path: `${root}/`, parameters: [], operations: { get: discovery } };
  return [own, ...group.resources.filter(isDescribed).flatMap((resource) => new ResourcePaths(root, group, resource).all())];
}

/** What the group is called in the names of operations: `Coordination`. */
export function titleOf({ name }: Group): string {
  const [first = ''] = (name === '' ? 'core' : name).split('.');
  return `${first.charAt(0).toUpperCase()}${first.slice(1)}`;
}

/** Whether there is a definition of its objects. Of events there is none, as there are no events. */
function isDescribed({ kind }: Resource): boolean {
  return kind in definitionNames;
}

/** The paths of one resource. */
class ResourcePaths {
  readonly #root: string;
  readonly #group: Group;
  readonly #resource: Resource;

  constructor(root: string, group: Group, resource: Resource) {
    this.#root = root;
    this.#group = group;
    this.#resource = resource;
  }

  all(): PathItem[] {
    const { name, namespaced } = this.#resource;
    const scope = namespaced ? '/namespaces/{namespace}' : '';
    const inScope: ParameterName[] = namespaced ? ['namespace', 'pretty'] : ['pretty'];
    const paths: PathItem[] = [
      {
        path: `${this.#root}${scope}/${name}`,
        parameters: inScope,
        operations: this.#only({ get: this.#list(), post: this.#create(), delete: this.#deleteCollection() }),
      },
      {
        path: `${this.#root}${scope}/${name}/{name}`,
        parameters: ['name', ...inScope],
        operations: this.#only({ get: this.#get(), put: this.#update(), patch: this.#patch(), delete: this.#delete() }),
      },
    ];
    if (namespaced) {
      paths.push(this.#across(`/${name}`, this.#operation('list', 'list', `${this.#kind}ForAllNamespaces`)));
    }
    if (this.#resource.verbs.includes('watch')) {
      paths.push(...this.#watches(scope, name));
    }
    return paths.filter(({ operations }) => Object.keys(operations).length > 0);
  }

  /** The paths that watch in the way of old. */
  #watches(scope: string, name: string): PathItem[] {
    const list = this.#operation('watch', 'watchlist', `${this.#scoped}List`);
    const one = this.#operation('watch', 'watch', this.#scoped);
    const inScope: ParameterName[] = scope === '' ? [] : ['namespace'];
    const paths = [
      this.#across(`/watch${scope}/${name}`, list, inScope),
      this.#across(`/watch${scope}/${name}/{name}`, one, ['name', ...inScope]),
    ];
    const all = this.#operation('watch', 'watchlist', `${this.#kind}ListForAllNamespaces`);
    return scope === '' ? paths : [this.#across(`/watch/${name}`, all), ...paths];
  }

  /** A path that only reads, and has all of its parameters to itself. */
  #across(path: string, operation: Operation, more: readonly ParameterName[] = []): PathItem {
    const parameters = [...listParameters, 'pretty' as const, ...more].sort();
    return { path: `${this.#root}${path}`, parameters, operations: { get: operation } };
  }

  #list(): Operation {
    return { ...this.#operation('list', 'list', this.#scoped), parameters: listParameters };
  }

  #create(): Operation {
    const created = { 200: this.#definition, 201: this.#definition, 202: this.#definition };
    return { ...this.#write('create', 'post', this.#scoped), answers: created };
  }

  #deleteCollection(): Operation {
    const list = listParameters.filter((name) => name !== 'allowWatchBookmarks' && name !== 'watch');
    const operation = this.#operation('delete', 'deletecollection', this.#scoped, 'Collection');
    return {
      ...operation,
      parameters: [...deleteParameters, ...list].sort(),
      body: optional,
      answers: { 200: metaNames.status },
    };
  }

  #get(): Operation {
    return this.#operation('read', 'get', this.#scoped);
  }

  #update(): Operation {
    return this.#write('replace', 'put', this.#scoped);
  }

  #patch(): Operation {
    const operation = this.#write('patch', 'patch', this.#scoped);
    return { ...operation, parameters: [...writeParameters, 'force'], body: { schema: metaNames.patch, required: true } };
  }

  #delete(): Operation {
    const answers = { 200: metaNames.status, 202: metaNames.status };
    return { ...this.#operation('delete', 'delete', this.#scoped), parameters: deleteParameters, body: optional, answers };
  }

  #write(verb: string, action: string, subject: string): Operation {
    const answers = { 200: this.#definition, 201: this.#definition };
    const body = { schema: this.#definition, required: true };
    return { ...this.#operation(verb, action, subject), parameters: writeParameters, body, answers };
  }

  #operation(verb: string, action: string, subject: string, infix = ''): Operation {
    const schemas: Readonly<Record<string, string>> = { list: `${this.#definition}List`, watch: metaNames.watchEvent };
    return {
      id: `${verb}${titleOf(this.#group)}V1${infix}${subject}`,
      description: descriptions[action]?.replace('%', this.#kind) ?? '',
      parameters: [],
      answers: { 200: schemas[verb] ?? this.#definition },
      streams: verb === 'list' || verb === 'watch',
      action: { name: action, kind: { group: this.#group.name, kind: this.#kind, version: 'v1' } },
    };
  }

  /** Those that the resource has the verb for. */
  #only(operations: Required<PathItem>['operations']): PathItem['operations'] {
    const has = ([, operation]: [string, Operation]): boolean =>
      this.#resource.verbs.includes(verbs[operation.action?.name ?? ''] ?? '');
    return Object.fromEntries(Object.entries(operations).filter(has));
  }

  get #kind(): string {
    return this.#resource.kind;
  }

  get #scoped(): string {
    return `${this.#resource.namespaced ? 'Namespaced' : ''}${this.#kind}`;
  }

  get #definition(): string {
    return definitionNames[this.#kind] ?? '';
  }
}

const optional = { schema: metaNames.deleteOptions, required: false } as const;

/** The verb of each action. */
const verbs: Readonly<Record<string, string>> = {
  ...{ list: 'list', post: 'create', deletecollection: 'deletecollection' },
  ...{ get: 'get', put: 'update', patch: 'patch', delete: 'delete' },
};

const descriptions: Readonly<Record<string, string>> = {
  list: 'Lists or watches objects of kind %.',
  post: 'Creates a %.',
  deletecollection: 'Deletes many objects of kind %.',
  get: 'Reads a %.',
  put: 'Replaces a %.',
  patch: 'Changes fields of a %.',
  delete: 'Deletes a %.',
  watch: 'Watches a %. Use a list with the parameter watch and a field selector instead.',
  watchlist: 'Watches objects of kind %. Use a list with the parameter watch instead.',
};
