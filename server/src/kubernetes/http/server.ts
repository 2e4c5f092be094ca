import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '@leasehold/core';
import { within } from '../../clock.js';
import type { StreamAnswer } from '../lease-api.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { StatusError } from '../status.js';
import { AnswerRoom } from './answer-room.js';
import { BodyReader, ClientGone, tooManyBytes } from './body.js';
import { Closing } from './closing.js';
import { errorAnswer, type FaultLog } from './error-answer.js';
import { HttpStream, type OpenStream } from './http-stream.js';
import { streamOf } from './http2-stream.js';
import { Connections, createListener, type ConnectionLimits, type TlsFiles } from './listener.js';
import { answerOnSocket, answerUnreadable } from './raw-answer.js';
import { headerOf, HttpRequest, type ReadBody } from './request.js';
import { sendAnswer } from './send-answer.js';
import { Turns } from './turns.js';
import { WebSocketStream } from './web-socket-stream.js';

/** What is served over HTTP. */
export interface HttpApi {
  /**
   * Answers a request, or answers it by the stream and resolves to `undefined`.
   *
   * @throws {StatusError} what it is refused with. Anything else is a fault of this server.
   */
  answer(request: ApiRequest, openStream: () => StreamAnswer): Promise<ApiAnswer | undefined>;
}

/** What an HTTP server is made of. */
export interface HttpServerOptions extends ConnectionLimits {
  readonly api: HttpApi;
  readonly clock: Clock;
  readonly log: FaultLog;
  /** A host name or an IP address without brackets; port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** `undefined`: connections are not encrypted. */
  readonly tls: TlsFiles | undefined;
}

/** The HTTP front: reads requests to their end, hands them to the API, and writes what it answers. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #listener: Server;
  readonly #bodies: BodyReader;
  readonly #answers = new AnswerRoom(allAnswersBytesMax);
  readonly #turns = new Turns();
  readonly #connections = new Connections();
  readonly #streams = new Set<OpenStream>();
  #isClosing = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#bodies = new BodyReader(options.clock, bodyLimits);
    const onRequest = (raw: IncomingMessage, response: ServerResponse): void => {
      this.#serve(raw, response).catch((error: unknown) => {
        options.log.error({ err: error }, 'An answer could not be sent');
        response.destroy();
      });
    };
    this.#listener = createListener(onRequest, this.#connections, options.tls, options)
      .on('upgrade', this.#upgrade)
      .on('clientError', (error, socket) => {
        // In the middle of a stream, an answer would be taken for a piece of it.
        if ([...this.#streams].some((stream) => stream.socket === socket)) socket.destroy();
        else answerUnreadable(error, socket);
      });
  }

  /** Begins to serve. Resolves to the port. @throws the address cannot be bound. */
  async listen(): Promise<number> {
    const { host, port } = this.#options.listen;
    try {
      await once(this.#listener.listen({ host, port }), 'listening');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`Listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${why}`, { cause: error });
    }
    return (this.#listener.address() as AddressInfo).port;
  }

  /** Ends all streams at once: what was promised from memory may not hold, so nothing more is said. */
  abortStreams(): void {
    [...this.#streams].forEach((stream) => stream.abort());
  }

  /** Refuses new connections, ends streams in order, lets requests under way end for `graceMs`, then cuts what is left. */
  async shutdown(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<'closed'>((resolve) => this.#listener.close(() => resolve('closed')));
    [...this.#streams].forEach((stream) => stream.end());
    this.#connections.closeSessions();
    if ((await within(this.#options.clock, graceMs, closed)) === undefined) {
      this.#connections.destroy();
      await closed;
    }
  }

  async #serve(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    // What fails closes as well, and that is what counts.
    response.on('error', ignore);
    const closing = new Closing(response);
    const openStream = (): OpenStream => new HttpStream(response, closing, (started) => this.#addStream(started, closing));
    try {
      await this.#turns.wait(raw, closing);
      const body = await this.#readBody(raw);
      const answer = await this.#answer(raw, () => new HttpRequest(raw, body, closing), openStream);
      if (answer !== undefined) {
        // What has been changed is answered in any case.
        if (raw.method === 'GET' && !this.#answers.admits(answer.body.length, closing)) throw tooManyBytes();
        this.#send(response, answer);
      }
    } catch (error) {
      if (!(error instanceof ClientGone)) this.#send(response, errorAnswer(error, this.#options.log, headerOf(raw)));
    }
  }

  readonly #upgrade = (raw: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const closing = new Closing(socket.on('error', () => socket.destroy()));
    const openStream = (): OpenStream =>
      new WebSocketStream({ raw, socket, head }, (started) => this.#addStream(started, closing));
    const request = (): HttpRequest => {
      checkOrigin(raw);
      return new HttpRequest(raw, this.#unread(), closing);
    };
    void this.#answer(raw, request, openStream).then((answer) => {
      if (answer !== undefined) {
        answerOnSocket(socket, answer);
      }
    });
  };

  /** Asks the API. Resolves to `undefined` when the answer goes on, or has been cut, as a stream. */
  async #answer(
    raw: IncomingMessage,
    makeRequest: () => HttpRequest,
    openStream: () => OpenStream,
  ): Promise<ApiAnswer | undefined> {
    const { api, log } = this.#options;
    let stream: OpenStream | undefined;
    try {
      return await api.answer(makeRequest(), () => (stream ??= openStream()));
    } catch (error) {
      const answer = errorAnswer(error, log, headerOf(raw));
      if (stream?.started !== true) {
        return answer;
      }
      stream.abort();
      return undefined;
    }
  }

  async #readBody(raw: IncomingMessage): Promise<ReadBody> {
    if (raw.method === 'GET' || raw.method === 'HEAD') {
      return this.#unread();
    }
    const body = await this.#bodies.read(streamOf(raw) ?? raw);
    if (raw.socket.writableEnded) {
      // What came behind it is no request, so that this one may have been meant otherwise: its client has been told so already.
      throw new ClientGone('What came behind the request is none');
    }
    return { body, readAtMs: this.#options.clock.monotonicMs() };
  }

  #unread(): ReadBody {
    return { body: new Uint8Array(), readAtMs: this.#options.clock.monotonicMs() };
  }

  #send(response: ServerResponse, answer: ApiAnswer): void {
    // Connections of HTTP/1.1 are not to be used again.
    if (this.#isClosing && response.req.httpVersionMajor === 1) response.setHeader('connection', 'close');
    sendAnswer(response, answer);
  }

  #addStream(stream: OpenStream, closing: Closing): void {
    this.#streams.add(stream);
    closing.onClose(() => this.#streams.delete(stream));
  }
}

/** Long lists to clients that are slow to read them, all together. */
const allAnswersBytesMax = 256 * 1024 ** 2;

const bodyLimits = {
  // As kube-apiserver has it (MaxRequestBodyBytes).
  bytesMax: 3 * 1024 ** 2,
  allBytesMax: 256 * 1024 ** 2,
  shortBytes: 64 * 1024,
  // As kube-apiserver has it (--request-timeout).
  timeoutMs: 60_000,
};

/**
 * A page of another site must not reach a server on the reader's own machine: browsers let pages open WebSockets to anywhere, and say in
 * `Origin` whose page it is. Other clients name the server itself there, or nobody.
 *
 * @throws {StatusError} 403
 */
function checkOrigin({ headers }: IncomingMessage): void {
  const { origin, host } = headers;
  if (origin !== undefined && hostOf(origin) !== hostOf(`http://${host ?? ''}`)) {
    throw new StatusError(403, 'Forbidden', 'a WebSocket must be opened from the host that it is opened to');
  }
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

function ignore(): void {
  return;
}
