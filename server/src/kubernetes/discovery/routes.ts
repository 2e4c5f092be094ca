import { encode, type AnyObject } from '../codec/encode.js';
import { mediaTypes } from '../codec/media-type.js';
import { checkAccept, chooseFormat, negotiate, type AllowedTransforms } from '../negotiate.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { anyMethod, type Route } from '../router.js';
import { jsonDocument, serveDocument, type Document } from './document.js';
import { aggregated, aggregatedType, coreVersions, groupDocument, groupList, groupVersionOf, resourceList } from './documents.js';
import { coreGroup, groups } from './resources.js';
import { versionInfo } from './version.js';

/** What tells clients which version this server has and which resources: in one document for all of them, or in many as of old. */
export function discoveryRoutes(): readonly Route[] {
  const core = jsonDocument(aggregated([coreGroup]), aggregatedContentType);
  const others = jsonDocument(aggregated(groups), aggregatedContentType);
  return [
    inAnyCase('/', () => answerWith(index)),
    reading('/version', (request) => {
      checkAccept(request, [mediaTypes.json]);
      return answerWith(version);
    }),
    reading('/api', (request) => either(request, core, coreVersions(request.header('host') ?? ''))),
    inAnyCase('/apis', (request) => either(request, others, groupList())),
    reading('/api/v1', (request) => renderChecked(request, resourceList(coreGroup))),
    ...groups.flatMap((group) => [
      inAnyCase(`/apis/${group.name}`, (request) => render(request, groupDocument(group), nothing)),
      reading(`/apis/${groupVersionOf(group)}`, (request) => renderChecked(request, resourceList(group))),
    ]),
  ];
}

const aggregatedContentType = `application/json;g=${aggregatedType.group};v=${aggregatedType.version};as=${aggregatedType.kind}`;

const version = jsonDocument(versionInfo);

const index = jsonDocument({
  paths: [
    ...['/api', '/api/v1', '/apis'],
    ...groups.flatMap((group) => [`/apis/${group.name}`, `/apis/${groupVersionOf(group)}`]),
    ...['/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'],
  ],
});

function reading(pattern: string, answer: (request: ApiRequest) => ApiAnswer): Route {
  return { pattern, methods: { GET: { answer: ({ request }) => answer(request) } } };
}

/** Nobody looks at the method here: kube-apiserver does not, either. */
function inAnyCase(pattern: string, answer: (request: ApiRequest) => ApiAnswer): Route {
  return { pattern, methods: { [anyMethod]: { answer: ({ request }) => answer(request) } } };
}

function answerWith({ contentType, body }: Document): ApiAnswer {
  return { code: 200, contentType, body };
}

/** The aggregated document for those who ask for it, and the one of old for others. */
function either(request: ApiRequest, document: Document, old: object): ApiAnswer {
  const { as } = chooseFormat(request, isAggregated);
  return as === undefined ? render(request, old, isAggregated) : serveDocument(request, document);
}

const isAggregated: AllowedTransforms = ({ kind, group, version: asked }, format) =>
  format === 'json' && kind === aggregatedType.kind && group === aggregatedType.group && asked === aggregatedType.version;

const nothing: AllowedTransforms = () => false;

function render(request: ApiRequest, object: object, allowed: AllowedTransforms): ApiAnswer {
  return { code: 200, headers: { vary: 'Accept' }, ...encode(object as AnyObject, chooseFormat(request, allowed)) };
}

function renderChecked(request: ApiRequest, object: object): ApiAnswer {
  return { code: 200, ...encode(object as AnyObject, negotiate(request, nothing)) };
}
