import { formats, mediaTypes, type Format } from './codec/media-type.js';
import type { Representation } from './codec/encode.js';
import { Memo } from './memo.js';
import type { ApiRequest } from './request.js';
import { StatusError } from './status.js';

/** Another kind that an answer is to be turned into: a table, or metadata alone. */
export interface Transform {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
}

/** What the client of a request wants to be answered with. */
export interface Negotiated extends Representation {
  readonly as: Transform | undefined;
}

/** Which transforms an answer can be given in, and in which formats. */
export type AllowedTransforms = (transform: Transform, format: Format) => boolean;

/**
 * Chooses the best that a client accepts (`Accept`, with quality values and wildcards) of what can be had. Without the header it is JSON.
 *
 * @throws StatusError 406
 */
export function negotiate(
  request: Pick<ApiRequest, 'header' | 'query'>,
  allowed: AllowedTransforms = transformsOfLeases,
): Negotiated {
  checkAccept(request, formatTypes);
  return chooseFormat(request, allowed);
}

/** The same where what is asked for can be watched, too: kube-apiserver then names the types of streams as well. */
export function negotiateList(request: Pick<ApiRequest, 'header' | 'query'>): Negotiated {
  checkAccept(request, [...formatTypes, ...streamTypes]);
  return chooseFormat(request, transformsOfLeases);
}

/**
 * The first look of kube-apiserver at the header, for most paths: one of the formats has to stand there to the letter, or any.
 *
 * @throws StatusError 406
 */
export function checkAccept({ header }: Pick<ApiRequest, 'header'>, types: readonly string[]): void {
  const accept = header('accept') ?? '';
  if (accept === '') return;
  if (accepts.of(accept).named.some((type) => type === '*/*' || types.includes(type))) return;
  const message = `406: Not Acceptable\n\nAvailable representations: ${types.join(', ')}`;
  throw new StatusError(406, 'NotAcceptable', message, { details: {} });
}

/** Its second look: what the best part of the header that can be served asks for. @throws StatusError 406 */
export function chooseFormat(request: Pick<ApiRequest, 'header' | 'query'>, allowed: AllowedTransforms): Negotiated {
  const pretty = wantsPretty(request);
  const accept = request.header('accept') ?? '';
  if (accept === '') return { format: 'json', pretty, as: undefined };
  for (const clause of accepts.of(accept).clauses) {
    const { as } = clause;
    const format = formats.find((candidate) => matches(clause, candidate) && isServed(clause, as, candidate, allowed));
    if (format !== undefined) return { format, pretty: pretty || clause.parameters.get('pretty') === '1', as };
  }
  throw onlyAccepted(formatTypes);
}

/** The formats that a watch can be streamed in. */
export type StreamFormat = Exclude<Format, 'yaml'>;

/**
 * Chooses as `negotiate` does for a watch, which YAML has no form for.
 *
 * @throws StatusError 406
 */
export function negotiateWatch(request: Pick<ApiRequest, 'header' | 'query'>): Negotiated & { readonly format: StreamFormat } {
  const { format, ...rest } = negotiateList(request);
  if (format === 'yaml') throw onlyAccepted(streamTypes);
  return { format, ...rest };
}

const formatTypes = formats.map((format) => mediaTypes[format]);
const streamTypes = [mediaTypes.json, mediaTypes.protobuf].map((type) => `${type};stream=watch`);

/** Tables in JSON and YAML, metadata in protobuf, too. */
function transformsOfLeases({ kind, group, version }: Transform, format: Format): boolean {
  if (group !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return false;
  if (kind === 'Table') return format !== 'protobuf';
  return kind === 'PartialObjectMetadata' || kind === 'PartialObjectMetadataList';
}

/** A part of the header: a type or a pattern of types, and what is asked for with it. */
interface Clause {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
  readonly parameters: ReadonlyMap<string, string>;
  readonly as: Transform | undefined;
}

/** What a header names: to the letter, and as it is meant. Clients are programs, of which few kinds send always the same. */
const accepts = new Memo(100, (accept) => ({
  named: accept.split(',').map((part) => trimSpaces(part.split(';', 1)[0] ?? '')),
  clauses: parseAccept(accept),
}));

/** The parts of the header, best first: by quality, then those without wildcards, then as they stand. */
function parseAccept(accept: string): Clause[] {
  const clauses = accept.split(',').flatMap((part) => parseClause(trimSpaces(part)) ?? []);
  // A clause is moved in front of those that it comes before, as Go's sort does with as few: the order is none that others could find.
  for (let end = 1; end < clauses.length; end += 1) {
    for (let at = end; at > 0; at -= 1) {
      const [left, right] = [clauses[at - 1], clauses[at]];
      if (left === undefined || right === undefined || !comesFirst(right, left)) break;
      [clauses[at - 1], clauses[at]] = [right, left];
    }
  }
  return clauses;
}

function comesFirst(clause: Clause, other: Clause): boolean {
  return (
    clause.quality > other.quality ||
    (clause.type !== '*' && other.type === '*') ||
    (clause.subtype !== '*' && other.subtype === '*')
  );
}

/** `undefined`: it is none, and goes for nothing. */
function parseClause(text: string): Clause | undefined {
  const [range = '', ...rest] = text.split(';');
  const [type = '', subtype = '', ...more] = range.split('/').map(trimSpaces);
  if (more.length > 0 || (subtype === '' && type !== '*')) return undefined;
  const parameters = parseParameters(rest);
  const quality = parameters.get('q');
  return {
    type,
    subtype: subtype === '' ? '*' : subtype,
    quality: quality === undefined ? 1 : Number(quality) || 0,
    parameters,
    as: transformOf(parameters),
  };
}

function parseParameters(texts: readonly string[]): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const parameter of texts) {
    const [name = '', value = '', ...others] = parameter.split('=');
    if (value !== '' && others.length === 0) parameters.set(trimSpaces(name), trimSpaces(value));
  }
  return parameters;
}

function matches({ type, subtype }: Clause, format: Format): boolean {
  const [itsType, itsSubtype] = mediaTypes[format].split('/');
  return (type === itsType || (type === '*' && subtype === '*')) && (subtype === itsSubtype || subtype === '*');
}

function isServed({ parameters }: Clause, as: Transform | undefined, format: Format, allowed: AllowedTransforms): boolean {
  const stream = parameters.get('stream');
  if (stream !== undefined && (stream !== 'watch' || format === 'yaml')) return false;
  return (parameters.get('sv') ?? 'v1') === 'v1' && (as === undefined || allowed(as, format));
}

function transformOf(parameters: Clause['parameters']): Transform | undefined {
  const [kind, group, version] = ['as', 'g', 'v'].map((name) => parameters.get(name));
  if (kind === undefined && group === undefined && version === undefined) return undefined;
  return { kind: kind ?? '', group: group ?? '', version: version ?? '' };
}

function trimSpaces(text: string): string {
  let [start, end] = [0, text.length];
  while (text[start] === ' ') start += 1;
  while (end > start && text[end - 1] === ' ') end -= 1;
  return text.slice(start, end);
}

/** By the query parameter, or else for clients behind which people sit. */
function wantsPretty({ query, header }: Pick<ApiRequest, 'header' | 'query'>): boolean {
  const pretty = query.get('pretty') ?? '';
  if (pretty !== '') return /^(?:1|t|T|true|TRUE|True)$/.test(pretty);
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(header('user-agent') ?? '');
}

function onlyAccepted(types: readonly string[]): StatusError {
  return new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
}
