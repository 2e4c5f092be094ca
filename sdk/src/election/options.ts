import type { LeaseName } from '../transport/transport.js';
import { checkPriority, metadataOf } from '../verbs.js';
import type { ElectionPlan } from './election.js';
import type { ElectionRules } from './machine.js';
import { type ElectionTiming, electionTiming } from './timing.js';

/** Options of `Client.elect`. */
export interface ElectOptions extends Partial<ElectionTiming> {
  /** Namespace of the lease. Default: the client's. */
  readonly namespace?: string | undefined;
  /** Who campaigns: 1 to 512 bytes, unique per process. Default: the client's holder. */
  readonly holder?: string | undefined;
  /** Place in the queue of standbys: highest first, an int32. Never takes the lease from a leader. Default: 0. */
  readonly priority?: number | undefined;
  /** Labels of the lease from each win on. Default: those it has. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Annotations of the lease from each win on, such as the leader's address. Default: those it has. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Hears of each failure that the campaign survives: no server answered, or a win came to nothing. For logs. */
  readonly onError?: ((error: Error) => void) | undefined;
}

/**
 * Puts the defaults in.
 *
 * @throws {InvalidError} the timings do not fit together.
 */
export function electionPlan(name: LeaseName, holder: string, options: ElectOptions, rules: ElectionRules): ElectionPlan {
  const metadata = metadataOf({ labels: options.labels, annotations: options.annotations });
  const request = { ...name, ...metadata, holder: options.holder ?? holder, priority: checkPriority(options.priority) };
  return { ...rules, request, timing: electionTiming(options) };
}
