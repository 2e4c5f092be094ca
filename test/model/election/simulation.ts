import type { Client } from '@leasehold/sdk';
import type { FakeClock, TestServer } from '@leasehold/sdk/testing';
import { Candidate, type CandidatePlan, leaseName } from './candidate.js';
import { Chance } from '../../support/chance.js';
import type { Kit } from './kit.js';
import { calm, type Weather } from './rough-network.js';
import { Witness, type WitnessedTerm } from './witness.js';

/** One run: who takes part, and what happens. */
export interface Plan {
  readonly seed: number;
  readonly serverRate: number;
  readonly candidates: readonly CandidatePlan[];
  readonly steps: readonly Step[];
}

/** Something that happens, and how long it lasts; then so much time passes. */
export type Step = { readonly thenMs: number } & (
  | { readonly do: 'nothing' }
  | { readonly do: 'delete' }
  | { readonly do: 'crash' | 'redeploy' | 'pauseServer'; readonly forMs: number }
  | { readonly do: 'kill' | 'stop' | 'partition'; readonly who: Who; readonly forMs: number }
  | { readonly do: 'pause' | 'suspend'; readonly who: Who; readonly forMs: number; readonly looksFirst: boolean }
  | { readonly do: 'cut'; readonly who: Who }
  | { readonly do: 'jump'; readonly who: Who; readonly byMs: number }
  | { readonly do: 'weather'; readonly who: Who; readonly weather: Weather }
  | { readonly do: 'revoke'; readonly graceMs: number }
);

/** A candidate by its number, or the one that leads at the moment. */
export type Who = number | 'leader';

/** What a run came to. */
export interface Tally {
  readonly terms: number;
  readonly refusedWrites: number;
}

/** Once the faults have stopped, somebody leads within this time; whatever was in the way has run out by then. */
const healsWithinMs = 60_000;

/** How long an election may take to settle once it is stopped. */
const settlesWithinMs = 60_000;

/** Electors, the real coordinator and the networks between them, in one process and in virtual time. */
export class Simulation {
  readonly kit: Kit;
  readonly time: FakeClock;
  readonly server: TestServer;
  readonly chance: Chance;
  readonly witness: Witness = new Witness();
  readonly #candidates: readonly Candidate[];
  readonly #operator: Client;
  /** Undoes what lasts. */
  readonly #undo = new Set<() => void>();

  private constructor(kit: Kit, plan: Plan, time: FakeClock, server: TestServer) {
    this.kit = kit;
    this.time = time;
    this.server = server;
    this.chance = new Chance(plan.seed);
    this.#candidates = plan.candidates.map((candidate, index) => new Candidate(this, candidate, `candidate-${index}`));
    this.#operator = server.client({ holder: 'operator' });
  }

  /** Runs a plan. @throws {Violation} */
  static async run(kit: Kit, plan: Plan): Promise<Tally> {
    const time = new kit.FakeClock();
    const server = await kit.TestServer.start({ clock: time.process({ rate: plan.serverRate }) });
    const simulation = new Simulation(kit, plan, time, server);
    for (const candidate of simulation.#candidates) candidate.start();
    for (const step of plan.steps) {
      simulation.#do(step);
      await simulation.#pass(step.thenMs);
    }
    await simulation.#conclude();
    return simulation.witness;
  }

  /** A write sets off for the register, where it may arrive late. */
  write(written: WitnessedTerm, leaseDurationMs: number): void {
    const delayMs = this.chance.happens(0.7) ? this.chance.between(0, 20) : this.chance.between(0, 2 * leaseDurationMs);
    this.time.after(delayMs, () => this.witness.write(written));
  }

  /** Lets time pass, and looks at everybody at each instant where something happens. */
  async #pass(ms: number): Promise<WitnessedTerm | undefined> {
    const endMs = this.time.monotonicMs() + ms;
    while (await this.time.step(endMs - this.time.monotonicMs())) this.witness.look();
    return this.witness.look();
  }

  #do(step: Step): void {
    const undo = 'who' in step ? this.#disturb(step) : this.#disturbServer(step);
    if (undo !== undefined && 'forMs' in step) this.#later(step.forMs, undo);
  }

  /** @returns what undoes it, where it lasts. */
  #disturbServer(step: Exclude<Step, { who: Who }>): (() => void) | undefined {
    switch (step.do) {
      case 'nothing':
        return undefined;
      case 'crash':
        this.server.crash();
        return () => void this.server.restart();
      case 'redeploy':
        void this.server.stop();
        return () => void this.server.restart();
      case 'pauseServer':
        this.server.pause();
        return () => this.server.resume();
      case 'revoke':
      case 'delete':
        this.#operate(step);
        return undefined;
    }
  }

  /** @returns what undoes it, where it lasts. */
  #disturb(step: Extract<Step, { who: Who }>): (() => void) | undefined {
    const candidate = this.#candidate(step.who);
    const { clock, network } = candidate ?? {};
    if (candidate === undefined || clock === undefined) return undefined;
    switch (step.do) {
      case 'kill':
        candidate.kill();
        return () => candidate.start();
      case 'stop':
        candidate.stop();
        return () => candidate.start();
      case 'partition':
        network?.partition(true);
        return () => network?.partition(false);
      case 'pause':
        clock.pause();
        return () => this.#resume(clock, step.looksFirst);
      case 'suspend':
        clock.suspend();
        return () => this.#resume(clock, step.looksFirst);
      case 'cut':
        network?.reset();
        return undefined;
      case 'weather':
        candidate.weather = step.weather;
        return undefined;
      case 'jump':
        clock.jumpWall(step.byMs);
        return undefined;
    }
  }

  #candidate(who: Who): Candidate | undefined {
    if (who !== 'leader') return this.#candidates[who % this.#candidates.length];
    const leader = this.witness.look();
    return leader && this.#candidates.find(({ clock }) => clock === leader.clock);
  }

  /** A process goes on. What it does first is to look at its lease, or something else. */
  #resume(clock: FakeClock, looksFirst: boolean): void {
    clock.resume();
    if (looksFirst) this.witness.look();
  }

  /** Somebody else ends the tenure, or deletes the lease under its holder. */
  #operate(step: Extract<Step, { do: 'revoke' | 'delete' }>): void {
    const operate = async (): Promise<void> => {
      const { state, fencingToken, uid } = await this.#operator.get(leaseName);
      if (state !== 'HELD') return;
      if (step.do === 'delete') await this.#operator.delete(leaseName, { uid });
      else await this.#operator.revoke(leaseName, { fencingToken, graceMs: step.graceMs });
    };
    operate().catch(() => undefined);
  }

  /** Undoes something after so much time, or when the faults stop. */
  #later(ms: number, undo: () => void): void {
    const end = (): void => {
      cancel();
      if (this.#undo.delete(end)) undo();
    };
    this.#undo.add(end);
    const cancel = this.time.after(ms, end);
  }

  /** The faults stop: somebody leads in the end, and everybody stops when told. */
  async #conclude(): Promise<void> {
    for (const candidate of this.#candidates) candidate.weather = calm;
    for (const end of [...this.#undo]) end();
    let leads = false;
    for (let waitedMs = 0; waitedMs < healsWithinMs && !leads; waitedMs += 1_000) leads = (await this.#pass(1_000)) !== undefined;
    if (!leads) this.witness.report(`nobody leads ${healsWithinMs} ms after the faults have stopped`);
    for (const candidate of this.#candidates) candidate.stop();
    const settled = (): boolean => this.#candidates.every((candidate) => candidate.settled);
    for (let waitedMs = 0; waitedMs < settlesWithinMs && !settled(); waitedMs += 1_000) await this.#pass(1_000);
    if (!settled()) this.witness.report(`an election has not settled ${settlesWithinMs} ms after it was stopped`);
    this.witness.look();
    this.server.crash();
  }
}
