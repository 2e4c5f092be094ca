import type { Group } from '../resources.js';
import { mediaTypes } from '../../codec/media-type.js';
import { pathsOf, titleOf, type Operation, type PathItem } from './operations.js';
import { parameters, type ParameterName } from './parameters.js';
import { metaNames } from './meta-schemas.js';
import type { Definition, PropertyType } from './schema.js';
import { definitions } from './schemas.js';

/** The OpenAPI 3.0 document of a group: its paths, and the definitions that they lead to. */
export function openApiV3(group: Group): object {
  const tag = `${titleOf(group).toLowerCase()}_v1`;
  const paths = pathsOf(group);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: '1.36' },
    paths: Object.fromEntries(paths.map((item) => [item.path, describePath(item, tag)])),
    components: {
      schemas: Object.fromEntries(reachable(paths).map((definition) => [definition.name, describeDefinition(definition)])),
      securitySchemes: {
        BearerToken: { type: 'apiKey', description: 'A bearer token.', name: 'authorization', in: 'header' },
      },
    },
  };
}

/** The definitions that paths lead to, straight or by way of others, in the order of their names. */
export function reachable(paths: readonly PathItem[]): Definition[] {
  const found = new Map<string, Definition>();
  const visit = (name: string): void => {
    const definition = definitions.get(name);
    if (definition === undefined || found.has(name)) {
      return;
    }
    found.set(name, definition);
    Object.values(definition.properties ?? {}).forEach(({ type }) => referencesIn(type).forEach(visit));
  };
  for (const { operations } of paths) {
    for (const { answers, body } of Object.values(operations)) {
      [...Object.values(answers), body?.schema ?? ''].forEach(visit);
    }
  }
  return [...found.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** The types that a patch comes in. */
export const patchTypes: readonly string[] = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

function referencesIn(type: PropertyType): string[] {
  if (type.is === 'list') {
    return referencesIn(type.of);
  }
  return type.is === 'reference' ? [type.to] : [];
}

function describePath({ parameters: names, operations }: PathItem, tag: string): object {
  const described = Object.entries(operations).map(([method, operation]) => [method, describeOperation(operation, tag)] as const);
  return { ...Object.fromEntries(described), ...describeParameters(names) };
}

function describeOperation(operation: Operation, tag: string): object {
  const { id, description, parameters: names, body, answers, streams, action } = operation;
  const responses = Object.entries(answers).map(([code, schema]): [string, object] => [
    code,
    { description: code === '200' ? 'OK' : code === '201' ? 'Created' : 'Accepted', content: contentOf(schema, streams) },
  ]);
  return {
    tags: [tag],
    description,
    operationId: id,
    ...describeParameters(names),
    ...(body === undefined ? {} : { requestBody: describeBody(body) }),
    responses: { ...Object.fromEntries(responses), 401: { description: 'Unauthorized' } },
    ...(action === undefined ? {} : { 'x-kubernetes-action': action.name, 'x-kubernetes-group-version-kind': action.kind }),
  };
}

function describeBody({ schema, required }: NonNullable<Operation['body']>): object {
  const types = schema === metaNames.patch ? patchTypes : ['*/*'];
  const content = Object.fromEntries(types.map((type) => [type, { schema: referenceTo(schema) }]));
  return required ? { content, required } : { content };
}

function contentOf(schema: string, streams: boolean): object {
  const { json, yaml, protobuf } = mediaTypes;
  const types = streams ? [json, `${json};stream=watch`, protobuf, `${protobuf};stream=watch`, yaml] : [json, protobuf, yaml];
  return Object.fromEntries(types.map((type) => [type, { schema: referenceTo(schema) }]));
}

function describeParameters(names: readonly ParameterName[]): object {
  const described = names.map((name) => {
    const { in: where, type, description } = parameters[name];
    const required = where === 'path' ? { required: true } : {};
    return { name, in: where, description, ...required, schema: { type, uniqueItems: true } };
  });
  return described.length === 0 ? {} : { parameters: described };
}

function describeDefinition({ description, properties, required, format, kinds, extensions }: Definition): object {
  if (format !== undefined) {
    return { description, type: 'string', format };
  }
  const described = Object.entries(properties ?? {}).map(([name, property]): [string, object] => [
    name,
    { description: property.description, ...describeType(property.type), ...property.extensions },
  ]);
  return {
    description,
    type: 'object',
    ...(required === undefined ? {} : { required }),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(described) }),
    ...(kinds === undefined ? {} : { 'x-kubernetes-group-version-kind': kinds }),
    ...extensions,
  };
}

function describeType(type: PropertyType): object {
  switch (type.is) {
    case 'reference':
      // A reference must stand alone, so that what else is to be said stands beside a list of one.
      return { ...(type.default === undefined ? {} : { default: type.default }), allOf: [referenceTo(type.to)] };
    case 'list':
      return { type: 'array', items: type.of.is === 'reference' ? referenceTo(type.of.to) : describeType(type.of) };
    case 'map':
      return { type: 'object', additionalProperties: { type: 'string' } };
    default: {
      const { is, ...rest } = type;
      return { type: is, ...rest };
    }
  }
}

function referenceTo(name: string): object {
  return { $ref: `#/components/schemas/${name}` };
}
