import type { HeldLease } from '@leasehold/sdk';
import type { FakeClock } from '@leasehold/sdk/testing';

/** What is rounded away on a process's clocks. */
const roundingMs = 0.01;

/** What a lease that the SDK holds tells of itself, in all the ways it has; they have to agree, with each other and with time. */
export class WatchedLease {
  readonly lease: HeldLease;
  readonly #clock: FakeClock;
  /** How often it beats. */
  readonly #beatMs: number;
  readonly #report: (what: string) => void;
  /** On the boot clock, when it was looked at last; `undefined`: nothing is known. */
  #believedUntilMs: number | undefined;
  #wasLost = false;
  /** When its process was told that another server has it, and has not attached anywhere since. */
  #movedMs: number | undefined;

  constructor(lease: HeldLease, clock: FakeClock, beatMs: number, report: (what: string) => void) {
    this.lease = lease;
    this.#clock = clock;
    this.#beatMs = beatMs;
    this.#report = (what) => report(`${what} (${lease.fencingToken})`);
    this.look();
  }

  get believes(): boolean {
    // Of a process that is stopped nothing can be asked; it goes on with what it believed.
    return this.#clock.running ? this.lease.status === 'held' : this.believesForMs > 0;
  }

  get believesForMs(): number {
    return (this.#believedUntilMs ?? -Infinity) - this.#clock.bootMs();
  }

  look(): void {
    if (!this.#clock.running) return;
    const { signal } = this.lease;
    const isOverdue = this.#believedUntilMs !== undefined && this.believesForMs < -roundingMs;
    if (isOverdue && !signal.aborted) this.#report('is not told that its deadline has passed');
    const { status, remainingMs } = this.lease;
    if (status === 'lost') this.#checkLost(remainingMs);
    if (status === 'held') this.#checkHeld(remainingMs);
    if (this.#asserts() !== (status === 'held')) this.#report(`has a lease that is ${status}, and assertHeld says otherwise`);
    this.#wasLost ||= status === 'lost';
    this.#believedUntilMs = this.#wasLost ? undefined : this.#clock.bootMs() + remainingMs;
  }

  /** Its process goes on, and looks before any timer of it has run. */
  resumed(): void {
    if (this.believesForMs <= 0) this.#believedUntilMs = undefined;
    if (this.#movedMs !== undefined) this.#movedMs = this.#clock.monotonicMs();
    this.look();
  }

  /** Its process is told that another server has it. */
  moved(): void {
    this.#movedMs ??= this.#clock.monotonicMs();
  }

  /** Its process attaches what it holds. */
  attached(): void {
    this.#movedMs = undefined;
  }

  #checkHeld(remainingMs: number): void {
    if (this.#wasLost) this.#report('holds again what was lost');
    if (remainingMs <= 0) this.#report('holds for no time');
    const unattendedMs = this.#movedMs === undefined ? 0 : this.#clock.monotonicMs() - this.#movedMs;
    if (unattendedMs > this.#beatMs + 1) this.#report('is told that its lease has moved, and does not attach it again');
  }

  #checkLost(remainingMs: number): void {
    if (remainingMs > 0) this.#report(`has lost what it has ${remainingMs} ms left of`);
    if (!this.lease.signal.aborted) this.#report('has lost its lease, and its signal is silent');
  }

  #asserts(): boolean {
    try {
      this.lease.assertHeld();
      return true;
    } catch {
      return false;
    }
  }
}
