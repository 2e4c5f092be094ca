import type { Clock } from '../clock.js';
import { invalidOption, LeaseNotFoundError } from '../errors.js';
import type { CallOptions, Lease } from '../types.js';
import { checkMs } from '../verbs.js';
import type { LeaseChange } from '../watch/change.js';
import { Handlers } from '../watch/handlers.js';
import type { Informer } from '../watch/informer.js';
import { Mailbox } from '../watch/mailbox.js';
import { Turns } from './turns.js';
import { Zone, zoneNameOf } from './zone.js';

/** Options of `Client.monitorNodes`. */
export interface MonitorNodesOptions {
  /** Namespace of the nodes' leases. Default: `kube-node-lease`. */
  readonly namespace?: string | undefined;
  /** Only nodes whose leases have matching labels, in Kubernetes' syntax. Default: all. */
  readonly labelSelector?: string | undefined;
  /**
   * How long after the end of its lease a node counts as ready yet, in milliseconds. Default: 10,000, so that a node with a lease of 40 s
   * is unknown 50 s after its last heartbeat: Kubernetes' `node-monitor-grace-period` since 1.32.
   *
   * Keep it no shorter than the nodes' interval between heartbeats: within that time the leases of nodes that are cut off together
   * expire, and a mass failure shows.
   */
  readonly graceMs?: number | undefined;
  /**
   * From which share of a zone's nodes that go at once, at least 3, the network is suspected: above 0; more than 1: never. Default: 0.55,
   * Kubernetes' `unhealthy-zone-threshold`.
   */
  readonly massFailureRatio?: number | undefined;
  /** Hears of each failure that the monitor survives: a list, a watch or a read. For logs. */
  readonly onError?: ((error: Error) => void) | undefined;
  /** Ends the monitor: iterations and waits then throw the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a monitor says of a node. */
export interface NodeState {
  /** The node's name, which is that of its lease. */
  readonly name: string;
  /** Whether it is alive. */
  readonly condition: NodeCondition;
  /** What the condition rests on. */
  readonly reason: NodeReason;
  /** The lease's label `topology.kubernetes.io/zone`; empty without. */
  readonly zone: string;
  /** The lease as it was when this was found. */
  readonly lease: Lease;
}

/**
 * - `Ready`: the node's lease is held, or has ended less than the grace ago.
 * - `Unknown`: it has ended, and was not acquired again within the grace. Nobody hears the node: act for it.
 * - `Suspect`: the same, but so many nodes of the zone have gone at once that it is likely to be the network. Do nothing, or wake somebody.
 * - `Gone`: the record was deleted. The node belongs here no more.
 */
export type NodeCondition = 'Ready' | 'Unknown' | 'Suspect' | 'Gone';

/**
 * What the condition rests on: the lease is `Held`, has `Expired` (Kubernetes' `NodeStatusUnknown`), was `Released` by the node's agent,
 * was `NeverHeld` (`NodeStatusNeverUpdated`), or its record was `Deleted`.
 */
export type NodeReason = 'Held' | 'Expired' | 'Released' | 'NeverHeld' | 'Deleted';

/** What a monitor asks for. */
export interface MonitorSource {
  /** The leases of the nodes. */
  readonly informer: Informer;
  /** Reads one of them as it is committed now. */
  get(name: string, signal: AbortSignal): Promise<Lease>;
}

/** The options that a monitor has to know itself, with every default put in. */
export interface MonitorSettings {
  readonly graceMs: number;
  readonly massFailureRatio: number;
  readonly onError: ((error: Error) => void) | undefined;
}

/**
 * Checks the options and puts the defaults in.
 *
 * @throws {InvalidError}
 */
export function monitorSettings({ graceMs = 10_000, massFailureRatio = 0.55, onError }: MonitorNodesOptions): MonitorSettings {
  if (!(massFailureRatio > 0)) throw invalidOption('massFailureRatio', 'must be a number above 0', massFailureRatio);
  return { graceMs: checkMs('graceMs', graceMs), massFailureRatio, onError };
}

/** The least pause before a node is read again that could not be read, or was alive although the watch has not said so yet. */
const readAgainMsMin = 1000;

/** How many nodes are read at once. */
const readsMax = 64;

/**
 * Says of each node whether it is alive: iterating yields all nodes, and then each change of a condition.
 *
 * ```ts
 * for await (const node of client.monitorNodes()) if (node.condition === 'Unknown') evict(node.name);
 * ```
 *
 * Nothing but the server decides that a lease has ended. From then the node has the grace to acquire it again, so that an agent may be
 * restarted; then its lease is read once more, and only if that shows it gone is the node `Unknown`. So a monitor that has lost its
 * server, or starts late, declares nothing by that: it counts each grace from when it hears of the end.
 *
 * **Mass failure.** When 55 % of a zone's nodes, and at least 3, are missing at once, the network is suspected: their condition is then
 * `Suspect`, not `Unknown`, so that the loop above evicts none of them. Once fewer are missing, those that still are have the grace again,
 * before they become `Unknown`. Nodes that were `Unknown` before count neither way: a zone may lose its nodes one by one. Where all of a
 * zone has really gone they stay `Suspect` until somebody deletes their leases.
 *
 * A reader that is slow finds the newest state of each node only. A state may be told twice.
 */
export class NodeMonitor implements AsyncIterable<NodeState> {
  readonly #source: MonitorSource;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #massFailureRatio: number;
  readonly #errors = new Handlers<{ readonly error: Error }>();
  readonly #reads = new Turns(readsMax);
  readonly #nodes = new Map<string, MonitoredNode>();
  readonly #zones = new Map<string, Zone<MonitoredNode>>();
  /** One for each iteration. */
  readonly #readers = new Set<Mailbox<string, NodeState>>();
  #end: { readonly error: Error | undefined } | undefined;

  /** @internal Monitors come from `Client.monitorNodes`. */
  constructor(source: MonitorSource, { graceMs, massFailureRatio, onError }: MonitorSettings, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#massFailureRatio = massFailureRatio;
    if (onError !== undefined) this.#errors.on('error', onError);
    source.informer.on('change', (change) => {
      this.#take(change);
    });
    source.informer.on('error', (error) => {
      this.#errors.emit('error', error);
    });
    source.informer.on('end', (error) => {
      this.#finish(error);
    });
  }

  /** The nodes whose condition is known. One whose lease had ended when the monitor first saw it is none of them before its grace is over. */
  get nodes(): readonly NodeState[] {
    const states: NodeState[] = [];
    for (const { told } of this.#nodes.values()) if (told !== undefined) states.push(told);
    return states;
  }

  /** Whether so many nodes of some zone are missing at once that it is likely to be the network. */
  get networkSuspected(): boolean {
    for (const { suspected } of this.#zones.values()) if (suspected) return true;
    return false;
  }

  /** Resolves once all nodes have been seen, within 30 s by default. It throws what `Informer.waitForSync` does. */
  waitForSync(options: CallOptions = {}): Promise<void> {
    return this.#source.informer.waitForSync(options);
  }

  /**
   * Iterates over the nodes, and then over changes. It finishes when the monitor is closed, and throws what else ended it: the signal's
   * reason, a `ClientClosedError`, an `InvalidError`.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<NodeState, void, undefined> {
    const reader = new Mailbox<string, NodeState>();
    for (const state of this.nodes) reader.put(state.name, state);
    if (this.#end !== undefined) reader.end(this.#end.error);
    this.#readers.add(reader);
    try {
      yield* reader.read();
    } finally {
      this.#readers.delete(reader);
    }
  }

  /** Ends the monitor. Idempotent. */
  close(): void {
    this.#source.informer.close();
  }

  /** Ends the monitor. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #finish(error: Error | undefined): void {
    this.#end = { error };
    for (const node of this.#nodes.values()) node.cancel();
    for (const reader of this.#readers) reader.end(error);
  }

  #take({ type, lease }: LeaseChange): void {
    const node = this.#nodes.get(lease.name) ?? newNode(lease, this.#zone(lease));
    this.#nodes.set(lease.name, node);
    node.lease = lease;
    if (type === 'delete') {
      this.#nodes.delete(lease.name);
      this.#place(node, 'gone');
      this.#tell(node, 'Gone');
    } else if (lease.state === 'HELD') {
      this.#place(node, 'alive');
      this.#tell(node, 'Ready');
    } else {
      this.#place(node, node.phase === 'unknown' ? 'unknown' : 'missing');
    }
  }

  /** Counts a node where it is now. Where that ends a suspicion, those who are missing yet have the grace again. */
  #place(node: MonitoredNode, phase: Phase): void {
    const before = { zone: node.zone, phase: node.phase };
    const zone = this.#zone(node.lease);
    const suspected = [before.zone, zone].filter((each) => each.suspected);
    before.zone.alive.delete(node);
    before.zone.missing.delete(node);
    if (phase === 'alive' || phase === 'missing') zone[phase].add(node);
    node.zone = zone;
    node.phase = phase;
    if (phase !== 'missing') node.cancel();
    else if (before.phase !== phase || before.zone !== zone) this.#giveGrace(node);
    for (const each of suspected) if (!each.suspected) each.missing.forEach((missing) => this.#giveGrace(missing));
  }

  /** Gives a node the grace. */
  #giveGrace(node: MonitoredNode, delayMs: number = this.#graceMs): void {
    node.cancel();
    node.cancel = this.#clock.after(delayMs, () => {
      this.#graceOver(node);
    });
  }

  #graceOver(node: MonitoredNode): void {
    if (node.zone.suspected) {
      // It has the grace again once the suspicion ends.
      this.#tell(node, 'Suspect');
      return;
    }
    const reading = new AbortController();
    node.cancel = (): void => {
      reading.abort();
    };
    void this.#reads.run(() => this.#decide(node, reading.signal));
  }

  async #decide(node: MonitoredNode, signal: AbortSignal): Promise<void> {
    const held = signal.aborted ? undefined : await this.#isHeld(node, signal);
    if (signal.aborted) return;
    if (held !== false) {
      this.#giveGrace(node, Math.max(this.#graceMs, readAgainMsMin));
    } else if (node.zone.suspected) {
      this.#tell(node, 'Suspect');
    } else {
      this.#place(node, 'unknown');
      this.#tell(node, 'Unknown');
    }
  }

  /** Whether the lease is held now; `undefined`: nobody can say, or the watch is about to tell that it was deleted. */
  async #isHeld({ lease: { name } }: MonitoredNode, signal: AbortSignal): Promise<boolean | undefined> {
    try {
      const { state } = await this.#source.get(name, signal);
      return state === 'HELD';
    } catch (error) {
      const wrong = !signal.aborted && !(error instanceof LeaseNotFoundError);
      if (wrong) this.#errors.emit('error', error instanceof Error ? error : new Error('Read a lease', { cause: error }));
      return undefined;
    }
  }

  #tell(node: MonitoredNode, condition: NodeCondition): void {
    const { lease, zone, told } = node;
    const reason = condition === 'Gone' ? 'Deleted' : reasonOf(lease);
    if (told === undefined ? condition === 'Gone' : told.condition === condition && told.reason === reason) return;
    node.told = { name: lease.name, condition, reason, zone: zone.name, lease };
    for (const reader of this.#readers) reader.put(lease.name, node.told);
  }

  #zone(lease: Lease): Zone<MonitoredNode> {
    const name = zoneNameOf(lease);
    let zone = this.#zones.get(name);
    if (zone === undefined) {
      zone = new Zone(name, this.#massFailureRatio);
      this.#zones.set(name, zone);
    }
    return zone;
  }
}

/** A node that is not `missing` waits for nothing. */
type Phase = 'new' | 'alive' | 'missing' | 'unknown' | 'gone';

interface MonitoredNode {
  lease: Lease;
  zone: Zone<MonitoredNode>;
  phase: Phase;
  /** What was last said of it. */
  told: NodeState | undefined;
  /** Ends the wait, or the reading, that decides about it. */
  cancel: () => void;
}

function reasonOf({ state, fencingToken }: Lease): NodeReason {
  if (state === 'HELD') return 'Held';
  if (state === 'EXPIRED') return 'Expired';
  return fencingToken === 0n ? 'NeverHeld' : 'Released';
}

function newNode(lease: Lease, zone: Zone<MonitoredNode>): MonitoredNode {
  return { lease, zone, phase: 'new', told: undefined, cancel: () => undefined };
}
