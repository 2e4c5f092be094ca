import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const examplesFolder: string = fileURLToPath(new URL('../../examples/', import.meta.url));

/** An example that runs, and what it prints. */
export class Program {
  readonly #child: ChildProcess;
  readonly #file: string;
  readonly #ended: Promise<unknown>;
  readonly #lines: string[] = [];
  /** How many of the lines have been read. */
  #read = 0;
  #hasEnded = false;
  #wake = (): void => undefined;

  private constructor(file: string, child: ChildProcess) {
    this.#file = file;
    this.#child = child;
    // Closed: it has ended, and all of its output has come.
    this.#ended = once(child, 'close').then(() => {
      this.#hasEnded = true;
      this.#wake();
    });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream! }).on('line', (line) => {
        this.#lines.push(line);
        this.#wake();
      });
    }
  }

  /** Starts a file of `examples/`. It ends with the test, and so do its children. */
  static start(file: string, args: readonly string[], environment: Readonly<Record<string, string>>): Program {
    const child = spawn(process.execPath, [examplesFolder + file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
      detached: true,
    });
    onTestFinished(() => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // They have all ended.
      }
    });
    return new Program(file, child);
  }

  /** Resolves with the next line that says this, once it has been printed. */
  async says(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.#lines.slice(this.#read).find((text) => pattern.test(text));
      if (line !== undefined) {
        this.#read = this.#lines.indexOf(line, this.#read) + 1;
        return line;
      }
      if (this.#hasEnded) throw new Error(`${this.#file} never said ${String(pattern)}, but:\n${this.#lines.join('\n')}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  /** Resolves with the exit code once it has ended. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }
}
