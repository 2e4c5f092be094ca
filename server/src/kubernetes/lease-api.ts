import type { ApiAnswer, ApiRequest, LeaseTarget } from './request.js';

/**
 * What can be asked about leases, one method for each verb of the Kubernetes API. The routes have checked that the path has what the
 * verb needs: a namespace for all but lists and watches, and a name for `get`, `update`, `patch` and `delete`.
 *
 * Each method @throws {StatusError} what the request is refused with. Whatever else is thrown is a fault of this server: logged once,
 * and answered with 500.
 */
export interface LeaseApi {
  get(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer>;
  list(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer>;
  create(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer>;
  update(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer>;
  patch(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer>;
  delete(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer>;
  deleteCollection(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer>;

  /**
   * Answers with events until the client goes, the server drains or the request's time is over. Resolves as soon as the stream goes on
   * by itself; what it throws before `stream.start` is the answer, what it throws later cuts the connection.
   */
  watch(request: ApiRequest, target: LeaseTarget, stream: StreamAnswer): Promise<void>;
}

/**
 * An answer that goes on: the body of an HTTP response, or the messages of a WebSocket. The request's signal aborts when it is over,
 * whoever ended it: the client by leaving, the server by shutting down, or `end`.
 */
export interface StreamAnswer {
  /**
   * Whether every chunk arrives as it was written, as a message of its own (WebSocket). Otherwise chunks run together, and what is in
   * them has to tell where one event ends: a newline after JSON, the length before protobuf.
   */
  readonly framed: boolean;

  /** Answers 200, and sends the headers at once. */
  start(head: StreamHead): void;

  /** Writes a chunk; text is sent as UTF-8. `false`: it wants no more until it calls what `onDrain` was given. It is taken all the same. */
  write(chunk: string | Uint8Array): boolean;

  /** What to call whenever more can be written after a `false`. */
  onDrain(resume: () => void): void;

  /** Ends the answer in order: what was written is sent. Once it is over, nothing happens. */
  end(): void;
}

/** What a stream begins with. */
export interface StreamHead {
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
}
