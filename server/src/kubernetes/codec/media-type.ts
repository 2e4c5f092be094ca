import { Memo } from '../memo.js';
import { StatusError } from '../status.js';

/** How objects travel. */
export type Format = 'json' | 'yaml' | 'protobuf';

export const mediaTypes: Readonly<Record<Format, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

/** A media type with its parameters, as in `Content-Type` and in each part of `Accept`. Names are in lower case. */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

export function parseMediaType(text: string): MediaType {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  const entries = parameters.map((parameter): [string, string] => {
    const mark = parameter.indexOf('=');
    const name = mark === -1 ? parameter : parameter.slice(0, mark).trimEnd();
    const value = mark === -1 ? '' : parameter.slice(mark + 1).trimStart();
    return [name.toLowerCase(), value.replace(/^"(.*)"$/s, '$1')];
  });
  return { type: type.toLowerCase(), parameters: new Map(entries) };
}

/**
 * How a body is written. Without a content type it is JSON: the Python client sends none.
 *
 * @throws StatusError 415
 */
export function formatOfBody(contentType: string | undefined): Format {
  if (contentType === undefined || contentType === '') return 'json';
  const format = types.of(contentType);
  if (format === undefined) throw unsupportedMediaType(Object.values(mediaTypes));
  return format;
}

/** What a content type means here. */
const types = new Memo(100, (contentType): Format | undefined => {
  const { type } = parseMediaType(contentType);
  return areParameters.test(contentType) ? formats.find((candidate) => mediaTypes[candidate] === type) : undefined;
});

/** What may stand behind the type (RFC 2045), and a semicolon too many. */
const areParameters = /^[^;]*(?:;\s*[^\s;=",/]+\s*=\s*(?:[^\s;",=/]+|"(?:[^"\\]|\\.)*")\s*)*;?\s*$/;

/** 415: a body that nobody here can read. */
export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return new StatusError(415, 'UnsupportedMediaType', message);
}

/** In the order in which Kubernetes prefers and names them. */
export const formats: readonly Format[] = ['json', 'yaml', 'protobuf'];
