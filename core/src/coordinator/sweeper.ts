import type { Clock } from '../clock.js';
import { isHeld } from '../lease/record.js';
import { Agenda } from './agenda.js';
import type { Entry } from './entry.js';

/** A sweep that runs later than this after its time is a stall: the process, or the machine, stood still. */
const stallMs = 100;
/** How often the sweeper looks at the clock at least, so that it notices a stall. */
const tickMs = 50;
/** How far ahead a lease is on the agenda at most; what was deleted since is forgotten by then. */
const horizonMs = 300_000;

/**
 * Looks after what time makes due: the only one who expires a lease. It keeps one place on its agenda for each lease; heartbeats move
 * only the deadline, and a lease that is looked at too early is put off again.
 *
 * After a stall, deadlines that fell due in it move once, so that renewals which already wait in the sockets are read first.
 */
export class Sweeper {
  readonly #clock: Clock;
  readonly #elapse: (entry: Entry) => void;
  readonly #inFlightMax: number;
  readonly #agenda = new Agenda<Entry>();
  #inFlight = 0;
  #lastSweepMs: number;
  /** When the next look at the clock was due at first: how late it comes tells a stall. */
  #tickDueMs = Infinity;
  /** When it comes, which is earlier if something has become due earlier. */
  #tickAtMs = Infinity;
  #cancelTick: () => void = () => undefined;
  #stopped = false;

  /**
   * @param elapse submits the command that does what is due; `done` follows
   * @param inFlightMax how many such commands are under way at once, so that a mass expiry leaves room for others
   */
  constructor(clock: Clock, elapse: (entry: Entry) => void, inFlightMax: number) {
    this.#clock = clock;
    this.#elapse = elapse;
    this.#inFlightMax = inFlightMax;
    this.#lastSweepMs = clock.monotonicMs();
    this.#tick();
  }

  /** Makes sure that a lease is looked at in time. */
  watch(entry: Entry): void {
    const wakeMs = entry.nextWakeMs();
    if (wakeMs !== Infinity) {
      this.#lookAt(entry, Math.min(wakeMs, this.#clock.monotonicMs() + horizonMs));
    }
  }

  /** A command of `elapse` has its outcome. */
  done(): void {
    this.#inFlight--;
  }

  /** Goes on with what is due, as far as there is room. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#tickDueMs > stallMs) {
      this.#postpone(nowMs, nowMs - this.#tickDueMs);
    }
    this.#lastSweepMs = nowMs;
    while (this.#inFlight < this.#inFlightMax && !this.#stopped) {
      const item = this.#agenda.takeDue(nowMs);
      if (item === undefined) {
        return;
      }
      // A lease that was put on the agenda again for an earlier instant leaves its old place behind.
      if (item.what.wakeAtMs === item.atMs) {
        item.what.wakeAtMs = Infinity;
        this.#visit(item.what, nowMs);
      }
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTick();
  }

  #tick(): void {
    const delayMs = this.#untilNext();
    this.#tickDueMs = this.#clock.monotonicMs() + delayMs;
    this.#arm(this.#tickDueMs);
  }

  #arm(atMs: number): void {
    this.#cancelTick();
    this.#tickAtMs = atMs;
    this.#cancelTick = this.#clock.after(Math.max(0, atMs - this.#clock.monotonicMs()), () => {
      // What it finds on the way comes with the next tick.
      this.#tickAtMs = -Infinity;
      this.sweep();
      if (!this.#stopped) {
        this.#tick();
      }
    });
  }

  /** With work under way, `done` goes on by itself. */
  #untilNext(): number {
    if (this.#inFlight >= this.#inFlightMax) {
      return tickMs;
    }
    return Math.min(Math.max(this.#agenda.nextMs - this.#clock.monotonicMs(), 0), tickMs);
  }

  #visit(entry: Entry, nowMs: number): void {
    if (entry.inFlight !== undefined) {
      // Its outcome brings the lease back here.
      return;
    }
    entry.endGrace(nowMs);
    if (entry.nextWakeMs() > nowMs) {
      this.watch(entry);
      entry.settle();
      return;
    }
    this.#inFlight++;
    this.#elapse(entry);
  }

  #lookAt(entry: Entry, atMs: number): void {
    if (atMs < entry.wakeAtMs) {
      entry.wakeAtMs = atMs;
      this.#agenda.add(atMs, entry);
      if (atMs < this.#tickAtMs && !this.#stopped) {
        this.#arm(atMs);
      }
    }
  }

  /** Moves the deadlines that fell due while nothing ran: by the stall, at least 1 s, at most 1 s or the duration if that is longer. */
  #postpone(nowMs: number, stalledMs: number): void {
    const late: Entry[] = [];
    for (let item = this.#agenda.takeDue(nowMs); item !== undefined; item = this.#agenda.takeDue(nowMs)) {
      if (item.what.wakeAtMs === item.atMs) {
        item.what.wakeAtMs = Infinity;
        late.push(item.what);
      }
    }
    for (const entry of late) {
      const { record } = entry;
      if (isHeld(record) && !entry.postponed && entry.deadlineMs > this.#lastSweepMs && entry.deadlineMs <= nowMs) {
        entry.deadlineMs = nowMs + Math.min(Math.max(stalledMs, 1000), Math.max(record.durationMs, 1000));
        entry.postponed = true;
      }
      this.#lookAt(entry, Math.max(entry.nextWakeMs(), nowMs));
      entry.settle();
    }
  }
}
