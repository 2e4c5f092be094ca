import type { Clock } from '../clock.js';
import type { CheckpointCommand } from '../lease/commands.js';
import { isHeld } from '../lease/record.js';
import { Agenda } from './agenda.js';
import { never, type Entry } from './entry.js';

/** How many checkpoints are under way at once. */
const runMax = 256;

/**
 * Lets records catch up with heartbeats: at most once for each lease and interval, many leases a commit, and so that it takes at most
 * a tenth of the loop's time. Nothing rests on a checkpoint.
 */
export class Checkpointer {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #submit: (command: CheckpointCommand) => Promise<unknown>;
  readonly #agenda = new Agenda<Entry>();
  #cancelRun: () => void = () => undefined;
  #runAtMs = Infinity;
  #restUntilMs = 0;
  #running = false;
  #stopped = false;

  /** @param intervalMs 0: no checkpoints */
  constructor(clock: Clock, intervalMs: number, submit: (command: CheckpointCommand) => Promise<unknown>) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#submit = submit;
  }

  /** A lease that has no place on the agenda was beaten. */
  add(entry: Entry, nowMs: number): void {
    if (this.#intervalMs > 0) {
      entry.checkpointAtMs = Math.max(nowMs, entry.recordedAtMs + this.#intervalMs);
      this.#agenda.add(entry.checkpointAtMs, entry);
      this.#schedule(nowMs);
    }
  }

  /** Checkpoints have taken so much of the loop's time. */
  spent(ms: number): void {
    this.#restUntilMs = Math.max(this.#restUntilMs, this.#clock.monotonicMs()) + 9 * ms;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRun();
  }

  #schedule(nowMs: number): void {
    const atMs = Math.max(this.#agenda.nextMs, this.#restUntilMs);
    if (this.#stopped || this.#running || atMs >= this.#runAtMs || atMs === Infinity) {
      return;
    }
    this.#cancelRun();
    this.#runAtMs = atMs;
    this.#cancelRun = this.#clock.after(Math.max(0, atMs - nowMs), () => {
      this.#runAtMs = Infinity;
      this.#run();
    });
  }

  #run(): void {
    const commands = this.#takeDue();
    this.#running = true;
    // A checkpoint that did not come about is dropped: the next beat asks for another one.
    void Promise.allSettled(commands.map((command) => this.#submit(command))).then(() => {
      this.#running = false;
      this.#schedule(this.#clock.monotonicMs());
    });
  }

  #takeDue(): CheckpointCommand[] {
    const nowMs = this.#clock.monotonicMs();
    const wallMs = this.#clock.wallMs();
    const commands: CheckpointCommand[] = [];
    while (commands.length < runMax) {
      const item = this.#agenda.takeDue(nowMs);
      if (item === undefined) {
        break;
      }
      const entry = item.what;
      entry.checkpointAtMs = Infinity;
      if (!isHeld(entry.record) || entry.beatAtMs === never) {
        continue;
      }
      if (nowMs < entry.recordedAtMs + this.#intervalMs) {
        // Another commit has recorded a renewal since.
        this.add(entry, nowMs);
        continue;
      }
      const { namespace, name, fencingToken } = entry.record;
      const renewTimeMs = Math.round(wallMs - (nowMs - entry.beatAtMs));
      commands.push({ kind: 'checkpoint', namespace, name, fencingToken, renewTimeMs });
      entry.beatAtMs = never;
      entry.recordedAtMs = nowMs;
    }
    return commands;
  }
}
