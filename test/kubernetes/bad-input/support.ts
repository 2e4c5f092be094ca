import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { ServerProcess } from '../../support/server-process.js';
import { leasesPath } from '../both-at-once/kube-client.js';

/** What a test sends. */
export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** What came back: a Status or an object in JSON, or neither. */
export interface Got {
  readonly code: number;
  readonly text: string;
  readonly json: {
    readonly kind?: string;
    readonly code?: number;
    readonly message?: string;
    readonly metadata?: { readonly name?: string };
  };
  readonly headers: IncomingMessage['headers'];
}

export const json = { 'content-type': 'application/json' };
export const yaml = { 'content-type': 'application/yaml' };
export const protobuf = { 'content-type': 'application/vnd.kubernetes.protobuf' };
export const merge = { 'content-type': 'application/merge-patch+json' };
export const jsonPatch = { 'content-type': 'application/json-patch+json' };
export const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
export const apply = { 'content-type': 'application/apply-patch+yaml' };

export const leases = leasesPath;
export const one = `${leasesPath}/one`;

/** A server for all tests of a file, and what it is asked. */
export class Victim {
  #server: ServerProcess | undefined;
  #args: readonly string[];

  constructor(args: readonly string[] = []) {
    this.#args = args;
  }

  /** Starts the server with the file, and ends it with the file. It logs all that it can. */
  static ofThisFile(args: readonly string[] = []): Victim {
    const victim = new Victim(['--log-level', 'trace', ...args]);
    beforeAll(() => victim.start());
    afterAll(() => victim.#server?.kill());
    return victim;
  }

  async start(): Promise<void> {
    this.#server = await ServerProcess.launch({ args: this.#args, env: { LEASEHOLD_HTTP_LISTEN: '127.0.0.1:0' } });
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error('It is not started');
    return this.#server;
  }

  get port(): number {
    return Number(this.server.httpAddress.split(':').at(-1));
  }

  /** Asks on a connection of its own. */
  async ask({ method = 'GET', path = leases, headers = {}, body }: Sent): Promise<Got> {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const request = httpRequest({
      port: this.port,
      host: '127.0.0.1',
      agent: false,
      method,
      path,
      headers: { ...headers, ...length },
    });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end(body);
    const [response] = await answered;
    const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
    const parsed = text.startsWith('{') ? (JSON.parse(text) as Got['json']) : {};
    return { code: response.statusCode ?? 0, text, json: parsed, headers: response.headers };
  }

  /** Sends bytes as they are, and waits for the end of the connection or for what is `enough`. */
  async raw(bytes: string | Uint8Array, enough: (text: string) => boolean = () => false): Promise<string> {
    const socket = this.connect();
    let text = '';
    const over = new Promise<void>((resolve) => {
      socket.on('close', () => resolve());
      socket.on('data', (data: Buffer) => {
        text += data.toString('latin1');
        if (enough(text)) resolve();
      });
    });
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    await over;
    socket.destroy();
    return text;
  }

  /** A connection that is closed with the test, if not before. */
  connect(): Socket {
    const socket = connect(this.port, '127.0.0.1').on('error', () => {});
    onTestFinished(() => void socket.destroy());
    return socket;
  }

  /** What it logs as a warning or worse. */
  get faults(): string[] {
    return this.server.log.filter((line) => (JSON.parse(line) as { level: number }).level > 30);
  }

  /** It goes on: it writes, reads and deletes, and has found no fault with itself. */
  async expectAlive(): Promise<void> {
    const body = JSON.stringify({ metadata: { name: 'alive' }, spec: { holderIdentity: 'me', leaseDurationSeconds: 5 } });
    expect((await this.ask({ method: 'POST', headers: json, body })).code).toBe(201);
    expect((await this.ask({ path: `${leases}/alive` })).code).toBe(200);
    expect((await this.ask({ method: 'DELETE', path: `${leases}/alive` })).code).toBe(200);
    expect(this.faults).toEqual([]);
  }

  /** How much memory it has, in MiB. Linux tells. */
  async residentMiB(): Promise<number> {
    const status = await readFile(`/proc/${this.server.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }
}

/** Whether the system tells how much memory a process has. */
export const tellsMemory = process.platform === 'linux';

/** A lease in JSON. */
export function leaseOf(metadata: object, spec: object = {}): string {
  return JSON.stringify({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'x', ...metadata }, spec });
}

/** What is sent and the status that it gets, with the beginning of it as a title. */
export function titled<T = string>(rows: readonly (readonly [T, number])[]): [string, T, number][] {
  return rows.map(([sent, code]) => {
    const text = typeof sent === 'string' ? sent : JSON.stringify(sent);
    return [text.length > 80 ? `${text.slice(0, 80)}… (${text.length})` : text, sent, code];
  });
}
