import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Claim } from './witness.js';

const program = fileURLToPath(new URL('candidate.mjs', import.meta.url));

/** More than it takes to stop the work, to release, and to close the client, where no server answers. */
const stopMsMax = 20_000;

/** What a candidate tells. */
export type Told = 'ready' | ({ readonly kind: 'claim' } & Claim) | { readonly kind: 'write'; readonly token: bigint };

export interface CandidateOptions {
  readonly endpoint: string;
  readonly leaseMs: number;
  /** How fast its clocks run: 1, unless a test plants a fault. */
  readonly clockRate: number;
  /** Hears everything that the candidate tells but `ready`, in order. */
  readonly onTold: (told: Exclude<Told, 'ready'>) => void;
}

/** One process that stands for election, from its start to its end. */
export class Candidate {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #ending = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, 'exit');
  }

  /** Starts a candidate, and resolves once it has reached the server. */
  static async start({ endpoint, leaseMs, clockRate, onTold }: CandidateOptions): Promise<Candidate> {
    const child = fork(program, [endpoint, 'leader', String(leaseMs), String(clockRate)], { serialization: 'advanced' });
    const candidate = new Candidate(child);
    await new Promise<void>((resolve, reject) => {
      child.on('message', (told: Told) => {
        if (told === 'ready') resolve();
        else onTold(told);
      });
      void candidate.#exited.then(() => reject(new Error('A candidate ended before it reached the server')));
    });
    return candidate;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How it ended, if nobody had asked it to. */
  get failure(): string | undefined {
    const { exitCode, signalCode } = this.#child;
    return this.#ending || (exitCode ?? signalCode) === null ? undefined : `ended with ${exitCode ?? signalCode ?? ''}`;
  }

  /** SIGSTOP. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  /** SIGCONT. */
  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.#ending = true;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGTERM. Rejects when it does not end in order, by itself. */
  async stop(): Promise<void> {
    this.#ending = true;
    this.#child.kill('SIGTERM');
    await Promise.race([this.#exited, sleep(stopMsMax, undefined, { ref: false })]);
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== 0) throw new Error(`Stopped in order: ${exitCode ?? signalCode ?? `runs on after ${stopMsMax} ms`}`);
  }
}
