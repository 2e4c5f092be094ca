import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { FaultProxy } from '../../support/fault-proxy.js';
import { freePort, ServerProcess, temporaryDirectory } from '../../support/server-process.js';
import { Candidate } from './candidate.js';
import { FencedRegister } from './fenced-register.js';
import { Witness, type Reign } from './witness.js';

/** A place for a candidate: one process after the other, on one link to the server. */
export class Seat {
  readonly link: FaultProxy;
  readonly #stage: Stage;
  readonly #clockRate: number;
  /** Every process that has sat here: no two have the same name, for a killed one does not come back. */
  #processes = 0;
  #candidate: Candidate | undefined;

  constructor(stage: Stage, link: FaultProxy, clockRate: number) {
    this.#stage = stage;
    this.link = link;
    this.#clockRate = clockRate;
  }

  /** The name of the process that sits here. */
  get process(): string {
    return `${this.link.address}#${this.#processes}`;
  }

  get candidate(): Candidate {
    if (this.#candidate === undefined) throw new Error('Nobody has taken this seat');
    return this.#candidate;
  }

  /** How the process that sits here ended, if nobody had asked it to. */
  get failure(): string | undefined {
    return this.#candidate?.failure;
  }

  /** Starts another process, and resolves once it has reached the server. */
  async fill(): Promise<void> {
    this.#processes += 1;
    const { process } = this;
    const { leaseMs, witness, register } = this.#stage;
    this.#candidate = await Candidate.start({
      endpoint: this.link.address,
      leaseMs,
      clockRate: this.#clockRate,
      onTold: (told) => {
        if (told.kind === 'claim') witness.hear(process, told);
        else register.write(told.token);
      },
    });
    const { candidate } = this;
    onTestFinished(() => candidate.kill());
  }
}

export interface StageOptions {
  /** The duration of the lease, in milliseconds. The other timings of the election are the SDK's defaults for it. */
  readonly leaseMs: number;
  /** How fast the clocks of each candidate run. Default: three, at the real pace. */
  readonly clockRates?: readonly number[];
}

/** An election among real processes: a server on a file, candidates on links of their own, and who watches them. */
export class Stage {
  readonly leaseMs: number;
  readonly witness: Witness = new Witness();
  readonly register: FencedRegister = new FencedRegister();
  readonly seats: Seat[] = [];
  readonly #store: string;
  #server: ServerProcess;

  private constructor(leaseMs: number, store: string, server: ServerProcess) {
    this.leaseMs = leaseMs;
    this.#store = store;
    this.#server = server;
  }

  /** Sets the stage; the seats are empty. Everything ends with the test. */
  static async set({ leaseMs, clockRates = [1, 1, 1] }: StageOptions): Promise<Stage> {
    const store = `sqlite:${join(await temporaryDirectory(), 'leases.db')}`;
    const server = await ServerProcess.start({ store, port: await freePort() });
    const stage = new Stage(leaseMs, store, server);
    for (const clockRate of clockRates) stage.seats.push(new Seat(stage, await FaultProxy.to(server.port), clockRate));
    return stage;
  }

  get server(): ServerProcess {
    return this.#server;
  }

  /** Starts the server again, on its port and its file. */
  async restartServer(): Promise<void> {
    this.#server = await ServerProcess.start({ store: this.#store, port: this.#server.port });
  }

  /** Where the process sits that leads, as far as anybody has heard. */
  leader(): { readonly seat: Seat; readonly reign: Reign } {
    const reign = this.witness.last;
    const seat = this.seats.find(({ process }) => process === reign?.process);
    if (reign === undefined || seat === undefined) throw new Error('Nobody leads');
    return { seat, reign };
  }

  /** Waits for something that the witness has to hear, within a bound that only a broken election misses. */
  async heard<T>(what: string, look: (witness: Witness) => T | undefined): Promise<T> {
    const boundMs = 15_000 + 5 * this.leaseMs;
    const deadline = performance.now() + boundMs;
    for (;;) {
      const found = look(this.witness);
      if (found !== undefined) return found;
      for (const { process, failure } of this.seats) {
        if (failure !== undefined) throw new Error(`Candidate ${process} ${failure}`);
      }
      if (performance.now() > deadline) throw new Error(`${what}: not within ${boundMs} ms`);
      await sleep(10);
    }
  }
}
