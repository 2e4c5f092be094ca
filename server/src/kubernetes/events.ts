import type { CoordinatorHolder } from './health.js';
import type { NamespaceObject } from './objects.js';
import { renderAs, type Lines } from './render.js';
import type { Endpoint, Route } from './router.js';

/** Events of core/v1: there are none, and `kubectl describe` is content to hear so. */
export function eventRoutes(engine: CoordinatorHolder): readonly Route[] {
  const list: Endpoint = {
    asks: ({ parameters }) => ({
      ...{ verb: 'list', group: '', version: 'v1', resource: 'events', name: '' },
      namespace: parameters['namespace'] ?? '',
    }),
    answer: ({ request }) => {
      const metadata = { resourceVersion: String(engine.current().revision) };
      return renderAs(request, 200, { kind: 'EventList', apiVersion: 'v1', metadata, items: [] }, lines);
    },
  };
  return [
    { pattern: '/api/v1/events', methods: { GET: list } },
    { pattern: '/api/v1/namespaces/:namespace/events', methods: { GET: list } },
  ];
}

const lines: Lines<NamespaceObject> = {
  columns: ['Last Seen', 'Type', 'Reason', 'Object', 'Message'].map((name) => ({
    ...{ name, type: 'string', format: '', description: 'Of an event.', priority: 0 },
  })),
  cells: () => [],
};
