import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { StreamHead } from '../lease-api.js';
import type { OpenStream } from './http-stream.js';

/** A request that asks to go on as a WebSocket. */
export interface UpgradeRequest {
  readonly raw: IncomingMessage;
  readonly socket: Duplex;
  /** What came after the request in one piece with it. */
  readonly head: Buffer;
}

/**
 * An answer that goes on as the messages of a WebSocket: text for text, binary for bytes. The handshake waits for the start, so that
 * a refusal is an ordinary HTTP answer.
 */
export class WebSocketStream implements OpenStream {
  readonly framed = true;
  readonly #request: UpgradeRequest;
  readonly #onStart: (stream: OpenStream) => void;
  #webSocket: WebSocket | undefined;
  #started = false;

  /** `onStart` is called before anything is written. */
  constructor(request: UpgradeRequest, onStart: (stream: OpenStream) => void) {
    this.#request = request;
    this.#onStart = onStart;
  }

  get started(): boolean {
    return this.#started;
  }

  get socket(): Duplex {
    return this.#request.socket;
  }

  start(_head: StreamHead): void {
    const { raw, socket, head } = this.#request;
    this.#started = true;
    this.#onStart(this);
    // Calls back before it returns, or not at all: then it has answered that the handshake is not one.
    handshakes.handleUpgrade(raw, socket, head, (webSocket) => {
      this.#webSocket = webSocket;
      webSocket.on('error', () => webSocket.terminate());
    });
  }

  write(chunk: string | Uint8Array): boolean {
    const webSocket = this.#webSocket;
    if (webSocket?.readyState !== webSocket?.OPEN) {
      return true;
    }
    webSocket?.send(chunk);
    return !this.#request.socket.writableNeedDrain;
  }

  onDrain(resume: () => void): void {
    this.#request.socket.on('drain', resume);
  }

  end(): void {
    this.#webSocket?.close(normalClosure);
  }

  abort(): void {
    this.#request.socket.destroy();
  }
}

/** Clients of a watch have nothing to say: whoever does is cut off. */
const messageBytesMax = 4096;

/** What a token stands behind, as kube-apiserver has it. */
const tokenProtocol = 'base64url.bearer.authorization.k8s.io.';

/** RFC 6455, 7.4.1. */
const normalClosure = 1000;

const handshakes = new WebSocketServer({
  noServer: true,
  // Browsers cannot send headers: they put their token among the protocols, where nobody is to see it again.
  handleProtocols: (protocols) => [...protocols].find((protocol) => !protocol.startsWith(tokenProtocol)) ?? false,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: messageBytesMax,
});
