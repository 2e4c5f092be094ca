import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { systemClock } from '../../server/dist/clock.js';
import { HttpServer, type HttpApi, type HttpServerOptions } from '../../server/dist/kubernetes/http/server.js';
import type { StreamAnswer } from '../../server/dist/kubernetes/lease-api.js';
import type { ApiAnswer, ApiRequest } from '../../server/dist/kubernetes/request.js';
import { CertificateAuthority } from '../support/certificates.js';

export type Answer = HttpApi['answer'];

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

export function deferred<T = undefined>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

export interface Served {
  readonly server: HttpServer;
  readonly port: number;
  readonly logged: object[];
}

export async function serve(answer: Answer, options: Partial<HttpServerOptions> = {}): Promise<Served> {
  const logged: object[] = [];
  const server = new HttpServer({
    api: { answer },
    clock: systemClock,
    log: { error: (fields) => logged.push(fields) },
    listen: { host: '127.0.0.1', port: 0 },
    tls: undefined,
    connectionsMax: 1000,
    streamsPerConnectionMax: 100,
    ...options,
  });
  const port = await server.listen();
  onTestFinished(async () => {
    server.abortStreams();
    await server.shutdown(0);
  });
  return { server, port, logged };
}

export async function serveTls(
  answer: Answer,
  { clientCa, ...options }: { clientCa?: string } & Partial<HttpServerOptions> = {},
) {
  const authority = new CertificateAuthority('Authority');
  const { cert, key } = authority.issue('127.0.0.1');
  const client = clientCa === undefined ? undefined : Buffer.from(clientCa);
  const tls = { cert: Buffer.from(cert), key: Buffer.from(key), clientCa: client };
  const served = await serve(answer, { ...options, tls });
  return { ...served, authority };
}

function streaming() {
  const stream = deferred<StreamAnswer>();
  const request = deferred<ApiRequest>();
  const answer: Answer = async (asked, openStream) => {
    const opened = openStream();
    opened.start({ contentType: 'application/json', headers: { 'x-more': 'yes' } });
    stream.resolve(opened);
    request.resolve(asked);
    return undefined;
  };
  return { answer, stream: stream.promise, request: request.promise };
}

export async function serveStream() {
  const { answer, ...promises } = streaming();
  return { ...(await serve(answer)), ...promises };
}

export async function serveStreamTls() {
  const { answer, ...promises } = streaming();
  return { ...(await serveTls(answer)), ...promises };
}

export function text(body: string): ApiAnswer {
  return { code: 200, contentType: 'text/plain', body };
}

export interface Received {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly body: string;
  readonly json: unknown;
}

export async function send(port: number, { body, ...options }: RequestOptions & { body?: string }): Promise<Received> {
  const request = httpRequest({ host: '127.0.0.1', port, agent: false, ...options });
  if (body !== undefined && !request.hasHeader('transfer-encoding')) {
    request.setHeader('content-length', Buffer.byteLength(body));
  }
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  request.end(body);
  const [response] = await answered;
  return receive(response);
}

async function receive(response: IncomingMessage): Promise<Received> {
  const bytes = Buffer.concat((await response.toArray()) as Buffer[]);
  const body = bytes.toString();
  const json = body.startsWith('{') ? (JSON.parse(body) as unknown) : undefined;
  return { status: response.statusCode, headers: response.headers, bytes, body, json };
}

export async function sendHttp2(port: number, { cert }: CertificateAuthority, headers: Record<string, string>, body?: string) {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: cert });
  const stream = session.request(headers, { endStream: body === undefined });
  const answered = once(stream, 'response') as Promise<[IncomingHttpHeaders]>;
  if (body !== undefined) {
    stream.end(body);
  }
  const [answer] = await answered;
  const bytes = Buffer.concat((await stream.toArray()) as Buffer[]);
  session.close();
  return { status: Number(answer[':status']), body: bytes.toString() };
}

/** Sends a GET and resolves as soon as its headers are answered. */
export async function open(port: number, path = '/'): Promise<{ response: IncomingMessage; chunks: string[] }> {
  const request = httpRequest({ host: '127.0.0.1', port, path, agent: false });
  request.on('error', () => {});
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  request.end();
  const [response] = await answered;
  const chunks: string[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  response.on('error', () => {});
  onTestFinished(() => void response.destroy());
  return { response, chunks };
}

export async function openWebSocket(port: number, options: { origin?: string } = {}, path = '/') {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
  const messages: unknown[] = [];
  webSocket.on('message', (data: Buffer, isBinary) => messages.push(isBinary ? data : data.toString()));
  webSocket.on('error', () => {});
  onTestFinished(() => webSocket.terminate());
  await once(webSocket, 'open');
  return { webSocket, messages };
}

export async function upgradeRefused(port: number, path: string, options: { origin?: string } = {}) {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
  webSocket.on('error', () => {});
  const [, response] = (await once(webSocket, 'unexpected-response')) as [unknown, IncomingMessage];
  const { status, body } = await receive(response);
  return { status, body };
}

/** Waits for the end of a response, be it its proper one or not. */
export function closing(response: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve);
  });
}

/** What a server says to bytes until it closes. */
export async function raw(port: number, bytes: string): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return Buffer.concat((await socket.toArray()) as Buffer[]).toString();
}
