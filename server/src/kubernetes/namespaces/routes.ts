import type { CoordinatorHolder } from '../health.js';
import type { StreamAnswer } from '../lease-api.js';
import { readSwitch } from '../query.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import type { Call, Endpoint, ResourceAction, Route } from '../router.js';
import { catchUp } from '../versions.js';
import { ObjectWatch } from '../watch/object-watch.js';
import type { WatchContext } from '../watch/watch-leases.js';
import { planWatch } from '../watch/watch-plan.js';
import { namespaceFields } from './namespace.js';
import { getNamespace, listNamespaces } from './read.js';
import { NamespaceSource } from './source.js';
import { deleteNamespace, patchNamespace, postNamespace, putNamespace } from './write.js';

/**
 * Namespaces, so far as clients of leases need them. They need no creation, so every one that could be is there; listed and watched are
 * those that have leases and those that every Kubernetes has. To write one, or a part of one, changes nothing.
 */
export function namespaceRoutes(context: WatchContext): readonly Route[] {
  const on = (verb: string, answer: Answer, subresource = ''): NamespaceEndpoint => ({
    asks: ({ parameters }) => ({ ...namespaces, verb, subresource, name: parameters['name'] ?? '' }),
    async answer({ request, parameters }) {
      await catchUp(context.engine.current(), request);
      return answer(context.engine, request, parameters['name'] ?? '');
    },
  });
  const list = on('list', listNamespaces);
  const watch: NamespaceEndpoint = {
    ...on('watch', listNamespaces),
    answer: ({ request, parameters, openStream }) => watchNamespaces(context, request, parameters['name'], openStream()),
  };
  const listOrWatch = ({ request }: Call): NamespaceEndpoint => (readSwitch(request.query, 'watch') === true ? watch : list);
  return [
    {
      pattern: '/api/v1/namespaces',
      methods: {
        GET: { asks: (call) => listOrWatch(call).asks(call), answer: (call) => listOrWatch(call).answer(call) },
        POST: on('create', postNamespace),
      },
    },
    {
      pattern: '/api/v1/namespaces/:name',
      methods: {
        GET: on('get', getNamespace),
        PUT: on('update', putNamespace),
        PATCH: on('patch', patchNamespace),
        DELETE: on('delete', deleteNamespace),
      },
    },
    {
      pattern: '/api/v1/namespaces/:name/status',
      methods: {
        GET: on('get', getNamespace, 'status'),
        PUT: on('update', putNamespace, 'status'),
        PATCH: on('patch', patchNamespace, 'status'),
      },
    },
    { pattern: '/api/v1/namespaces/:name/finalize', methods: { PUT: on('update', putNamespace, 'finalize') } },
    { pattern: '/api/v1/watch/namespaces', methods: { GET: watch } },
    { pattern: '/api/v1/watch/namespaces/:name', methods: { GET: watch } },
  ];
}

type Answer = (engine: CoordinatorHolder, request: ApiRequest, name: string) => ApiAnswer | Promise<ApiAnswer>;

type NamespaceEndpoint = Required<Endpoint>;

const namespaces: Omit<ResourceAction, 'verb' | 'name'> = { group: '', version: 'v1', resource: 'namespaces', namespace: '' };

async function watchNamespaces(
  { engine, clock }: WatchContext,
  request: ApiRequest,
  name: string | undefined,
  stream: StreamAnswer,
): Promise<undefined> {
  const plan = planWatch(request, { namespace: undefined, name }, namespaceFields);
  const coordinator = engine.current();
  const form = { ...plan.form, framed: stream.framed };
  const source = new NamespaceSource(coordinator, { name: plan.scope.name, selection: plan.selection, form });
  await new ObjectWatch({ coordinator, clock, plan, client: { stream, signal: request.signal }, source }).open();
}
