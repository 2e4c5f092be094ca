import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** For what waits on a program or a server, in milliseconds. */
export const patience = 60_000;

/** Something that a program tells of. */
export interface ProgramEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A program that tells of what happens to it in lines of JSON. Other lines are events whose name they are. */
export class ClientProgram {
  /** All that has come so far. */
  readonly events: ProgramEvent[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<unknown>;
  #hasClosed = false;
  #taken = 0;
  #errors = '';
  #wake: () => void = () => undefined;

  constructor(path: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(path, args, { env });
    this.#closed = once(this.#child, 'close');
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    // One that has ended takes no more input.
    this.#child.stdin.on('error', () => undefined);
    createInterface(this.#child.stdout).on('line', (line) => {
      this.events.push(line.startsWith('{') ? (JSON.parse(line) as ProgramEvent) : { event: line });
      this.#wake();
    });
    void this.#closed.then(() => {
      this.#hasClosed = true;
      this.#wake();
    });
  }

  /** The next event of a name behind the last that was taken. @throws the program ended, or it took too long. */
  next(name: string, accept: (event: ProgramEvent) => boolean = () => true): Promise<ProgramEvent> {
    return this.until(name, () => {
      const at = this.events.findIndex((each, index) => index >= this.#taken && each.event === name && accept(each));
      this.#taken = at === -1 ? this.#taken : at + 1;
      return this.events[at];
    });
  }

  /** Waits until something is to be found in what has come. @throws the program ended, or it took too long. */
  async until<T>(what: string, find: () => T | undefined, withinMs: number = patience): Promise<T> {
    const end = Date.now() + withinMs;
    for (;;) {
      const found = find();
      if (found !== undefined) {
        return found;
      }
      if (this.#hasClosed || Date.now() >= end) {
        const state = this.#hasClosed ? 'ended' : 'has not come to it';
        const last = this.events.slice(-20).map((each) => JSON.stringify(each).slice(0, 300));
        throw new Error(`No ${what}: the program ${state}\n${last.join('\n')}\n${this.#errors.slice(-4000)}`);
      }
      await this.#more(end);
    }
  }

  /** Takes whatever has come so far: `next` is then about what comes from now on. */
  skip(): void {
    this.#taken = this.events.length;
  }

  /** Goes on at whatever comes first: an event, the program's end, that of the time. */
  #more(end: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, end - Date.now());
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#hasClosed) this.#wake();
    });
  }

  send(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    await this.#closed;
    return this.#child.exitCode;
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }
}
