/** A request to the Kubernetes API, read to its end. */
export interface ApiRequest {
  readonly method: string;
  /** Without the query; percent-decoded, without a slash at the end. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** A header, lower-case name; several of one name are joined by `, `. */
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
  /** Monotonic instant at which the bytes had been read: renewals count from here. */
  readonly readAtMs: number;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

/** What a request about leases asks for. */
export interface LeaseTarget {
  /** `undefined`: all namespaces. */
  readonly namespace: string | undefined;
  /** `undefined`: the collection. */
  readonly name: string | undefined;
  /** Asks whether whoever sent the request may also create the lease, which updates and applies do. @throws {StatusError} 403 */
  readonly askToCreate?: () => Promise<void>;
}

/** The answer to a request that is answered at once. A watch is answered otherwise. */
export interface ApiAnswer {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly body: string | Uint8Array;
}
