import type { Client } from '../client.js';
import { sleep } from '../clock.js';
import { invalidOption, LeaseholdError } from '../errors.js';
import { backoffMs } from '../retry.js';
import type { Lease } from '../types.js';
import { checkMs } from '../verbs.js';
import { Election, type ElectionHooks, type ElectionHost, isSurvivable, type Term } from './election.js';
import { leadership } from './leadership.js';
import type { ElectionMetrics } from './metrics.js';
import { electionPlan, type ElectOptions } from './options.js';

/** Options of a `LeaderElector`. */
export interface LeaderElectorOptions extends ElectOptions {
  /** Name of the lease that is campaigned for. */
  readonly name: string;
  /** What metrics and messages call this elector. Default: the name of the lease. */
  readonly electorName?: string | undefined;
  /**
   * Whether the lease is given back when the election is stopped, so that the next candidate has it at once. It is given back after
   * the work has stopped, never before. Default: true; client-go's default is false, for there it is not safe.
   */
  readonly releaseOnCancel?: boolean | undefined;
  /** Counts. Default: nothing is counted. */
  readonly metrics?: ElectionMetrics | undefined;
}

/**
 * What a `LeaderElector` calls, one at a time for each term and in this order. What a callback throws ends the election in order, and
 * `run` rejects with it.
 */
export interface LeaderCallbacks {
  /**
   * The leading has started. What this returns is the work: it is awaited on every way out before the lease is given back. If it ends
   * while the term goes on, so does the leading.
   */
  onStartedLeading(term: Term): Promise<void> | void;
  /** The leading has stopped and the lease was left: once for each `onStartedLeading`, and never without. */
  onStoppedLeading(): Promise<void> | void;
  /** Somebody else leads, or this process does. Once for each change of the holder. */
  onNewLeader?(leader: Lease): Promise<void> | void;
}

/** What a run of a `LeaderElector` takes. */
export interface RunOptions {
  /** Ends the election: the term's signal aborts, the work is awaited, the lease is given back. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Campaigns for a lease, leads, and campaigns again after a loss: `Client.elect` as an object, with the names of client-go's
 * `leaderelection.LeaderElector`, plus resigning, hand-over, and the current leader.
 *
 * Standbys wait in the server's queue. On every way out of a term the order is the same: its signal aborts, the work is awaited within
 * the time that is left, the lease is released by its token, `onStoppedLeading` is called. Two terms of one elector never overlap.
 */
export class LeaderElector {
  /** What metrics and messages call this elector. */
  readonly name: string;
  readonly #client: Client;
  readonly #options: LeaderElectorOptions;
  #election: Election | undefined;
  /** The one before, whose work may still run. */
  #last: Election | undefined;
  #leader: Lease | undefined;

  /**
   * Makes an elector that does not run yet.
   *
   * @throws {InvalidError} an option breaks a rule; where two timings do not fit together, the message has both.
   */
  constructor(client: Client, options: LeaderElectorOptions) {
    if (options.name === '') throw invalidOption('name', 'must not be empty', JSON.stringify(options.name));
    this.#client = client;
    this.#options = options;
    this.name = options.electorName ?? options.name;
    this.#plan();
  }

  /**
   * Runs until `signal` is aborted; a loss only leads to another campaign. One run at a time.
   *
   * @throws what a callback threw.
   * @throws {LeaseholdError} reason `WORK_OVERRAN`: it was stopped, but the work did not stop within the time left; reason
   *   `ALREADY_RUNNING`; or a refusal that no repeat would mend.
   */
  async run(callbacks: LeaderCallbacks, { signal }: RunOptions = {}): Promise<void> {
    await this.#run(
      {
        work: async (term) => {
          await callbacks.onStartedLeading(term);
        },
        stopped: async () => {
          await callbacks.onStoppedLeading();
        },
        failed: this.#options.onError ?? (() => undefined),
      },
      signal,
      (leader) => callbacks.onNewLeader?.(leader),
    );
  }

  /**
   * The same as an iteration over terms: the body of the loop is the work of a term. On every way out it is awaited before the lease is
   * given back; if it ends while the term goes on, so does the leading, until the next term begins. Leaving the loop ends the election.
   *
   * @throws as `run` does.
   */
  leadership({ signal }: RunOptions = {}): AsyncGenerator<Term, void, undefined> {
    return leadership((work, stop) => {
      const hooks = { work, stopped: () => Promise.resolve(), failed: this.#options.onError ?? (() => undefined) };
      return this.#run(hooks, signal === undefined ? stop : AbortSignal.any([stop, signal]), () => undefined);
    });
  }

  /** Whether this process leads, by a look at the clocks now. */
  isLeader(): boolean {
    return this.#election?.lease?.status === 'held';
  }

  /** The leader that was seen last, which may be this process; `undefined` when nobody leads, and while this elector does not run. */
  getLeader(): Lease | undefined {
    return this.#leader;
  }

  /**
   * Gives the leadership up, and campaigns again after `retryPeriodMs`. Does nothing when this process does not lead. The work must not
   * wait for it, for it waits for the work.
   *
   * @returns once the work has stopped, or its time is up, and the lease was given back.
   */
  async resign(): Promise<void> {
    await this.#election?.resign();
  }

  /**
   * Hands the leadership to another candidate, and campaigns again. Does nothing when this process does not lead. The work is stopped
   * first, so the term ends even when nobody of that name waits; the lease then goes to whoever is next.
   *
   * @param holder of the candidate.
   * @throws {RefusedError} reason `NOT_WAITING`: nobody of that name waits.
   * @throws {UnavailableError} no server answered in time.
   */
  async transferTo(holder: string): Promise<void> {
    await this.#election?.resign(holder);
  }

  /**
   * For health checks, as client-go's `HealthzAdaptor`: a leader whose work goes on long after its lease is over is stuck, and only a
   * restart of the process mends that. A standby, and a leader that renews, are well.
   *
   * @param toleranceMs how long the work may go on, in milliseconds. Default: 20,000.
   * @throws {LeaseholdError} reason `WORK_OVERRAN`.
   */
  check(toleranceMs = 20_000): void {
    const overdueMs = (this.#election ?? this.#last)?.overdueMs;
    if (overdueMs === undefined || overdueMs <= checkMs('toleranceMs', toleranceMs)) return;
    const message = `Leader election ${this.name}: the work goes on ${Math.round(overdueMs)} ms after its lease was over`;
    throw new LeaseholdError({ code: 'ABORTED', reason: 'WORK_OVERRAN', message });
  }

  #plan(): ReturnType<typeof electionPlan> {
    const { name, namespace, releaseOnCancel = true } = this.#options;
    const rules = { endsWithWork: false, releasesOnStop: releaseOnCancel };
    return electionPlan({ namespace: namespace ?? this.#client.namespace, name }, this.#client.holder, this.#options, rules);
  }

  async #run(hooks: ElectionHooks, signal: AbortSignal | undefined, onNewLeader: Observing['onNewLeader']): Promise<void> {
    const failed = (error: Error): void => hooks.failed(error);
    if (this.#election !== undefined || this.#last?.overdueMs !== undefined) {
      const message = `Leader election ${this.name}: it runs already, or its work does`;
      throw new LeaseholdError({ code: 'FAILED_PRECONDITION', reason: 'ALREADY_RUNNING', message });
    }
    const observing = new AbortController();
    try {
      await this.#client.campaign(signal, (host, stop) => {
        const election = new Election(host, this.#plan(), counted(hooks, this.name, this.#options.metrics));
        this.#election = election;
        void this.#observe(election, { host, signal: AbortSignal.any([observing.signal, stop]), failed, onNewLeader });
        return election.run(stop);
      });
    } finally {
      observing.abort();
      this.#last = this.#election;
      this.#election = undefined;
      this.#leader = undefined;
    }
  }

  /** Follows who leads, for as long as it takes. A leader that learns of another one stops at once. */
  async #observe(election: Election, observing: Observing): Promise<void> {
    const { host, signal, failed } = observing;
    for (let failures = 1; ; failures += 1) {
      try {
        await this.#follow(election, observing);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isSurvivable(error)) {
          election.fail(error);
          return;
        }
        failed(error);
      }
      await sleep(host.clock, backoffMs(host.clock, failures, observePauseMsMax), signal).catch(() => undefined);
    }
  }

  async #follow(election: Election, { signal, onNewLeader }: Observing): Promise<void> {
    const { name, namespace } = this.#options;
    let holder = this.#leader?.holder;
    for await (const leader of this.#client.observeLeader(name, { namespace, signal })) {
      this.#leader = leader;
      if (leader === undefined) continue;
      election.lease?.superseded(leader);
      if (leader.holder === holder) continue;
      holder = leader.holder;
      try {
        await onNewLeader(leader);
      } catch (error) {
        election.fail(error);
        return;
      }
    }
  }
}

/** What following the leader takes. */
interface Observing {
  readonly host: ElectionHost;
  readonly signal: AbortSignal;
  readonly failed: (error: Error) => void;
  readonly onNewLeader: (leader: Lease) => Promise<void> | void;
}

/** How long at most to wait after a server would not say who leads. */
const observePauseMsMax = 30_000;

/** The same hooks, counted. */
function counted(hooks: ElectionHooks, name: string, metrics: ElectionMetrics | undefined): ElectionHooks {
  if (metrics === undefined) return hooks;
  return {
    // What counting throws ends the election too, but skips no callback.
    work: async (term) => {
      try {
        metrics.leaderOn(name);
      } finally {
        await hooks.work(term);
      }
    },
    stopped: async (reason) => {
      try {
        metrics.leaderOff(name, reason);
      } finally {
        await hooks.stopped(reason);
      }
    },
    failed: (error) => {
      metrics.campaignFailed(name, error);
      hooks.failed(error);
    },
  };
}
