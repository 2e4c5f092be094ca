import type { Lease } from '../types.js';

/** The label that says which zone a node is in, as of Kubernetes. */
const zoneLabel = 'topology.kubernetes.io/zone';

/** The zone of a node; empty when it does not say. */
export function zoneNameOf(lease: Lease): string {
  return lease.labels[zoneLabel] ?? '';
}

/** Fewer nodes that are missing at once are no mass failure, however few there are: Kubernetes' "more than 2". */
const massMin = 3;

/** Nodes that are likely to fail together, when the network to them does. */
export class Zone<Node> {
  readonly name: string;
  /** Nodes whose lease is held. */
  readonly alive: Set<Node> = new Set();
  /** Nodes whose lease is not held, and of which it is not decided what that means. */
  readonly missing: Set<Node> = new Set();
  readonly #massFailureRatio: number;

  constructor(name: string, massFailureRatio: number) {
    this.name = name;
    this.#massFailureRatio = massFailureRatio;
  }

  /** Whether so many are missing at once that the network is more likely to have failed than they. */
  get suspected(): boolean {
    const { size } = this.missing;
    return size >= massMin && size >= this.#massFailureRatio * (this.alive.size + size);
  }
}
