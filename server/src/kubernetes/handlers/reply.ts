import type { Clock } from '@leasehold/core';
import { encode } from '../codec/encode.js';
import { parseIncludeObject } from '../codec/table.js';
import { transform, type LeaseAnswer } from '../codec/transform.js';
import { warningHeader } from '../codec/warnings.js';
import { withoutOwnAnnotations } from '../convert.js';
import { negotiate, type Negotiated } from '../negotiate.js';
import type { ApiAnswer, ApiRequest } from '../request.js';

/** How a request about leases is to be answered, which is found out before anything is done. */
export class Reply {
  readonly #accepted: Negotiated;
  readonly #request: ApiRequest;
  readonly #clock: Clock;

  /** @throws {StatusError} 406 */
  constructor(request: ApiRequest, clock: Clock) {
    this.#accepted = negotiate(request);
    this.#request = request;
    this.#clock = clock;
  }

  /** @throws {StatusError} 406: the client wants a list where there is none, or none where there is one. */
  with(code: number, answer: LeaseAnswer, warnings: readonly string[] = []): ApiAnswer {
    const { as, ...representation } = this.#accepted;
    const shown = representation.format === 'yaml' ? asFile(answer) : answer;
    const transformed = transform(shown, as, {
      includeObject: as?.kind === 'Table' ? parseIncludeObject(this.#request.query.get('includeObject')) : 'None',
      nowMs: this.#clock.wallMs(),
      withColumns: true,
    });
    const headers = warnings.length === 0 ? {} : { headers: { warning: warningHeader(warnings) } };
    return { code, ...headers, ...encode(transformed, representation) };
  }
}

/** YAML is for files, which are written back one day: what the server says of a lease by itself does not belong there. */
function asFile(answer: LeaseAnswer): LeaseAnswer {
  if (answer.kind === 'Lease') return withoutOwnAnnotations(answer);
  return answer.kind === 'LeaseList' ? { ...answer, items: answer.items.map(withoutOwnAnnotations) } : answer;
}
