import { LeaseError } from '@leasehold/core';
import { anonymous, type Action, type Authorizer } from './access/authorizer.js';
import { forbidden } from './access/forbidden.js';
import { statusAnswer } from './http/error-answer.js';
import type { HttpApi } from './http/server.js';
import type { StreamAnswer } from './lease-api.js';
import { generalRefusal } from './refusal.js';
import type { ApiAnswer, ApiRequest } from './request.js';
import { Router, type Call, type Endpoint, type Route } from './router.js';
import { StatusError } from './status.js';

/** The Kubernetes API: finds who answers a request, and asks first whether it may be made. */
export class KubernetesApi implements HttpApi {
  readonly #router: Router;
  readonly #authorizer: Authorizer;

  constructor(routes: readonly Route[], authorizer: Authorizer) {
    this.#router = new Router(routes);
    this.#authorizer = authorizer;
  }

  async answer(request: ApiRequest, openStream: () => StreamAnswer): Promise<ApiAnswer | undefined> {
    const found = this.#router.find(request.path);
    if (found === undefined) {
      return notFound(request.path);
    }
    const endpoint = Object.hasOwn(found.methods, request.method) ? found.methods[request.method] : undefined;
    if (endpoint === undefined) {
      return methodNotAllowed(Object.keys(found.methods));
    }
    const call: Call = { request, parameters: found.parameters, openStream };
    await this.#authorize(call, endpoint);
    try {
      return await endpoint.answer(call);
    } catch (error) {
      throw error instanceof LeaseError ? (generalRefusal(error) ?? error) : error;
    }
  }

  async #authorize(call: Call, { asks }: Endpoint): Promise<void> {
    const { method, path } = call.request;
    const action: Action = asks === undefined ? { verb: method.toLowerCase(), path } : { ...asks(call), subresource: '' };
    const { allowed, reason } = await this.#authorizer.authorize(anonymous, action);
    if (!allowed) {
      throw forbidden(anonymous, action, reason);
    }
  }
}

/** As kube-apiserver has it: what looks like part of an API gets a Status, anything else gets what Go's library says. */
function notFound(path: string): ApiAnswer {
  if (!/^\/(api\/v1|apis\/(coordination|authorization|authentication)\.k8s\.io|version)(\/|$)/.test(path)) {
    return { code: 404, contentType: 'text/plain; charset=utf-8', body: '404 page not found\n' };
  }
  const message = 'the server could not find the requested resource';
  return statusAnswer(new StatusError(404, 'NotFound', message, { details: {} }).status);
}

function methodNotAllowed(allowed: readonly string[]): ApiAnswer {
  const message = 'the server does not allow this method on the requested resource';
  const answer = statusAnswer(new StatusError(405, 'MethodNotAllowed', message, { details: {} }).status);
  return { ...answer, headers: { allow: allowed.join(', ') } };
}
