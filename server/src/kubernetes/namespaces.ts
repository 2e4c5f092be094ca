import { decodeObject } from './codec/decode.js';
import { namespaceKind } from './codec/kinds.js';
import { warningHeader } from './codec/warnings.js';
import { readWriteOptions } from './handlers/write-options.js';
import type { CoordinatorHolder } from './health.js';
import { goQuote } from './codec/go-quote.js';
import type { NamespaceObject } from './objects.js';
import type { ApiAnswer, ApiRequest } from './request.js';
import type { Endpoint, Route } from './router.js';
import { renderAs, type Lines } from './render.js';
import { parseFieldSelector, type SelectableField } from './selection/field-selector.js';
import { parseLabelSelector } from './selection/label-selector.js';
import { objectInvalid, StatusError } from './status.js';
import { invalid, required } from './validation/causes.js';
import { namespaceComplaints } from './validation/formats.js';

/**
 * Namespaces, so far as clients of leases need them. They need no creation, so every one that could be is there; listed are those that
 * have leases and those that every Kubernetes has. To create one changes nothing.
 */
export function namespaceRoutes(engine: CoordinatorHolder): readonly Route[] {
  const endpoint = (verb: string, answer: (request: ApiRequest, name: string) => ApiAnswer): Endpoint => ({
    asks: ({ parameters }) => ({
      verb,
      group: '',
      version: 'v1',
      resource: 'namespaces',
      namespace: '',
      name: parameters['name'] ?? '',
    }),
    answer: ({ request, parameters }) => answer(request, parameters['name'] ?? ''),
  });
  return [
    {
      pattern: '/api/v1/namespaces',
      methods: { GET: endpoint('list', (request) => list(request, engine)), POST: endpoint('create', create) },
    },
    { pattern: '/api/v1/namespaces/:name', methods: { GET: endpoint('get', get) } },
  ];
}

function list(request: ApiRequest, engine: CoordinatorHolder): ApiAnswer {
  const coordinator = engine.current();
  const names = [...new Set([...always, ...coordinator.namespaces()])].sort();
  const selected = names.filter(selectorOf(request.query));
  const metadata = { resourceVersion: String(coordinator.revision) };
  const items = selected.map(namespace);
  return renderAs(request, 200, { kind: 'NamespaceList', apiVersion: 'v1', metadata, items }, lines);
}

function get(request: ApiRequest, name: string): ApiAnswer {
  if (namespaceComplaints(name).length > 0) {
    const details = { name, kind: 'namespaces' };
    throw new StatusError(404, 'NotFound', `namespaces ${goQuote(name)} not found`, { details });
  }
  return renderAs(request, 200, namespace(name), lines);
}

function create(request: ApiRequest): ApiAnswer {
  const { validation } = readWriteOptions(request, 'create');
  const { object, warnings } = decodeObject(namespaceKind, request.body, request.header('content-type'), validation);
  const { name = '' } = object.metadata;
  const causes =
    name === ''
      ? [required('metadata.name', 'name or generateName is required')]
      : namespaceComplaints(name).map((complaint) => invalid('metadata.name', name, complaint));
  if (causes.length > 0) {
    throw objectInvalid({ group: '', kind: 'Namespace' }, name, causes);
  }
  const answer = renderAs(request, 201, namespace(name), lines);
  return warnings.length === 0 ? answer : { ...answer, headers: { warning: warningHeader(warnings) } };
}

/** Those of every Kubernetes that leases are kept in: of elections, of the system, and of nodes. */
const always = ['default', 'kube-node-lease', 'kube-system'];

function namespace(name: string): NamespaceObject {
  return {
    kind: 'Namespace',
    apiVersion: 'v1',
    metadata: { name, labels: labelsOf(name) },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
}

function labelsOf(name: string): Readonly<Record<string, string>> {
  return { 'kubernetes.io/metadata.name': name };
}

/** What the selectors of a request select. @throws {StatusError} 400 */
function selectorOf(query: URLSearchParams): (name: string) => boolean {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const { terms } = parseFieldSelector(query.get('fieldSelector') ?? '');
  // Namespaces are in none themselves.
  const has = (name: string, field: SelectableField): string => (field === 'metadata.name' ? name : '');
  return (name) =>
    labels.matches(labelsOf(name)) && terms.every(({ field, value, isNegated }) => (has(name, field) === value) !== isNegated);
}

const lines: Lines<NamespaceObject> = {
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'What the namespace is called.', priority: 0 },
    { name: 'Status', type: 'string', format: '', description: 'Active, always.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Not known: namespaces are not created.', priority: 0 },
  ],
  cells: ({ metadata, status }) => [metadata.name ?? '', status.phase ?? '', '<unknown>'],
};
