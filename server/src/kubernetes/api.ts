import { LeaseError } from '@leasehold/core';
import { anonymous, type Action, type Authorizer } from './access/authorizer.js';
import { forbidden } from './access/forbidden.js';
import { statusAnswer } from './http/error-answer.js';
import type { HttpApi } from './http/server.js';
import type { StreamAnswer } from './lease-api.js';
import { generalRefusal } from './refusal.js';
import type { ApiAnswer, ApiRequest } from './request.js';
import { checkTimeout } from './query.js';
import { anyMethod, Router, type Call, type Endpoint, type ResourceAction, type Route } from './router.js';
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
    checkTimeout(request.query);
    const found = this.#router.find(request.path);
    if (found === undefined) {
      return notFound(request);
    }
    const endpoint = endpointOf(found.methods, request.method) ?? endpointOf(found.methods, anyMethod);
    if (endpoint === undefined) {
      return methodNotAllowed(request, Object.keys(found.methods));
    }
    const call: Call = { request, parameters: found.parameters, openStream, ask: (action) => this.#ask(onWhole(action)) };
    const { method, path } = request;
    await this.#ask(endpoint.asks === undefined ? { verb: method.toLowerCase(), path } : onWhole(endpoint.asks(call)));
    try {
      return await endpoint.answer(call);
    } catch (error) {
      throw error instanceof LeaseError ? (generalRefusal(error) ?? error) : error;
    }
  }

  async #ask(action: Action): Promise<void> {
    const { allowed, reason } = await this.#authorizer.authorize(anonymous, action);
    if (!allowed) {
      throw forbidden(anonymous, action, reason);
    }
  }
}

function onWhole(action: ResourceAction): Action {
  return { subresource: '', ...action };
}

function endpointOf(methods: Route['methods'], name: string): Endpoint | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}

/** As kube-apiserver has it: what looks like part of an API gets a Status, anything else gets what Go's library says. */
function notFound({ path, header }: ApiRequest): ApiAnswer {
  if (!/^\/(api|apis\/(coordination|authorization|authentication)\.k8s\.io|version)(\/|$)/.test(path)) {
    return { code: 404, contentType: 'text/plain; charset=utf-8', body: '404 page not found\n' };
  }
  const message = 'the server could not find the requested resource';
  return statusAnswer(new StatusError(404, 'NotFound', message, { details: {} }).status, header);
}

function methodNotAllowed({ header }: ApiRequest, allowed: readonly string[]): ApiAnswer {
  const message = 'the server does not allow this method on the requested resource';
  const answer = statusAnswer(new StatusError(405, 'MethodNotAllowed', message, { details: {} }).status, header);
  return { ...answer, headers: { allow: allowed.join(', ') } };
}
