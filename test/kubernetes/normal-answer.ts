import type { IncomingHttpHeaders } from 'node:http';

/** An answer as it came. */
export interface RawAnswer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  /** JSON as its value, anything else as text; of a watch, its events. */
  readonly body: unknown;
}

/** An answer with names in the place of what differs from run to run. */
export interface NormalAnswer {
  readonly status: number | undefined;
  readonly contentType: string;
  readonly warning?: string;
  readonly retryAfter?: string;
  readonly body: unknown;
}

type Members = Record<string, unknown>;

/**
 * Makes the answers of one case comparable: uids, versions, times of the server and generated names become names, the same ones for the
 * same values. Annotations that are this server's alone are left out.
 */
export class Normalizer {
  readonly #namespace: string;
  /** Kind and value, and the name of it. */
  readonly #names = new Map<string, string>();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  answer({ status, headers, body }: RawAnswer): NormalAnswer {
    const { warning, 'retry-after': retryAfter } = headers;
    return {
      status,
      contentType: (headers['content-type'] ?? '').replace(/; ?charset=utf-8/i, ''),
      ...(typeof warning === 'string' ? { warning } : {}),
      ...(retryAfter === undefined ? {} : { retryAfter }),
      body: typeof body === 'string' ? this.#text(body) : this.#value(body, ''),
    };
  }

  #value(value: unknown, key: string): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#value(item, key));
    if (typeof value === 'object' && value !== null) return this.#object(value as Members);
    if (key === 'description') return '<text>';
    if (key === 'uid') return this.#name('uid', value);
    if (key === 'resourceVersion') return this.#name('rv', value);
    if (typeof value !== 'string') return value;
    return isRecent(value) ? '<now>' : this.#withNames(key, value).replaceAll(this.#namespace, '<ns>');
  }

  #object(object: Members): Members {
    const { kind } = object;
    const isList = typeof kind === 'string' && /List$|^Table$|^Status$/.test(kind);
    const entries = Object.entries(object)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .flatMap(([key, value]): [string, unknown][] => {
        if (key === 'metadata' && isList && value !== null) return [[key, ofList(value as Members)]];
        if (key === 'annotations' || key === 'f:annotations') {
          const kept = ofClients(value as Members);
          const isGone = Object.keys(kept).length === 0 && Object.keys(value as Members).length > 0;
          return isGone ? [] : [[key, this.#value(kept, key)]];
        }
        return [[key, this.#value(value, key)]];
      });
    const normal = Object.fromEntries(entries);
    const { name, generateName } = object;
    const isGenerated = typeof name === 'string' && typeof generateName === 'string' && name.startsWith(generateName);
    return isGenerated ? { ...normal, name: this.#name('generated', name) } : normal;
  }

  /** A body that is no JSON, such as YAML. */
  #text(text: string): string {
    const values = /(uid: |resourceVersion: |time: |creationTimestamp: )"?[\w:.-]+"?/g;
    return text.replaceAll(values, '$1<varies>').replaceAll(this.#namespace, '<ns>');
  }

  /** Messages quote what differs from run to run. */
  #withNames(key: string, text: string): string {
    if (key !== 'message') return text;
    const known = [...this.#names].map(([value, name]) => [value.slice(value.indexOf(' ') + 1), name] as const);
    return known.filter(([value]) => value.length > 8).reduce((all, [value, name]) => all.replaceAll(value, name), text);
  }

  #name(kind: string, value: unknown): string {
    const key = `${kind} ${String(value)}`;
    const count = [...this.#names.keys()].filter((known) => known.startsWith(`${kind} `)).length;
    const name = this.#names.get(key) ?? `<${kind}-${count + 1}>`;
    this.#names.set(key, name);
    return name;
  }
}

/** The paths of all leaves that differ: what was recorded there, and what came. */
export function differences(recorded: unknown, came: unknown, path = ''): Difference[] {
  if (Object.is(recorded, came)) return [];
  if (path.endsWith('message') && withoutObjects(recorded) === withoutObjects(came)) return [];
  if (isContainer(recorded) && isContainer(came) && Array.isArray(recorded) === Array.isArray(came)) {
    const keys = new Set([...Object.keys(recorded), ...Object.keys(came)]);
    return [...keys].flatMap((key) => differences(recorded[key], came[key], `${path}.${key}`));
  }
  return [{ path, recorded, came }];
}

/** A message without the objects that it quotes: their fields come in any order. */
function withoutObjects(message: unknown): unknown {
  return typeof message === 'string' ? message.replace(/"\{.*\}"/s, '<object>') : message;
}

export interface Difference {
  readonly path: string;
  readonly recorded: unknown;
  readonly came: unknown;
}

function isContainer(value: unknown): value is Members {
  return typeof value === 'object' && value !== null;
}

function ofList({ resourceVersion, continue: token, ...metadata }: Members): Members {
  return {
    ...metadata,
    ...(resourceVersion === undefined ? {} : { resourceVersion: '<list-rv>' }),
    ...(token === undefined ? {} : { continue: '<continue>' }),
  };
}

function ofClients(annotations: Members): Members {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.replace(/^f:/, '').startsWith('leasehold.dev/')));
}

/** Whether a text is a time of this run; those that cases write are long past. */
function isRecent(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text) && Math.abs(Date.parse(text) - Date.now()) < 3_600_000;
}
