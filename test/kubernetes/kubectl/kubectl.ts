import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { kubectl as program, required } from '../../foreign/toolchain.js';

/** How a command ended. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How long a command may take on a busy machine. */
const timeoutMs = 60_000;

/** The real kubectl, as a user runs it: a process for each command, in a home of its own. */
export class Kubectl {
  readonly home: string;
  readonly #kubeconfig: string;
  readonly #flags: readonly string[];

  /** @param flags what each command begins with. */
  constructor(home: string, kubeconfig: string, flags: readonly string[] = []) {
    this.home = home;
    this.#kubeconfig = kubeconfig;
    this.#flags = flags;
  }

  /** The same one, for the leases of one namespace. */
  within(namespace: string): Kubectl {
    return new Kubectl(this.home, this.#kubeconfig, [...this.#flags, '--namespace', namespace]);
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      const options = { cwd: this.home, env: { ...this.#env(), ...env }, timeout: timeoutMs };
      const child = execFile(required(program), [...this.#flags, ...args], options, (_error, stdout, stderr) => {
        resolve({ code: child.exitCode, stdout, stderr });
      });
    });
  }

  /** What a command prints that succeeds, with steady ages. @throws it does not, or has something to complain of. */
  async print(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0 || stderr !== '') throw new Error(`kubectl ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return steady(stdout);
  }

  /** What a command says that fails. @throws it succeeds. */
  async refused(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 1) throw new Error(`kubectl ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stderr;
  }

  /** The members of a lease as JSON has them. */
  async object(name: string): Promise<LeaseDocument> {
    return JSON.parse(await this.print('get', 'lease', name, '-o', 'json')) as LeaseDocument;
  }

  /** Starts a command that goes on by itself, such as `get -w`. It is ended with the test. */
  start(...args: readonly string[]): Running {
    return new Running(spawn(required(program), [...this.#flags, ...args], { cwd: this.home, env: this.#env() }));
  }

  /** Writes a file where commands find it by its name. */
  async write(name: string, text: string): Promise<void> {
    const path = join(this.home, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { mode: 0o755 });
  }

  #env(): Record<string, string> {
    return { PATH: process.env['PATH'] ?? '', HOME: this.home, TMPDIR: this.home, KUBECONFIG: this.#kubeconfig };
  }
}

/** A command that has been started, and the lines that it has printed. */
export class Running {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #closed: Promise<unknown>;
  #hasClosed = false;
  #stderr = '';
  #wake: () => void = () => {};

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close').then(() => {
      this.#hasClosed = true;
      this.#wake();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#wake();
    });
    if (child.stdout !== null) {
      createInterface(child.stdout).on('line', (line) => {
        this.#lines.push(steady(line));
        this.#wake();
      });
    }
    onTestFinished(async () => {
      this.#child.kill('SIGKILL');
      await this.#closed;
    });
  }

  /** The next lines, as soon as there are so many. @throws it ends before. */
  async lines(count: number): Promise<string[]> {
    await this.#until(() => this.#lines.length >= count);
    return this.#lines.splice(0, count);
  }

  /** Resolves once a watch is open, which it tells with `-v 6` only. */
  async watches(): Promise<void> {
    await this.#until(() => /watch=true.*200 OK/.test(this.#stderr));
  }

  /** How it ended, once it has by itself. */
  async ended(): Promise<Outcome> {
    await this.#closed;
    return { code: this.#child.exitCode, stdout: this.#lines.join('\n'), stderr: this.#stderr };
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#hasClosed) throw new Error(`It ended after ${JSON.stringify(this.#lines)} with ${this.#stderr}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

export interface LeaseDocument {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** A text without what differs from run to run: ages at the end of lines are 0 s. */
function steady(text: string): string {
  return text.replace(/(?<= )(\d+[smh])+$/gm, '0s');
}

/** Also without uids, versions, tokens, and times of the server: all but those of 2023, which are the manifests'. */
export function anonymous(text: string): string {
  return text
    .replace(/("?(?:uid|resourceVersion|UID|Resource Version)"?: +)"?[\w-]+"?/g, '$1<varies>')
    .replace(/("?leasehold.dev\/token"?: +)"?\d+"?/g, '$1<token>')
    .replace(/"?\d{4}(?<!2023)-\d\d-\d\dT[\d:.]+Z"?/g, '<time>');
}
