import { mediaTypes, parseMediaType } from '../../codec/media-type.js';
import type { ApiAnswer, ApiRequest } from '../../request.js';
import { anyMethod, type Route } from '../../router.js';
import { StatusError } from '../../status.js';
import { documentOf, jsonDocument, serveDocument, type Document } from '../document.js';
import { coreGroup, groups } from '../resources.js';
import { openApiV2 } from './v2.js';
import { writeOpenApiV2 } from './v2-protobuf.js';
import { openApiV3 } from './v3.js';

/** What objects and requests are made of: `/openapi/v3`, an index and a document for each group, and `/openapi/v2`, all in one. */
export function openApiRoutes(): readonly Route[] {
  const all = [coreGroup, ...groups];
  const documents = new Map(all.map((group) => [pathOf(group.name), jsonDocument(openApiV3(group))]));
  const links = [...documents].map(([path, { hash }]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]);
  const index = jsonDocument({ paths: Object.fromEntries(links) as object });
  const old = openApiV2(all);
  const inProtobuf = documentOf(writeOpenApiV2(old), protobufV2[0]);
  const oldForms = new Map([
    [mediaTypes.json, jsonDocument(old)],
    ...protobufV2.map((type): [string, Document] => [type, inProtobuf]),
  ]);
  return [
    reading('/openapi/v2', (request) => serveDocument(request, acceptable(request, oldForms))),
    reading('/openapi/v3', (request) => serveDocument(request, index)),
    ...[...documents].map(([path, document]) =>
      reading(`/openapi/v3/${path}`, (request) =>
        serveVersioned(request, acceptable(request, new Map([[mediaTypes.json, document]]))),
      ),
    ),
  ];
}

/** As kube-openapi calls it; the second is what client-go asks for, which is no valid media type by its `@`. */
const protobufV2 = [
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
] as const;

function pathOf(group: string): string {
  return group === '' ? 'api/v1' : `apis/${group}/v1`;
}

function reading(pattern: string, answer: (request: ApiRequest) => ApiAnswer): Route {
  return { pattern, methods: { [anyMethod]: { answer: ({ request }) => answer(request) } } };
}

/** The first form that a client accepts. @throws {StatusError} 406 */
function acceptable(request: ApiRequest, forms: ReadonlyMap<string, Document>): Document {
  const accept = request.header('accept') ?? '*/*';
  for (const { type } of accept.split(',').map(parseMediaType)) {
    for (const [form, document] of forms) {
      if (type === form || type === '*/*' || type === 'application/*') {
        return document;
      }
    }
  }
  const message = `only the following media types are accepted: ${[...forms.keys()].join(', ')}`;
  throw new StatusError(406, 'NotAcceptable', message);
}

/** Under the hash of a document it never changes; from another hash, an old one, the client is led to it. */
function serveVersioned(request: ApiRequest, document: Document): ApiAnswer {
  const hash = request.query.get('hash') ?? '';
  if (hash === '') {
    return serveDocument(request, document, { 'cache-control': 'no-cache, private' });
  }
  if (hash !== document.hash) {
    const location = `${request.path}?hash=${document.hash}`;
    return { code: 301, headers: { location }, contentType: document.contentType, body: '' };
  }
  return serveDocument(request, document, { 'cache-control': 'public, max-age=31536000, immutable' });
}
