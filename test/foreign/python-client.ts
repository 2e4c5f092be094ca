import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import {
  detailsByName,
  durationFromJson,
  ForeignError,
  Inbox,
  type ForeignClient,
  type ForeignStream,
  type Message,
} from './client.js';

const bridge = fileURLToPath(new URL('python/bridge.py', import.meta.url));
const protos = fileURLToPath(new URL('../../proto', import.meta.url));

/** Python's grpcio with stubs that it generates itself; `python/bridge.py` makes the calls. */
export class PythonClient implements ForeignClient {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #calls = new Map<number, Inbox>();
  #calledLast = 0;

  constructor(python: string, address: string) {
    this.#child = spawn(python, [bridge, protos, address], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface(this.#child.stdout).on('line', (line) => {
      this.#take(JSON.parse(line) as Line);
    });
    this.#child.on('exit', () => {
      for (const inbox of this.#calls.values()) {
        inbox.end(new Error('Python has ended'));
      }
    });
    this.#child.stdin.on('error', () => undefined);
  }

  duration(ms: number): unknown {
    return durationFromJson(ms);
  }

  call(method: string, request: Message): Promise<Message> {
    return this.open(method, request).next();
  }

  open(method: string, request?: Message): ForeignStream {
    const id = ++this.#calledLast;
    const inbox = new Inbox();
    this.#calls.set(id, inbox);
    this.#write({ id, method, open: request ?? null });
    return {
      send: (message) => {
        this.#write({ id, send: message });
      },
      next: () => inbox.next(),
      cancel: () => {
        this.#write({ id, cancel: true });
      },
    };
  }

  async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin.end();
    await exited;
  }

  #write(line: Message): void {
    this.#child.stdin.write(`${JSON.stringify(line)}\n`);
  }

  #take({ id, message, end }: Line): void {
    const inbox = this.#calls.get(id);
    if (message !== undefined) {
      inbox?.push(message);
    }
    if (end !== undefined) {
      inbox?.end(new ForeignError(end.code, end.message, detailsByName(end.details)));
    }
  }
}

/** What the bridge writes. */
interface Line {
  readonly id: number;
  readonly message?: Message;
  readonly end?: { readonly code: number; readonly message: string; readonly details: readonly Message[] };
}
