import type { FakeClock } from '@leasehold/sdk/testing';
import type { Cluster, Server } from './servers.js';
import type { HolderWeather } from './weather.js';
import type { Believer } from './witness.js';

/** What one holder is like. */
export interface HolderOptions {
  readonly cluster: Cluster;
  readonly servers: readonly Server[];
  readonly name: string;
  readonly leaseName: string;
  readonly durationMs: number;
  readonly weather: () => HolderWeather;
  /** Whether it acquires again once it has nothing. */
  readonly isEager: (holder: Participant) => boolean;
}

/** A process that wants a lease, and what can be done to it. */
export interface Participant extends Believer {
  readonly clock: FakeClock;
  /** It neither has a lease nor wants one at the moment. */
  readonly isIdle: boolean;
  readonly isGone: boolean;
  readonly isWaiting: boolean;
  /** Stops its process, as SIGSTOP does. */
  pause(): void;
  resume(): void;
  /** Ends its process: servers hear of it late. */
  kill(): void;
  /** Keeps what it has for so long; a stubborn one, also if it hears nothing. */
  stay(forMs: number, isStubborn: boolean): void;
  /** Goes to one more server. */
  straddle(): void;
  /** From now on it waits for as long as it takes, and gives the lease up as soon as it has it. */
  giveUp(): void;
}
