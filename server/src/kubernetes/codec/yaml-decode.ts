import { isUtf8 } from 'node:buffer';
import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type Alias,
  type CST,
  type Document,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { DocumentError, DocumentNumber, DocumentObject, type DocumentValue } from './document.js';
import { goQuote } from './go-quote.js';
import { toText } from './json-parse.js';

/** A YAML document. */
export interface YamlDocument {
  readonly value: DocumentValue;
  /** Keys that come twice, in the words of Kubernetes, each with its line. */
  readonly duplicates: readonly string[];
}

/** What Kubernetes says of keys that come twice: all in one, a line for each. */
export function yamlComplaint(duplicates: readonly string[]): string {
  return `${complaintHead}${duplicates.map((line) => `  ${line}`).join('\n')}`;
}

/** The lines of such a complaint; of any other itself. */
export function linesOf(complaint: string): string[] {
  if (!complaint.startsWith(complaintHead)) return [complaint];
  const lines = complaint.slice(complaintHead.length).split('\n');
  return lines.map((line) => line.trim());
}

/**
 * Reads YAML as Kubernetes does, by way of JSON: YAML 1.1 without base 60, dates as text, keys as text and in order, the last of a key
 * that comes twice. Of several documents, the first counts.
 *
 * @throws DocumentError when it is not YAML, nests too deep, or comes to much more than what was written
 */
export function parseYaml(body: Uint8Array): YamlDocument {
  if (!isUtf8(body)) throw new DocumentError('yaml: invalid UTF-8');
  const text = toText(body);
  const lines = new LineCounter();
  const document = composeFirst(text, lines);
  const [error] = document.errors;
  if (error !== undefined) {
    throw new DocumentError(`yaml: line ${lines.linePos(error.pos[0]).line}: ${error.message}`);
  }
  const reader = new YamlReader(lines);
  const value = document.contents === null ? null : reader.value(document.contents);
  return { value, duplicates: reader.duplicates };
}

/** The library takes its time for each token, and composes by recursion: so both are counted before. */
function composeFirst(text: string, lines: LineCounter): Document.Parsed {
  const tokens = [...parseTokens(text, lines)];
  if (tokens.some(isTooDeep)) throw new DocumentError(`yaml: exceeded max depth of ${depthMax}`);
  const options = {
    version: '1.1',
    schema: 'failsafe',
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
    logLevel: 'error',
  } as const;
  for (const document of new Composer(options).compose(tokens, true, text.length)) return document;
  throw new DocumentError('yaml: expected a document');
}

/** What `Parser.parse` does, for so many lexemes and no more. */
function* parseTokens(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  let count = 0;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    count += 1;
    if (count > lexemesMax) throw new DocumentError(`yaml: exceeded max size of ${lexemesMax} tokens`);
    yield* parser.next(lexeme);
  }
  yield* parser.end();
}

function isTooDeep(root: CST.Token): boolean {
  let level: CST.Token[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > depthMax) return true;
    level = level.flatMap(childrenOf);
  }
  return false;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value];
  if (!('items' in token)) return [];
  return token.items.flatMap(({ key, value }) => [key, value].filter((child) => child !== undefined && child !== null));
}

class YamlReader {
  readonly duplicates: string[] = [];
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node>();
  /** Aliases that are being read: one that comes again contains itself. */
  readonly #active = new Set<string>();
  #aliased = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  value(node: Node): DocumentValue {
    if (isAlias(node)) return this.#through(node, (target) => this.value(target));
    // What an alias stands for counts for as often as it is used: a few lines could come to gigabytes.
    if (this.#active.size > 0) this.#aliased += 1 + (isScalar(node) ? String(node.value).length / textPerValue : 0);
    if (this.#aliased > aliasedMax) throw new DocumentError('yaml: document contains excessive aliasing');
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#object(node);
    if (isSeq(node)) return node.items.map((item) => this.value(item as Node));
    return isScalar(node) ? toValue(resolveScalar(node)) : null;
  }

  /** Reads what an alias stands for. */
  #through<T>({ source }: Alias, read: (node: Node) => T): T {
    const node = this.#anchors.get(source);
    if (node === undefined) throw new DocumentError(`yaml: unknown anchor '${source}' referenced`);
    if (this.#active.has(source)) throw new DocumentError(`yaml: anchor '${source}' value contains itself`);
    this.#active.add(source);
    try {
      return read(node);
    } finally {
      this.#active.delete(source);
    }
  }

  #object(node: YAMLMap): DocumentObject {
    const entries = new Map<string, DocumentValue>();
    const merged = new Map<string, DocumentValue>();
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      if (isMergeKey(pair.key)) {
        this.#merge(pair.value, merged);
        continue;
      }
      const key = this.#key(pair.key);
      if (entries.has(key)) this.#complain(pair, key);
      entries.set(key, pair.value === null ? null : this.value(pair.value));
    }
    for (const [key, value] of merged) if (!entries.has(key)) entries.set(key, value);
    const object = new DocumentObject();
    for (const key of [...entries.keys()].sort()) object.add(key, entries.get(key) ?? null);
    return object;
  }

  /** Adds the entries of one map or of several, of which the first counts. */
  #merge(node: Node | null, into: Map<string, DocumentValue>): void {
    if (isAlias(node)) {
      this.#through(node, (target) => this.#merge(target, into));
      return;
    }
    if (isSeq(node)) {
      for (const item of node.items) this.#merge(item as Node, into);
      return;
    }
    if (!isMap(node)) throw new DocumentError('yaml: map merge requires map or sequence of maps as the value');
    const object = this.#object(node);
    object.names.forEach((name, index) => {
      if (!into.has(name)) into.set(name, object.values[index] ?? null);
    });
  }

  #key(node: Node): string {
    const value = this.value(node);
    if (typeof value === 'string') return value;
    if (value instanceof DocumentNumber) return value.text;
    if (typeof value === 'boolean') return String(value);
    throw new DocumentError('yaml: invalid map key');
  }

  #complain({ key, value }: Pair<Node, Node | null>, name: string): void {
    if (this.duplicates.length >= duplicatesMax) return;
    const offset = (value ?? key).range?.[0] ?? 0;
    this.duplicates.push(`line ${this.#lines.linePos(offset).line}: key ${goQuote(name)} already set in map`);
  }
}

function isMergeKey(key: Node): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === '<<';
}

/** What a scalar stands for. Infinity, too, is `NaN`: JSON has neither. */
export type Resolved = null | boolean | string | bigint | number;

/** A scalar without quotes or with a tag of YAML's own stands for what it looks like; any other is text. */
function resolveScalar(node: Scalar): Resolved {
  const source = String(node.value);
  // Half of a character, which only an escape can write, is no text.
  if (/\p{Surrogate}/u.test(source)) throw new DocumentError('yaml: found invalid Unicode character escape code');
  switch (node.tag) {
    case 'tag:yaml.org,2002:binary':
      return Buffer.from(source, 'base64').toString();
    case undefined:
      return node.type === 'PLAIN' ? resolvePlain(source) : source;
    case 'tag:yaml.org,2002:bool':
    case 'tag:yaml.org,2002:float':
    case 'tag:yaml.org,2002:int':
    case 'tag:yaml.org,2002:null':
      return resolvePlain(source);
    default:
      return source;
  }
}

/** What a scalar without quotes stands for: itself, unless it looks like something else. */
export function resolvePlain(source: string): Resolved {
  if (nulls.test(source)) return null;
  if (trues.test(source)) return true;
  if (falses.test(source)) return false;
  if (notFinite.test(source)) return Number.NaN;
  if (!numeric.test(source)) return source;
  const digits = source.replaceAll('_', '');
  return toInteger(digits) ?? (float.test(digits) ? Number(digits) : source);
}

function toInteger(digits: string): bigint | undefined {
  const [, sign, body = ''] = integer.exec(digits) ?? [];
  if (sign === undefined) return undefined;
  // A leading zero alone makes an octal number, as in C.
  const magnitude = BigInt(/^0\d/.test(body) ? `0o${body.slice(1)}` : body);
  const value = sign === '-' ? -magnitude : magnitude;
  return value >= -(2n ** 63n) && value < 2n ** 64n ? value : undefined;
}

function toValue(resolved: Resolved): DocumentValue {
  if (Number.isNaN(resolved)) throw new DocumentError('json: unsupported value: NaN or infinite');
  if (typeof resolved === 'bigint' || typeof resolved === 'number') return new DocumentNumber(String(resolved));
  return resolved;
}

/** The library goes down four calls for each level. */
const depthMax = 100;

/** A lease with a thousand labels has some five thousand. */
const lexemesMax = 20_000;

const complaintHead = 'yaml: unmarshal errors:\n';

/** How many values aliases may stand for: far more than an object can have, far less than what hurts. */
const aliasedMax = 100_000;

/** Text counts as well: so many characters as one value. All that aliases may stand for is as much as the largest body has room for. */
const textPerValue = 32;

/** So many complaints are enough for anybody. */
const duplicatesMax = 100;

const nulls = /^(?:|~|null|Null|NULL)$/;
const trues = /^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const falses = /^(?:n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
/** Numbers begin with a digit, and their digits may be in groups unless they begin with a point. */
const numeric = /^(?:[-+\d]|\.[^_]*$)/;
const integer = /^([-+]?)(0|[1-9]\d*|0[0-7]+|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/;
const float = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;
const notFinite = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
