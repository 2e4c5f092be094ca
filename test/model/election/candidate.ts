import type { Client, Transport } from '@leasehold/sdk';
import type { FakeClock } from '@leasehold/sdk/testing';
import type { Chance } from '../../support/chance.js';
import { RoughNetwork, type Weather } from './rough-network.js';
import type { Simulation } from './simulation.js';
import { isHeld, type WitnessedTerm } from './witness.js';

/** What one process is like. Shares are of what stands before them. */
export interface CandidatePlan {
  readonly rate: number;
  readonly offsetMs: number;
  /** That of its network, at first. */
  readonly weather: Weather;
  readonly leaseDurationMs: number;
  /** Renew deadline in the lease's duration. */
  readonly renewShare: number;
  /** Retry period in the renew deadline. */
  readonly retryShare: number;
  readonly timeoutMs: number;
  /** How long the work takes to stop, in the lease's duration. */
  readonly stopShare: number;
}

/** One process that campaigns, leads and writes; restarted after it was killed, under another name. */
export class Candidate {
  readonly plan: CandidatePlan;
  weather: Weather;
  readonly #simulation: Simulation;
  readonly #chance: Chance;
  readonly #name: string;
  #incarnation = 0;
  #process: Process | undefined;

  constructor(simulation: Simulation, plan: CandidatePlan, name: string) {
    this.#simulation = simulation;
    this.#chance = simulation.chance;
    this.plan = plan;
    this.weather = plan.weather;
    this.#name = name;
  }

  /** The clock of the process that runs; `undefined` while none does. */
  get clock(): FakeClock | undefined {
    return this.#process?.clock;
  }

  get network(): RoughNetwork | undefined {
    return this.#process?.network;
  }

  /** Whether its election has been stopped, or has ended by itself, and has settled. */
  get settled(): boolean {
    return this.#process?.elected === undefined;
  }

  /** Campaigns, unless it does: in a new process if there is none. */
  start(): void {
    this.#process ??= this.#launch();
    const process = this.#process;
    if (process.elected !== undefined && !process.stop.signal.aborted) return;
    // An election of this process that is still stopping goes first.
    const before = process.elected ?? Promise.resolve();
    process.stop = new AbortController();
    const elected = before.then(() => this.#campaign(process, process.stop.signal));
    process.elected = elected;
    void elected.then(() => {
      if (process.elected === elected) process.elected = undefined;
    });
  }

  /** Stops campaigning and leading, in order. */
  stop(): void {
    this.#process?.stop.abort();
  }

  /** Ends the process: its memory and its timers are gone, and its connections break. */
  kill(): void {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    process.clock.kill();
    process.network.reset();
    this.#simulation.witness.gone(process.clock);
  }

  #launch(): Process {
    const { time, server, chance } = this.#simulation;
    const { rate, offsetMs, timeoutMs } = this.plan;
    const clock = time.process({ rate, offsetMs, random: () => chance.next() });
    const network = new RoughNetwork(time, chance, () => this.weather);
    this.#incarnation += 1;
    const holder = `${this.#name}-${this.#incarnation}`;
    const transport = this.#observed(server.transport({ clock, link: network }));
    const client = this.#simulation.kit.createClient({ transport, clock, holder, timeoutMs });
    return { clock, network, client, holder, stop: new AbortController(), elected: undefined };
  }

  /** Tells the witness of each release. */
  #observed(transport: Transport): Transport {
    const release = transport.release.bind(transport);
    transport.release = (request, call) => {
      this.#simulation.witness.releasing(request.fencingToken);
      return release(request, call);
    };
    return transport;
  }

  /** Never rejects: what it should not end with is a violation. */
  async #campaign(process: Process, signal: AbortSignal): Promise<void> {
    const { leaseDurationMs, renewShare, retryShare } = this.plan;
    const renewDeadlineMs = leaseDurationMs * renewShare;
    const retryPeriodMs = Math.max(renewDeadlineMs * retryShare, 100);
    const timing = { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
    const stopped = (): boolean => signal.aborted;
    while (!stopped()) {
      try {
        await process.client.elect(leaseName, timing, (term) => this.#work(process, this.#began(process, term)), { signal });
      } catch (error) {
        const reason = (error as { reason?: string } | undefined)?.reason;
        // A request to wait that was doubled takes its own place over; work that ignores its signal was told so.
        if (reason === 'REPLACED') continue;
        if (reason === 'WORK_OVERRAN' && stopped()) return;
        this.#simulation.witness.report(`the election of ${process.holder} ended with ${String(error)}`);
        return;
      }
      if (!stopped()) this.#simulation.witness.report(`the election of ${process.holder} ended by itself`);
    }
  }

  #began(process: Process, term: WitnessedTerm['term']): WitnessedTerm {
    return this.#simulation.witness.began(process.holder, process.clock, term);
  }

  /** Writes to the register for as long as it leads. */
  async #work({ clock }: Process, witnessed: WitnessedTerm): Promise<void> {
    const { leaseDurationMs, stopShare } = this.plan;
    const { signal } = witnessed.term;
    try {
      while (!signal.aborted) {
        if (isHeld(witnessed)) this.#simulation.write(witnessed, leaseDurationMs);
        await pause(clock, this.#chance.between(0.05, 0.5) * leaseDurationMs, signal);
      }
      await pause(clock, stopShare * leaseDurationMs);
    } finally {
      witnessed.working = false;
    }
  }
}

export const leaseName = 'job';

/** A process and what it runs. */
interface Process {
  readonly clock: FakeClock;
  readonly network: RoughNetwork;
  readonly client: Client;
  readonly holder: string;
  stop: AbortController;
  /** Settles with its election; `undefined` when there is none. */
  elected: Promise<void> | undefined;
}

/** Waits for so long, or until the signal aborts. */
function pause(clock: FakeClock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener('abort', end);
  });
}
