import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { differences, Normalizer, type Difference, type RawAnswer } from './normal-answer.js';
import type { Step } from './recordings.js';

/** A step whose answer is another one than the recorded. */
export interface Deviation extends Difference {
  readonly step: string;
}

/** Makes the requests of one recorded case, in a namespace of its own, and compares the answers. */
export class Replay {
  readonly deviations: Deviation[] = [];
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #normalizer: Normalizer;
  /** What later steps refer to: the namespace, and the bodies of answers by the step's number. */
  readonly #scope: Record<string, unknown>;

  constructor(port: number, namespace: string) {
    this.#port = port;
    this.#normalizer = new Normalizer(namespace);
    this.#scope = { ns: namespace };
  }

  async run(steps: readonly Step[]): Promise<void> {
    try {
      for (const [index, step] of steps.entries()) await this.#step(step, String(index + 1));
    } finally {
      this.#agent.destroy();
    }
  }

  async #step(step: Step, id: string): Promise<void> {
    const filled = this.#fill(step);
    const answer = step.events === undefined ? await this.#send(filled) : await this.#watch(filled, id);
    this.#scope[id] = answer.body;
    const found = differences(step.expect, this.#normalizer.answer(answer));
    this.deviations.push(...found.map((difference) => ({ step: `${id} ${step.method ?? 'GET'} ${step.path}`, ...difference })));
  }

  async #send(step: Step): Promise<RawAnswer> {
    const response = await this.#open(step);
    const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
    return { status: response.statusCode, headers: response.headers, body: parsed(text) };
  }

  /** Opens a watch, does what is to be done meanwhile, and waits for its events. */
  async #watch(step: Step, id: string): Promise<RawAnswer> {
    const response = await this.#open(step);
    const lines: string[] = [];
    let rest = '';
    const enough = new Promise<void>((resolve) => {
      response.on('data', (chunk: Buffer) => {
        const parts = `${rest}${chunk.toString()}`.split('\n');
        rest = parts.pop() ?? '';
        lines.push(...parts);
        if (lines.length >= (step.events ?? 0)) resolve();
      });
      response.on('close', resolve);
      response.on('error', () => {});
    });
    for (const [index, during] of (step.during ?? []).entries()) {
      await this.#step(during, `${id}${String.fromCharCode('a'.charCodeAt(0) + index)}`);
    }
    await Promise.race([enough, sleep(step.waitMs ?? 3000, undefined, { ref: false })]);
    response.destroy();
    const body = [...lines, rest].filter((line) => line.trim() !== '').map(parsed);
    return { status: response.statusCode, headers: response.headers, body };
  }

  /**
   * Sends a request as the recordings were made: Node's client gives the body of a DELETE no length, so that it is read as the beginning
   * of another request, which makes no sense. The recordings have what that is answered with.
   */
  async #open({ method = 'GET', path, headers = {}, body }: Step): Promise<IncomingMessage> {
    const all = { accept: 'application/json', ...headers };
    const request = httpRequest({ agent: this.#agent, host: '127.0.0.1', port: this.#port, method, path, headers: all });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    if (body !== undefined) request.write(typeof body === 'string' ? body : JSON.stringify(body));
    request.end();
    const [response] = await answered;
    return response;
  }

  /** A step with what it refers to: `{{ns}}`, `{{1.metadata.uid}}`, `{{repeat.100}}`. */
  #fill({ expect: _, during, ...step }: Step): Step {
    const text = JSON.stringify(step).replace(/\{\{([\w.$-]+)\}\}/g, (_match, path: string) => {
      if (path.startsWith('repeat.')) return 'v'.repeat(Number(path.slice('repeat.'.length)));
      const value = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], this.#scope);
      return JSON.stringify(String(value)).slice(1, -1);
    });
    return { ...(JSON.parse(text) as Step), ...(during === undefined ? {} : { during }) };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
