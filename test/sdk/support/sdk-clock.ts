import type { Clock } from '@leasehold/sdk';
import { FakeClock } from '../../support/fake-clock.js';

/** The fake clock with what the SDK asks of one besides: boot time, and chance, which always says 0. */
export class SdkClock extends FakeClock implements Clock {
  #suspendedMs = 0;

  bootMs(): number {
    return this.monotonicMs() + this.#suspendedMs;
  }

  random(): number {
    return 0;
  }

  /** Suspends the machine: boot time and the wall clock go on, the monotonic clock and every timer stand still. */
  suspend(ms: number): void {
    this.#suspendedMs += ms;
    this.jumpWall(ms);
  }
}
