import type { CoordinatorOptions } from '@leasehold/core';
import { allowAll, type Authorizer } from '../../server/dist/kubernetes/access/authorizer.js';
import { KubernetesApi } from '../../server/dist/kubernetes/api.js';
import { errorAnswer } from '../../server/dist/kubernetes/http/error-answer.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { leaseRoutes } from '../../server/dist/kubernetes/lease-routes.js';
import { LeaseService } from '../../server/dist/kubernetes/lease-service.js';
import type { LeaseList } from '../../server/dist/kubernetes/objects.js';
import type { ApiRequest } from '../../server/dist/kubernetes/request.js';
import type { Status } from '../../server/dist/kubernetes/status.js';
import { World } from '../core/world.js';

/** What of a request a test says. */
export interface Asked {
  /** JSON, or text and bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer. Which of the three the body is, the test knows. */
export interface Answered {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly lease: LeaseObject;
  readonly list: LeaseList;
  readonly status: Status;
}

/** The path of the leases that tests are about; they are those of `world.ts` in test/core, too. */
export const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
export const one = `${leases}/example`;

export const merge = { 'content-type': 'application/merge-patch+json' };

/** The Kubernetes API over a coordinator that gRPC would work with as well, without either transport. */
export class LeaseWorld {
  readonly world: World;
  /** The ends of generated names, which are to come in this order. */
  readonly suffixes: string[] = [];
  readonly #api: KubernetesApi;

  private constructor(world: World, strict: boolean, authorizer: Authorizer) {
    this.world = world;
    const engine = { current: () => world.coordinator };
    const newSuffix = (): string => this.suffixes.shift() ?? 'zzzzz';
    this.#api = new KubernetesApi(leaseRoutes(new LeaseService({ engine, clock: world.clock, strict, newSuffix })), authorizer);
  }

  static async start({
    strict = false,
    authorizer = allowAll,
    ...options
  }: Partial<CoordinatorOptions> & { strict?: boolean; authorizer?: Authorizer } = {}): Promise<LeaseWorld> {
    return new LeaseWorld(await World.start(options), strict, authorizer);
  }

  async ask(method: string, url: string, { body, headers = {} }: Asked = {}): Promise<Answered> {
    const [path = '', query = ''] = url.split('?');
    const request: ApiRequest = {
      ...{ method, path, query: new URLSearchParams(query), body: toBytes(body) },
      readAtMs: this.world.clock.monotonicMs(),
      header: (name) => headers[name],
      signal: new AbortController().signal,
    };
    const stream = (): never => {
      throw new Error('not here');
    };
    const answer = await this.#api.answer(request, stream).catch((error: unknown) => errorAnswer(error, thrower));
    const { code = 0, headers: answered = {}, contentType = '', body: content = '' } = answer ?? {};
    const bytes = Buffer.from(content);
    const text = bytes.toString();
    const json = (contentType === 'application/json' ? JSON.parse(text) : undefined) as never;
    return { code, headers: answered, contentType, text, bytes, lease: json, list: json, status: json };
  }

  /** The lease as it is shown. */
  async get(): Promise<LeaseObject> {
    return (await this.ask('GET', one)).lease;
  }

  /** Creates the lease, and shows what has come of it. */
  async create(spec: object = {}, metadata: object = {}): Promise<LeaseObject> {
    const created = await this.ask('POST', leases, { body: { metadata: { name: 'example', ...metadata }, spec } });
    if (created.code !== 201) throw new Error(created.text);
    return created.lease;
  }
}

const times = { acquireTime: '2026-01-02T03:04:05.000001Z', renewTime: '2026-01-02T03:04:05.000001Z' };

/** A spec of a holder. */
export function heldBy(holderIdentity: string, leaseDurationSeconds = 10): object {
  return { holderIdentity, leaseDurationSeconds, leaseTransitions: 0, ...times };
}

/** An object to put back, changed. */
export function changed({ metadata, spec, ...object }: LeaseObject, parts: { metadata?: object; spec?: object }): object {
  return { ...object, metadata: { ...metadata, ...parts.metadata }, spec: { ...spec, ...parts.spec } };
}

function toBytes(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body));
}

/** A fault of the server fails the test. */
const thrower = {
  error(fields: Readonly<Record<string, unknown>>): void {
    throw fields['err'];
  },
};
