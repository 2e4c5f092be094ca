import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { openEnvelope } from '../../../server/dist/kubernetes/codec/envelope.js';
import { protobufShapes } from '../../../server/dist/kubernetes/codec/kinds.js';
import { readMessage } from '../../../server/dist/kubernetes/codec/protobuf.js';
import { differences, type Difference } from '../normal-answer.js';
import type { KubectlExchange } from '../recordings.js';

type Members = Record<string, unknown>;

/** Sends what kubectl once sent to another server, and tells where the answers differ from those that it got there. */
export class ExchangeReplay {
  readonly #port: number;
  /** Uids, versions and hashes of the other server, and what stands in their place here. */
  readonly #names = new Map<string, string>();
  /** ETags by path. */
  readonly #etags = new Map<string, string>();

  constructor(port: number) {
    this.#port = port;
  }

  async send(exchange: KubectlExchange): Promise<Difference[]> {
    const response = await this.#open(exchange);
    const { status, answerType = '', answer } = exchange;
    const contentType = response.headers['content-type'] ?? '';
    const found = differences({ status, contentType: answerType }, { status: response.statusCode, contentType });
    if (exchange.request.includes('watch=true')) {
      response.destroy();
      return found;
    }
    const bytes = Buffer.concat((await response.toArray()) as Buffer[]);
    if (response.statusCode === 200) this.#remember(exchange, response.headers, bytes);
    const recorded = valueOf(answer);
    const came = withoutOwn(valueOf(bytes, contentType));
    if (!isMembers(recorded) || !isMembers(came)) return found;
    this.#learn(recorded, came);
    return [...found, ...differences(this.#translated(recorded), came)];
  }

  async #open({ request: line, accept, userAgent, contentType, body, status }: KubectlExchange): Promise<IncomingMessage> {
    const [method = '', recordedPath = ''] = line.split(' ');
    const path = this.#translated(recordedPath);
    const etag = status === 304 ? this.#etags.get(path) : undefined;
    const sent = bytesOf(this.#translated(body));
    const headers = {
      ...{ accept, 'user-agent': userAgent },
      ...(contentType === undefined ? {} : { 'content-type': contentType, 'content-length': sent.length }),
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
    };
    const request = httpRequest({ host: '127.0.0.1', port: this.#port, agent: false, method, path, headers });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end(sent);
    const [response] = await answered;
    response.on('error', () => {});
    return response;
  }

  /** Keeps what later requests refer to: ETags, and the hash in the path of a document that is told in an index. */
  #remember({ request }: KubectlExchange, { etag }: IncomingHttpHeaders, bytes: Buffer): void {
    const path = request.split(' ')[1] ?? '';
    if (etag !== undefined) this.#etags.set(path, etag);
    if (!path.startsWith('/openapi/v3?')) return;
    const { paths } = JSON.parse(bytes.toString()) as { paths: Record<string, { serverRelativeURL: string }> };
    const here = paths['apis/coordination.k8s.io/v1']?.serverRelativeURL ?? '';
    this.#names.set(recordedHash, new URLSearchParams(here.split('?')[1]).get('hash') ?? '');
  }

  /** Pairs uids and versions at the same places with each other. */
  #learn(recorded: unknown, came: unknown, isList = false): void {
    if (!isMembers(recorded) || !isMembers(came)) return;
    for (const [key, value] of Object.entries(recorded)) {
      if (key === 'uid' || key === 'resourceVersion') this.#pair(value, came[key], isList);
      this.#learn(value, came[key], key === 'metadata' && /List$|^Table$/.test(String(recorded['kind'])));
    }
  }

  /** A version that an object got there has to be new here, too: nothing is learned of one that is not. */
  #pair(recorded: unknown, came: unknown, isList: boolean): void {
    if (typeof recorded !== 'string' || typeof came !== 'string' || this.#names.has(recorded)) return;
    if (isList || ![...this.#names.values()].includes(came)) this.#names.set(recorded, came);
  }

  #translated<T>(value: T): T {
    if (value === undefined) return value;
    const text = [...this.#names].reduce((all, [there, here]) => all.replaceAll(there, here), JSON.stringify(value));
    return JSON.parse(text) as T;
  }
}

/** The newest time that an answer tells: no earlier it was when it was given. */
export function newestTime(answer: unknown): number {
  if (typeof answer === 'string') return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(answer) ? Date.parse(answer) : 0;
  const value = valueOf(answer);
  return isMembers(value) ? Math.max(0, ...Object.values(value).map(newestTime)) : 0;
}

/** The one hash that kubectl asks for. */
const recordedHash =
  'F4B60C341AAC1BC7FA7BA35E198F650E5795EFC2354C798E03816A6A59A01DFAFDBB7E23D202CF639A5C4A040196A92C5F2D65199B571A901ED1E36587974313';

/** The value of a body: as it was recorded, or as it came. */
function valueOf(body: unknown, contentType = 'application/vnd.kubernetes.protobuf'): unknown {
  if (isBase64(body)) return valueOf(Buffer.from(body.base64, 'base64'));
  if (!Buffer.isBuffer(body)) return body;
  if (!contentType.includes('protobuf')) return body.length === 0 ? undefined : (JSON.parse(body.toString()) as unknown);
  const { apiVersion, kind, raw } = openEnvelope(body);
  const shape = protobufShapes.get(kind);
  return shape === undefined ? undefined : { apiVersion, kind, ...readMessage(shape, raw) };
}

function bytesOf(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  return isBase64(body) ? Buffer.from(body.base64, 'base64') : Buffer.from(JSON.stringify(body));
}

/** Without the annotations that are this server's alone, and without descriptions, which are worded otherwise. */
function withoutOwn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOwn);
  if (!isMembers(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]): [string, unknown][] => {
      if (key === 'description') return [];
      if (key !== 'annotations') return [[key, withoutOwn(member)]];
      const kept = Object.entries(member as Members).filter(([name]) => !name.startsWith('leasehold.dev/'));
      return kept.length === 0 ? [] : [[key, Object.fromEntries(kept)]];
    }),
  );
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value);
}

function isBase64(value: unknown): value is { readonly base64: string } {
  return isMembers(value) && typeof value['base64'] === 'string';
}
