import type { LeaseApi } from './lease-api.js';
import { readSwitch } from './query.js';
import type { ApiRequest } from './request.js';
import type { Call, Endpoint, ResourceAction, Route } from './router.js';

/** The paths of leases, and which verb each method is. A lease itself is watched under `/watch/` only, as kube-apiserver has it. */
export function leaseRoutes(leases: LeaseApi): readonly Route[] {
  const is = (verb: LeaseVerb): Endpoint => endpoint(leases, () => verb);
  const listOrWatch = endpoint(leases, ({ query }) => (readSwitch(query, 'watch') === true ? 'watch' : 'list'));
  return [
    {
      pattern: `${version}/namespaces/:namespace/leases/:name`,
      methods: { GET: is('get'), PUT: is('update'), PATCH: is('patch'), DELETE: is('delete') },
    },
    {
      pattern: `${version}/namespaces/:namespace/leases`,
      methods: { GET: listOrWatch, POST: is('create'), DELETE: is('deleteCollection') },
    },
    { pattern: `${version}/leases`, methods: { GET: listOrWatch } },
    { pattern: `${version}/watch/namespaces/:namespace/leases/:name`, methods: { GET: is('watch') } },
    { pattern: `${version}/watch/namespaces/:namespace/leases`, methods: { GET: is('watch') } },
    { pattern: `${version}/watch/leases`, methods: { GET: is('watch') } },
  ];
}

type LeaseVerb = keyof LeaseApi;

const version = '/apis/coordination.k8s.io/v1';

function endpoint(leases: LeaseApi, verbOf: (request: ApiRequest) => LeaseVerb): Endpoint {
  const asks = ({ request, parameters }: Call): ResourceAction => ({
    verb: verbOf(request).toLowerCase(),
    group: 'coordination.k8s.io',
    version: 'v1',
    resource: 'leases',
    namespace: parameters['namespace'] ?? '',
    name: parameters['name'] ?? '',
  });
  return {
    asks,
    async answer(call) {
      const { request, parameters, openStream } = call;
      const askToCreate = (): Promise<void> => call.ask({ ...asks(call), verb: 'create' });
      const target = { namespace: parameters['namespace'], name: parameters['name'], askToCreate };
      const verb = verbOf(request);
      if (verb !== 'watch') {
        return leases[verb](request, target);
      }
      await leases.watch(request, target, openStream());
      return undefined;
    },
  };
}
