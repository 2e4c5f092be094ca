import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';

/** A lease as the Kubernetes API answers with it, as far as tests look at it. */
export interface KubeLease {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>> & { readonly holderIdentity?: string };
}

/** A Status, as far as tests look at it. */
export interface KubeStatus {
  readonly message?: string;
  readonly details?: { readonly uid?: string; readonly causes?: readonly { readonly reason?: string }[] };
}

/** An answer in JSON. */
export interface KubeAnswer {
  readonly code: number;
  readonly json: unknown;
}

/** A client of the Kubernetes API on connections of its own. */
export class KubeClient {
  readonly #host: string;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true });

  /** `address`: `host:port`. */
  constructor(address: string) {
    const [host = '', port = ''] = address.split(':');
    this.#host = host;
    this.#port = Number(port);
  }

  async ask(method: string, path: string, body?: object, contentType = 'application/json'): Promise<KubeAnswer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(text) };
    const response = await this.#send({ method, path, headers }, text);
    const chunks = (await response.toArray()) as Buffer[];
    return { code: response.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString()) };
  }

  /** The answer to a GET that goes on. */
  async open(path: string): Promise<IncomingMessage> {
    return this.#send({ method: 'GET', path, headers: {} }, undefined);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(
    { method, path, headers }: { method: string; path: string; headers: Record<string, string | number> },
    body: string | undefined,
  ): Promise<IncomingMessage> {
    const request = httpRequest({ host: this.#host, port: this.#port, agent: this.#agent, method, path, headers });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end(body);
    const [response] = await answered;
    return response;
  }
}

/** The path of leases. */
export const leasesPath = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
