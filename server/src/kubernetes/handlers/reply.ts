import type { Clock, LeaseRecord } from '@leasehold/core';
import { encodeItems, encodeList, type AnyList } from '../codec/encode-list.js';
import { encode } from '../codec/encode.js';
import { parseIncludeObject } from '../codec/table.js';
import { transform, type LeaseAnswer, type Transformed } from '../codec/transform.js';
import { warningHeader } from '../codec/warnings.js';
import { toObject, withoutOwnAnnotations } from '../convert.js';
import { encodeLeases } from '../list/known-items.js';
import type { LeasePage } from '../list/read-list.js';
import type { Slots } from '../list/slots.js';
import { negotiate, type Negotiated } from '../negotiate.js';
import type { LeaseList } from '../objects.js';
import type { ApiAnswer, ApiRequest } from '../request.js';

/** How a request about leases is to be answered, which is found out before anything is done. */
export class Reply {
  readonly #accepted: Negotiated;
  readonly #request: ApiRequest;
  readonly #clock: Clock;

  /** @throws {StatusError} 406 */
  constructor(request: ApiRequest, clock: Clock, accept: (request: ApiRequest) => Negotiated = negotiate) {
    this.#accepted = accept(request);
    this.#request = request;
    this.#clock = clock;
  }

  /** @throws {StatusError} 406: the client wants a list where there is none, or none where there is one. */
  with(code: number, answer: LeaseAnswer, warnings: readonly string[] = []): ApiAnswer {
    const { as, ...representation } = this.#accepted;
    const headers = warnings.length === 0 ? {} : { headers: { warning: warningHeader(warnings) } };
    return { code, ...headers, ...encode(this.#transformed(this.#shown(answer)), representation) };
  }

  /** A list, of which a long one holds up nobody: others have their turns while it is written. @throws {StatusError} 406 */
  async withList({ records, metadata }: LeasePage, longLists: Slots): Promise<ApiAnswer> {
    const { as, format, pretty } = this.#accepted;
    const listOf = (some: readonly LeaseRecord[]): LeaseList => {
      return { kind: 'LeaseList', apiVersion: 'coordination.k8s.io/v1', metadata, items: some.map(toObject) };
    };
    // Indented it is for people, who ask for pages.
    if ((pretty && format === 'json') || records.length <= pieceMax) return this.with(200, listOf(records));
    const shown = (some: readonly LeaseRecord[]): AnyList => this.#transformed(this.#shown(listOf(some))) as AnyList;
    const written = (some: readonly LeaseRecord[]): string | Uint8Array =>
      as === undefined && format !== 'yaml' ? encodeLeases(some, format) : encodeItems(shown(some), format);
    const turn = (): Promise<void> => new Promise((resolve) => this.#clock.soon(resolve));
    const encoded = await longLists.run(() => encodeList(shown([]), piecesOf(records, written), format, turn));
    return { code: 200, ...encoded };
  }

  #shown(answer: LeaseAnswer): LeaseAnswer {
    return this.#accepted.format === 'yaml' ? asFile(answer) : answer;
  }

  #transformed(answer: LeaseAnswer): Transformed {
    const { as } = this.#accepted;
    return transform(answer, as, {
      includeObject: as?.kind === 'Table' ? parseIncludeObject(this.#request.query.get('includeObject')) : 'None',
      nowMs: this.#clock.wallMs(),
      withColumns: true,
    });
  }
}

/** How many leases of a list are written without a break: about a millisecond's worth. */
const pieceMax = 64;

function* piecesOf<T>(records: readonly LeaseRecord[], make: (piece: readonly LeaseRecord[]) => T): Generator<T> {
  for (let from = 0; from < records.length; from += pieceMax) yield make(records.slice(from, from + pieceMax));
}

/** YAML is for files, which are written back one day: what the server says of a lease by itself does not belong there. */
function asFile(answer: LeaseAnswer): LeaseAnswer {
  if (answer.kind === 'Lease') return withoutOwnAnnotations(answer);
  return answer.kind === 'LeaseList' ? { ...answer, items: answer.items.map(withoutOwnAnnotations) } : answer;
}
