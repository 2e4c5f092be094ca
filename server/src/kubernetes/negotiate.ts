import { formats, mediaTypes, parseMediaType, type Format, type MediaType } from './codec/media-type.js';
import type { Representation } from './codec/encode.js';
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
  const pretty = wantsPretty(request);
  const accept = request.header('accept') ?? '';
  if (accept.trim() === '') return { format: 'json', pretty, as: undefined };
  const ranges = parseAccept(accept);
  for (const range of ranges) {
    const as = transformOf(range);
    const format = formats.find((candidate) => matches(range, candidate) && (as === undefined || allowed(as, candidate)));
    if (format !== undefined) return { format, pretty: pretty || range.parameters.get('pretty') === '1', as };
  }
  throw notAcceptable(ranges.some((range) => formats.some((format) => matches(range, format))));
}

/** The formats that a watch can be streamed in. */
export type StreamFormat = Exclude<Format, 'yaml'>;

/**
 * Chooses as `negotiate` does for a watch, which YAML has no form for.
 *
 * @throws StatusError 406
 */
export function negotiateWatch(request: Pick<ApiRequest, 'header' | 'query'>): Negotiated & { readonly format: StreamFormat } {
  const { format, ...rest } = negotiate(request);
  if (format === 'yaml') throw onlyAccepted([mediaTypes.json, mediaTypes.protobuf].map((type) => `${type};stream=watch`));
  return { format, ...rest };
}

/** Tables in JSON and YAML, metadata in protobuf, too. */
function transformsOfLeases({ kind, group, version }: Transform, format: Format): boolean {
  if (group !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return false;
  if (kind === 'Table') return format !== 'protobuf';
  return kind === 'PartialObjectMetadata' || kind === 'PartialObjectMetadataList';
}

/** The parts of the header, best first: by quality, then those without wildcards, then as they stand. */
function parseAccept(accept: string): MediaType[] {
  const ranges = accept.split(',').map(parseMediaType);
  const wildcards = ({ type }: MediaType): number => (type === '*/*' ? 2 : type.endsWith('/*') ? 1 : 0);
  return ranges
    .filter((range) => qualityOf(range) > 0)
    .sort((left, right) => qualityOf(right) - qualityOf(left) || wildcards(left) - wildcards(right));
}

function qualityOf({ parameters }: MediaType): number {
  const quality = Number(parameters.get('q') ?? 1);
  return Number.isNaN(quality) ? 1 : quality;
}

function matches({ type }: MediaType, format: Format): boolean {
  return type === mediaTypes[format] || type === 'application/*' || type === '*/*';
}

function transformOf({ parameters }: MediaType): Transform | undefined {
  const [kind, group, version] = ['as', 'g', 'v'].map((name) => parameters.get(name));
  if (kind === undefined && group === undefined && version === undefined) return undefined;
  return { kind: kind ?? '', group: group ?? '', version: version ?? '' };
}

/** By the query parameter, or else for clients behind which people sit. */
function wantsPretty({ query, header }: Pick<ApiRequest, 'header' | 'query'>): boolean {
  const pretty = query.get('pretty') ?? '';
  if (pretty !== '') return /^(?:1|t|T|true|TRUE|True)$/.test(pretty);
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(header('user-agent') ?? '');
}

/** The two parts of kube-apiserver that look at the header word it differently. */
function notAcceptable(isKnown: boolean): StatusError {
  const available = formats.map((format) => mediaTypes[format]);
  if (isKnown) return onlyAccepted(available);
  const message = `406: Not Acceptable\n\nAvailable representations: ${available.join(', ')}`;
  return new StatusError(406, 'NotAcceptable', message, { details: {} });
}

function onlyAccepted(types: readonly string[]): StatusError {
  return new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
}
