import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import {
  detailsByName,
  durationFromJson,
  ForeignError,
  Inbox,
  type ForeignClient,
  type ForeignStream,
  type Message,
} from './client.js';

/** grpcurl with nothing but the server's reflection: a process for each call. */
export class GrpcurlClient implements ForeignClient {
  readonly #program: string;
  readonly #address: string;
  readonly #running = new Set<ChildProcessWithoutNullStreams>();

  constructor(program: string, address: string) {
    this.#program = program;
    this.#address = address;
  }

  duration(ms: number): unknown {
    return durationFromJson(ms);
  }

  async call(method: string, request: Message): Promise<Message> {
    const stream = this.open(method, request);
    return stream.next();
  }

  open(method: string, request?: Message): ForeignStream {
    const inbox = new Inbox();
    const child = this.#start(['-plaintext', '-format-error', '-d', '@', this.#address, `leasehold.v1.LeaseService/${method}`]);
    eachObject(child, (message) => {
      inbox.push(message);
    });
    void outcome(child).then((error) => {
      inbox.end(error);
    });
    const send = (message: Message): void => {
      child.stdin.write(`${JSON.stringify(message)}\n`);
    };
    if (request !== undefined) {
      send(request);
      child.stdin.end();
    }
    return {
      send,
      next: () => inbox.next(),
      cancel: () => {
        child.kill();
      },
    };
  }

  /** What grpcurl prints for a command of its own, such as `list`. */
  async print(...args: readonly string[]): Promise<string> {
    const child = this.#start(['-plaintext', this.#address, ...args]);
    child.stdin.end();
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    return text;
  }

  async close(): Promise<void> {
    const ended = [...this.#running].map((child) => once(child, 'close'));
    for (const child of this.#running) {
      child.kill();
    }
    await Promise.all(ended);
  }

  #start(args: readonly string[]): ChildProcessWithoutNullStreams {
    const child = spawn(this.#program, args);
    this.#running.add(child);
    child.on('close', () => this.#running.delete(child));
    // A process that has ended, or was killed, takes no more input.
    child.stdin.on('error', () => undefined);
    return child;
  }
}

/** grpcurl prints objects one after the other, indented: one ends at a closing brace that is not. */
function eachObject(child: ChildProcessWithoutNullStreams, take: (message: Message) => void): void {
  let text = '';
  createInterface(child.stdout).on('line', (line) => {
    text += line;
    if (line === '}' || line === '{}') {
      take(JSON.parse(text) as Message);
      text = '';
    }
  });
}

/** How a call ended, from what grpcurl prints on standard error. */
async function outcome(child: ChildProcessWithoutNullStreams): Promise<ForeignError> {
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  const begin = text.indexOf('{');
  if (begin === -1) {
    return new ForeignError(child.exitCode === 0 ? 0 : 13, text, {});
  }
  const status = JSON.parse(text.slice(begin)) as { code: number; message: string; details?: readonly Message[] };
  return new ForeignError(status.code, status.message, detailsByName(status.details ?? []));
}
