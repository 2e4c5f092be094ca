import { createServer, IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createSecureServer, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';

/** How connections are encrypted, as PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs the certificates that clients have to show; `undefined`: they show none. */
  readonly clientCa: Buffer | undefined;
}

/** Bounds of connections. */
export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** Requests under way on one HTTP/2 connection. */
  readonly streamsPerConnectionMax: number;
}

/** The connections of a listener, for its end. */
export class Connections {
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #closing = false;

  addSocket(socket: Socket): void {
    // Clients that vanish without a word hold their connection until the system finds out.
    socket.setKeepAlive(true, keepAliveProbeMs);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  addSession(session: ServerHttp2Session): void {
    session.setTimeout(idleMs, () => session.close());
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    if (this.#closing) {
      // Its handshake was under way when the end began.
      session.close();
    }
  }

  /** Lets every HTTP/2 connection end once its requests have. */
  closeSessions(): void {
    this.#closing = true;
    this.#sessions.forEach((session) => session.close());
  }

  destroy(): void {
    this.#sockets.forEach((socket) => socket.destroy());
  }
}

/**
 * Makes a server that does not listen yet: HTTP/1.1, and with TLS HTTP/2 as well, as the client prefers. client-go prefers HTTP/2 and
 * has one connection for everything; most others speak HTTP/1.1.
 */
export function createListener(
  onRequest: RequestListener,
  connections: Connections,
  tls: TlsFiles | undefined,
  limits: ConnectionLimits,
): Server {
  const server = tls === undefined ? plain(onRequest) : encrypted(onRequest, tls, limits);
  server.maxConnections = limits.connectionsMax;
  server.headersTimeout = headersTimeoutMs;
  // Bodies are timed where they are read, in the same way for HTTP/1.1 and HTTP/2.
  server.requestTimeout = 0;
  server.keepAliveTimeout = idleMs;
  server.on('connection', (socket: Socket) => connections.addSocket(socket));
  server.on('session', (session: ServerHttp2Session) => connections.addSession(session));
  return server;
}

/** Go gives kube-apiserver's clients as long (ReadHeaderTimeout of apiserver's secure serving). */
const headersTimeoutMs = 32_000;

/** Longer than the 90 s of client-go, so that the client is the one who closes: a request that crosses the server's close fails. */
const idleMs = 120_000;

const keepAliveProbeMs = 30_000;

/** Enough for long selectors; a client needs 16 KiB for a token that is large already. */
const headerBytesMax = 64 * 1024;

function plain(onRequest: RequestListener): Server {
  return createServer({ maxHeaderSize: headerBytesMax, IncomingMessage: Message }, onRequest);
}

function encrypted(onRequest: RequestListener, { cert, key, clientCa }: TlsFiles, limits: ConnectionLimits): Server {
  const server = createSecureServer({
    allowHTTP1: true,
    Http1IncomingMessage: Message,
    cert,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    settings: { maxConcurrentStreams: limits.streamsPerConnectionMax, maxHeaderListSize: headerBytesMax },
  });
  // Node's compatibility layer: requests and responses of HTTP/2 look like those of HTTP/1.1.
  const compatible = server as unknown as Server & { maxHeaderSize: number };
  compatible.maxHeaderSize = headerBytesMax;
  return compatible.on('request', onRequest);
}

/**
 * A GET that upgrades to a WebSocket, or a request that does not upgrade at all: what is upgraded has no body, and a deletion would mean
 * something else without. Java's HTTP client offers an upgrade to HTTP/2 with its first request; an offer
 * that is not taken up leaves an ordinary request, but Node, once it listens for upgrades, would hand over all of them without their bodies.
 */
class Message extends IncomingMessage {
  declare upgradeAsked: boolean;

  get upgrade(): boolean {
    return this.upgradeAsked && this.method === 'GET' && this.headers.upgrade?.toLowerCase() === 'websocket';
  }

  set upgrade(asked: boolean) {
    this.upgradeAsked = asked;
  }
}
