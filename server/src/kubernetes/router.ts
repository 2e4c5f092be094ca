import type { StreamAnswer } from './lease-api.js';
import type { ApiAnswer, ApiRequest } from './request.js';

/** One request on its way to whoever answers it. */
export interface Call {
  readonly request: ApiRequest;
  /** What the path has in the places of the pattern's parameters. */
  readonly parameters: Readonly<Record<string, string>>;
  /** For an answer that goes on: then the endpoint resolves to `undefined`. */
  readonly openStream: () => StreamAnswer;
  /** Asks whether the request may do something else as well. @throws {StatusError} 403 */
  readonly ask: (action: ResourceAction) => Promise<void>;
}

/** What answers one method of one path. */
export interface Endpoint {
  /** What the request wants to do to which resource, for those who decide whether it may; `undefined`: it is about the path alone. */
  readonly asks?: (call: Call) => ResourceAction;
  /** @throws {StatusError} what the request is refused with. */
  answer(call: Call): ApiAnswer | undefined | Promise<ApiAnswer | undefined>;
}

/** A verb of the Kubernetes API and what it is done to. */
export interface ResourceAction {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** A part of the object, such as its status; absent: it is about the whole. */
  readonly subresource?: string;
  /** Empty: all namespaces, or the resource has none. */
  readonly namespace: string;
  /** Empty: all of them, or one that has no name yet. */
  readonly name: string;
}

/** A path and the methods it takes. */
export interface Route {
  /** `/api/v1/namespaces/:name`: a part that begins with a colon is a parameter, and stands for any one part that is not empty. */
  readonly pattern: string;
  readonly methods: Readonly<Record<string, Endpoint>>;
}

/** A route that a path leads to. */
export interface Found {
  readonly methods: Route['methods'];
  readonly parameters: Readonly<Record<string, string>>;
}

/** In the place of a method: whatever it is. */
export const anyMethod = '*';

/** Finds the route of a path. */
export class Router {
  /** By the number of parts: few patterns are left to be looked at, and no path costs more for being long. */
  readonly #patterns = new Map<number, Pattern[]>();

  constructor(routes: readonly Route[]) {
    for (const { pattern, methods } of routes) {
      const parts = pattern.split('/');
      this.#patterns.set(parts.length, [...(this.#patterns.get(parts.length) ?? []), { parts, methods }]);
    }
  }

  /** `undefined`: there is none. */
  find(path: string): Found | undefined {
    const parts = path.split('/');
    for (const pattern of this.#patterns.get(parts.length) ?? []) {
      const parameters = match(pattern.parts, parts);
      if (parameters !== undefined) {
        return { methods: pattern.methods, parameters };
      }
    }
    return undefined;
  }
}

interface Pattern {
  readonly parts: readonly string[];
  readonly methods: Route['methods'];
}

function match(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const part = parts[index] ?? '';
    if (expected.startsWith(':') && part !== '') {
      parameters[expected.slice(1)] = part;
    } else if (expected !== part) {
      return undefined;
    }
  }
  return parameters;
}
