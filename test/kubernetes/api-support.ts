import type { LeaseCoordinator, LeaseError } from '@leasehold/core';
import { allowAll, type Authorizer } from '../../server/dist/kubernetes/access/authorizer.js';
import { KubernetesApi } from '../../server/dist/kubernetes/api.js';
import { errorAnswer } from '../../server/dist/kubernetes/http/error-answer.js';
import type { LeaseApi, StreamAnswer, StreamHead } from '../../server/dist/kubernetes/lease-api.js';
import type { ApiAnswer, ApiRequest, LeaseTarget } from '../../server/dist/kubernetes/request.js';
import { createRoutes } from '../../server/dist/kubernetes/routes.js';
import { FakeClock } from '@leasehold/sdk/testing';

/** A verb that reached the handlers of leases. */
export interface Asked {
  readonly verb: string;
  readonly target: LeaseTarget;
}

/** Handlers of leases that remember what they were asked, unless something else is given in their place. */
export function recordingLeases(asked: Asked[] = [], instead: Partial<LeaseApi> = {}): LeaseApi {
  const answering =
    (verb: string) =>
    async (_request: ApiRequest, { namespace, name }: LeaseTarget) => {
      asked.push({ verb, target: { namespace, name } });
      return { code: 200, contentType: 'text/plain', body: verb };
    };
  return {
    get: answering('get'),
    list: answering('list'),
    create: answering('create'),
    update: answering('update'),
    patch: answering('patch'),
    delete: answering('delete'),
    deleteCollection: answering('deleteCollection'),
    async watch(_request, { namespace, name }, stream) {
      asked.push({ verb: 'watch', target: { namespace, name } });
      stream.start({ contentType: 'application/json' });
    },
    ...instead,
  };
}

export interface ApiParts {
  readonly leases?: LeaseApi;
  readonly authorizer?: Authorizer;
  /** Why there is no coordinator. */
  readonly refusal?: () => LeaseError | undefined;
  readonly namespaces?: readonly string[];
}

/** The API without HTTP around it. */
export class Api {
  readonly clock: FakeClock = new FakeClock();
  /** What was started by whoever answered with a stream. */
  readonly streams: string[] = [];
  readonly #api: KubernetesApi;

  constructor({ leases = recordingLeases(), authorizer = allowAll, refusal, namespaces = [] }: ApiParts = {}) {
    const coordinator = {
      revision: 7n,
      namespaces: () => namespaces,
      catchUp: () => Promise.resolve(),
    } as unknown as LeaseCoordinator;
    const current = (): LeaseCoordinator => {
      const error = refusal?.();
      if (error !== undefined) {
        throw error;
      }
      return coordinator;
    };
    const routes = createRoutes({ leases, engine: { current }, authorizer, clock: this.clock });
    this.#api = new KubernetesApi(routes, authorizer);
  }

  /** Asks as HTTP would, and reads a body of JSON. */
  async ask(method: string, url: string, asked: { headers?: Record<string, string>; body?: unknown } = {}): Promise<Answered> {
    const [path = '', query = ''] = url.split('?');
    const { headers = {}, body } = asked;
    const bytes = body instanceof Uint8Array ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body));
    const request: ApiRequest = {
      ...{ method, path, query: new URLSearchParams(query), body: bytes, readAtMs: this.clock.monotonicMs() },
      ...{ header: (name) => headers[name], signal: new AbortController().signal },
    };
    const stream = { framed: false, start: ({ contentType }: StreamHead) => this.streams.push(contentType) };
    const openStream = (): StreamAnswer => stream as unknown as StreamAnswer;
    return toAnswered(await this.#api.answer(request, openStream).catch((error: unknown) => errorAnswer(error, thrower)));
  }
}

/** `undefined`: it goes on as a stream. */
function toAnswered(answer: ApiAnswer | undefined): Answered {
  const { code, headers = {}, contentType, body } = answer ?? {};
  const text = Buffer.from(body ?? '').toString();
  const json = text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined;
  return { code, headers, contentType, text, json, body };
}

export interface Answered {
  readonly code: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  readonly text: string;
  readonly json: unknown;
  readonly body: string | Uint8Array | undefined;
}

/** A fault of the server fails the test. */
const thrower = {
  error(fields: Readonly<Record<string, unknown>>): void {
    throw fields['err'];
  },
};
