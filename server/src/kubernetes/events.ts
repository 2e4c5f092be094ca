import { DocumentError, DocumentObject } from './codec/document.js';
import { openEnvelope } from './codec/envelope.js';
import { goQuote } from './codec/go-quote.js';
import { parseJson, toText } from './codec/json-parse.js';
import { formatOfBody, mediaTypes, type Format } from './codec/media-type.js';
import { parseYaml } from './codec/yaml-decode.js';
import type { CoordinatorHolder } from './health.js';
import type { NamespaceObject } from './objects.js';
import { renderAs, type Lines } from './render.js';
import type { ApiAnswer, ApiRequest } from './request.js';
import type { Endpoint, Route } from './router.js';
import { badRequest, StatusError } from './status.js';

/**
 * Events of core/v1: there are none, and `kubectl describe` is content to hear so. Elections report to them who leads: what is reported is
 * taken, and forgotten at once.
 */
export function eventRoutes(engine: CoordinatorHolder): readonly Route[] {
  const on = (verb: string, answer: (request: ApiRequest, name: string) => ApiAnswer): Endpoint => ({
    asks: ({ parameters: { namespace = '', name = '' } }) => ({
      ...{ verb, group: '', version: 'v1', resource: 'events', namespace, name },
    }),
    answer: ({ request, parameters }) => answer(request, parameters['name'] ?? ''),
  });
  const list = on('list', (request) => {
    const metadata = { resourceVersion: String(engine.current().revision) };
    return renderAs(request, 200, { kind: 'EventList', apiVersion: 'v1', metadata, items: [] }, lines);
  });
  return [
    { pattern: '/api/v1/events', methods: { GET: list } },
    { pattern: '/api/v1/namespaces/:namespace/events', methods: { GET: list, POST: on('create', take) } },
    // Who has seen one twice counts it up, and reports it anew on hearing that it is gone.
    { pattern: '/api/v1/namespaces/:namespace/events/:name', methods: { GET: on('get', refuse), PATCH: on('patch', refuse) } },
  ];
}

/** Answers with the event as it was sent. @throws {StatusError} 400, 415 */
function take({ body, header }: ApiRequest): ApiAnswer {
  const format = formatOfBody(header('content-type'));
  try {
    if (!isObject(body, format)) throw new DocumentError('an event is an object');
  } catch (error) {
    throw error instanceof DocumentError ? badRequest(error.message) : error;
  }
  return { code: 201, contentType: mediaTypes[format], body };
}

function isObject(body: Uint8Array, format: Format): boolean {
  if (format === 'protobuf') return openEnvelope(body).kind === 'Event';
  const value = format === 'json' ? parseJson(toText(body)) : parseYaml(body).value;
  return value instanceof DocumentObject;
}

function refuse(_request: ApiRequest, name: string): never {
  throw new StatusError(404, 'NotFound', `events ${goQuote(name)} not found`, { details: { name, kind: 'events' } });
}

const lines: Lines<NamespaceObject> = {
  columns: ['Last Seen', 'Type', 'Reason', 'Object', 'Message'].map((name) => ({
    ...{ name, type: 'string', format: '', description: 'Of an event.', priority: 0 },
  })),
  cells: () => [],
};
