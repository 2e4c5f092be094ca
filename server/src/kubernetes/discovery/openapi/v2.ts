import { mediaTypes } from '../../codec/media-type.js';
import type { Group } from '../resources.js';
import { metaNames } from './meta-schemas.js';
import { pathsOf, titleOf, type Operation, type PathItem } from './operations.js';
import { parameters, type ParameterName } from './parameters.js';
import type { Definition, PropertyType } from './schema.js';
import { patchTypes, reachable } from './v3.js';

/** What a document of OpenAPI 2.0 is made of here: plain JSON. */
export type Part = string | boolean | readonly Part[] | Members;

/** Parts by name. */
export interface Members {
  readonly [key: string]: Part;
}

/** The OpenAPI 2.0 document of all groups: kubectl before 1.27, Helm and Terraform read it. */
export function openApiV2(groups: readonly Group[]): Members {
  const described = groups.map((group) => ({ tag: `${titleOf(group).toLowerCase()}_v1`, paths: pathsOf(group) }));
  const paths = described.flatMap(({ tag, paths: items }) => items.map((item) => [item.path, describePath(item, tag)] as const));
  const definitions = reachable(described.flatMap(({ paths: items }) => items));
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: 'v1.36.0' },
    paths: Object.fromEntries(paths),
    definitions: Object.fromEntries(definitions.map((definition) => [definition.name, describeDefinition(definition)])),
  };
}

function describePath({ parameters: names, operations }: PathItem, tag: string): Part {
  const described = Object.entries(operations).map(([method, operation]) => [method, describeOperation(operation, tag)] as const);
  return { ...Object.fromEntries(described), ...(names.length === 0 ? {} : { parameters: names.map(describeParameter) }) };
}

function describeOperation(operation: Operation, tag: string): Part {
  const { id, description, parameters: names, body, answers, streams, action } = operation;
  const { json, yaml, protobuf } = mediaTypes;
  const responses = Object.entries(answers).map(
    ([code, schema]) => [code, { description: 'OK', schema: referenceTo(schema) }] as const,
  );
  const sent: Part[] =
    body === undefined ? [] : [{ name: 'body', in: 'body', required: body.required, schema: referenceTo(body.schema) }];
  return {
    tags: [tag],
    description,
    operationId: id,
    consumes: body?.schema === metaNames.patch ? patchTypes : ['*/*'],
    produces: [json, yaml, protobuf, ...(streams ? [`${json};stream=watch`, `${protobuf};stream=watch`] : [])],
    parameters: [...sent, ...names.map(describeParameter)],
    responses: { ...Object.fromEntries(responses), 401: { description: 'Unauthorized' } },
    ...(action === undefined
      ? {}
      : { 'x-kubernetes-action': action.name, 'x-kubernetes-group-version-kind': { ...action.kind } }),
  };
}

function describeParameter(name: ParameterName): Part {
  const { in: where, type, description } = parameters[name];
  return { name, in: where, type, description, uniqueItems: true, ...(where === 'path' ? { required: true } : {}) };
}

function describeDefinition({ description, properties, required, format, kinds, extensions }: Definition): Part {
  if (format !== undefined) {
    return { description, type: 'string', format };
  }
  const described = Object.entries(properties ?? {}).map(([name, property]) => [
    name,
    { description: property.description, ...describeType(property.type), ...property.extensions },
  ]);
  return {
    description,
    type: 'object',
    ...(required === undefined ? {} : { required }),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(described) as Part }),
    ...(kinds === undefined ? {} : { 'x-kubernetes-group-version-kind': kinds.map((kind) => ({ ...kind })) }),
    ...extensions,
  };
}

function describeType(type: PropertyType): Members {
  switch (type.is) {
    case 'reference':
      return referenceTo(type.to);
    case 'list':
      return { type: 'array', items: describeType(type.of) };
    case 'map':
      return { type: 'object', additionalProperties: { type: 'string' } };
    default:
      return { type: type.is, ...(type.format === undefined ? {} : { format: type.format }) };
  }
}

function referenceTo(name: string): Members {
  return { $ref: `#/definitions/${name}` };
}
