import { type Clock, within } from '../clock.js';
import { ClientClosedError, InvalidError, invalidOption, LeaseholdError, timedOut } from '../errors.js';
import type { HeldLease } from '../lease/held-lease.js';
import { isLeaseName } from '../names.js';
import type { CallOptions } from '../types.js';
import { checkBeatInterval, checkPositiveMs } from '../verbs.js';
import { KeptNode, type NodeClient, type NodeKeeper } from './kept-node.js';
import type { NodeStatus } from './node-status.js';
import { Turns } from './turns.js';

/** Options of `Client.heartbeatNodes`. The defaults are the kubelet's. */
export interface HeartbeatNodesOptions {
  /** Names of nodes: each is the name of a lease and its holder. `nodeLeaseName` makes one of a host's name. Default: none yet. */
  readonly nodes?: readonly string[] | undefined;
  /** Namespace of the leases. Default: `kube-node-lease`. */
  readonly namespace?: string | undefined;
  /** How long after its last heartbeat a node counts as alive, in milliseconds: 100 to 24 h. Default: 40,000. */
  readonly durationMs?: number | undefined;
  /** How often each lease is renewed, in milliseconds: at most half of `durationMs`. Default: a quarter of it. */
  readonly beatIntervalMs?: number | undefined;
  /**
   * Labels of each lease from each acquisition on, such as host and zone; those set with `setStatus` count before them. They replace all
   * that the record has. Default: those stay.
   */
  readonly labels?: NodeLabels | ((node: string) => NodeLabels) | undefined;
  /** How long the record is kept after the lease has expired, in milliseconds: 0 to 366 days. Default: as it is, at first for ever. */
  readonly keepAfterExpiryMs?: number | undefined;
  /** Hears of each lease that is acquired, or acquired again. */
  readonly onHeld?: ((node: string, lease: HeldLease) => void) | undefined;
  /** Hears of each lease that is lost, and why. The agent acquires it again. */
  readonly onLost?: ((node: string, error: Error) => void) | undefined;
  /** Hears of each attempt that failed: to acquire a lease, write a status, or give a lease back. The agent tries again, unless it ends. */
  readonly onError?: ((node: string, error: Error) => void) | undefined;
}

/** Labels by Kubernetes' rules. */
export type NodeLabels = Readonly<Record<string, string>>;

/** Options of `NodeAgent.stop` and `NodeAgent.remove`. */
export interface EndNodesOptions {
  /**
   * What becomes of the leases.
   *
   * - `release`: they are given back, so that whoever watches them knows at once; a monitor waits for its grace, for agents are restarted.
   * - `leave`: they run out by themselves, as the kubelet's do. An agent of another process, or client, that starts within their duration
   *   goes on with the same leases and tokens, and nobody notices: for an update.
   * - `delete`: they are given back and their records deleted: for nodes that will not come again.
   *
   * Default: `release`.
   */
  readonly leases?: 'release' | 'leave' | 'delete' | undefined;
  /** How long giving them back may take, in milliseconds; what is left then runs out by itself. Default: 10,000, the kubelet's. */
  readonly timeoutMs?: number | undefined;
}

/** What an agent needs of its client. */
export interface AgentHost {
  readonly client: NodeClient;
  readonly clock: Clock;
  /** Aborts when the client is closed, which gives the leases back or leaves them. */
  readonly closing: AbortSignal;
}

/** How many acquisitions, writes and releases are under way at once: 10,000 nodes are to start within seconds, and not all at once. */
const turnsMax = 64;

/**
 * Keeps nodes alive: one lease each, acquired again whenever it is lost, all of them renewed over the client's one heartbeat stream. One
 * node, or 10,000.
 *
 * A node's name is its identity. An agent that starts while the leases of the one before it still live is granted them again at once,
 * with the same tokens; two agents for one node share its lease, and either of them can give it back.
 *
 * What fails is tried again, after 0.2 s at first and up to 7 s later, for as long as the agent runs: a lease that another holder has,
 * too. `onError` hears of it.
 */
export class NodeAgent {
  readonly #host: AgentHost;
  readonly #keeper: NodeKeeper;
  readonly #hooks: Pick<HeartbeatNodesOptions, 'onHeld' | 'onLost' | 'onError'>;
  readonly #nodes = new Map<string, KeptNode>();
  #held = 0;
  #lastError: Error | undefined;
  #ready: Gate | undefined;
  #stopped: Promise<void> | undefined;

  /** @internal Agents come from `Client.heartbeatNodes`. */
  constructor(host: AgentHost, options: HeartbeatNodesOptions) {
    this.#host = host;
    this.#hooks = options;
    this.#keeper = this.#keeperOf(options);
    const { nodes = [] } = options;
    nodes.forEach(checkNode);
    for (const node of nodes) this.add(node);
    host.closing.addEventListener('abort', this.#close, { once: true });
  }

  /** The nodes that are kept alive. */
  get nodes(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  /** How many of them are held now. */
  get held(): number {
    return this.#held;
  }

  /** The lease of a node; `undefined` while it is not held. */
  lease(node: string): HeldLease | undefined {
    return this.#nodes.get(node)?.lease;
  }

  /**
   * Keeps another node alive. One that is kept already stays as it is.
   *
   * @param status what to say of it, as by `setStatus`; its labels are there from the first moment.
   * @throws {InvalidError} the name cannot be that of a lease.
   * @throws {LeaseholdError} reason `AGENT_STOPPED`.
   */
  add(node: string, status: NodeStatus = {}): void {
    checkNode(node);
    if (this.#stopped !== undefined) throw stopped();
    if (!this.#nodes.has(node)) this.#nodes.set(node, new KeptNode(this.#keeper, node, status));
  }

  /**
   * Keeps a node alive no more. Resolves once its lease is given back, or the time for that is up; never rejects.
   */
  async remove(node: string, options: EndNodesOptions = {}): Promise<void> {
    const kept = this.#nodes.get(node);
    if (kept === undefined) return;
    this.#nodes.delete(node);
    if (kept.lease !== undefined) this.#held -= 1;
    this.#openIfReady();
    await this.#end([kept], options);
  }

  /**
   * Says something about a node in the record of its lease. It is written once the lease is held, only where the record does not say it
   * yet, and tried again until it is; what is said later counts. What others write there meanwhile is not undone.
   *
   * @throws {InvalidError} the node is not one of this agent's.
   */
  setStatus(node: string, status: NodeStatus): void {
    const kept = this.#nodes.get(node);
    if (kept === undefined) throw invalidOption('node', "must be one of this agent's", JSON.stringify(node));
    kept.setStatus(status);
  }

  /**
   * Resolves once every node is held.
   *
   * @param options `timeoutMs`: default: the leases' duration, after which one that somebody else has left is free.
   * @throws {InvalidError} a server refuses an option, or a label or annotation of a node.
   * @throws {UnavailableError} they were not in time; its cause is the last failure.
   * @throws {LeaseholdError} reason `AGENT_STOPPED`; `ClientClosedError` when the client was closed.
   */
  async ready({ timeoutMs = this.#keeper.durationMs, signal }: CallOptions = {}): Promise<void> {
    if (this.#stopped !== undefined) throw stopped();
    if (this.#held === this.#nodes.size) return;
    this.#ready ??= new Gate();
    const onTimeout = (): Error => {
      const missing = `${this.#nodes.size - this.#held} of ${this.#nodes.size}`;
      return timedOut(`Acquire the leases of nodes: ${missing} missing`, timeoutMs, this.#lastError);
    };
    await within(this.#host.clock, this.#ready.opened, { timeoutMs, signal, onTimeout });
  }

  /**
   * Keeps no node alive any more. Resolves once the leases are given back, or the time for that is up; never rejects, and repeating it is
   * harmless.
   */
  stop(options: EndNodesOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(options);
    return this.#stopped;
  }

  /** Stops, and releases the leases. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(options: EndNodesOptions): Promise<void> {
    this.#host.closing.removeEventListener('abort', this.#close);
    this.#ready?.fail(stopped());
    const nodes = [...this.#nodes.values()];
    this.#nodes.clear();
    this.#held = 0;
    await this.#end(nodes, options);
  }

  /** The client was closed: what is held is the client's to give back, or to leave. */
  readonly #close = (): void => {
    this.#stopped ??= Promise.resolve();
    for (const node of this.#nodes.values()) node.rest();
    this.#nodes.clear();
    this.#held = 0;
    this.#ready?.fail(new ClientClosedError());
  };

  async #end(nodes: readonly KeptNode[], { leases = 'release', timeoutMs = 10_000 }: EndNodesOptions): Promise<void> {
    if (leases !== 'leave') {
      for (const node of nodes) node.rest();
      const giveBack = async (node: KeptNode): Promise<void> => {
        await node.giveBack(leases).catch((error: unknown) => this.#failed(node.name, error as Error));
      };
      const all = Promise.all(nodes.map(giveBack));
      const onTimeout = (): Error => timedOut('Give back the leases of nodes', timeoutMs);
      await within(this.#host.clock, all, { timeoutMs, onTimeout }).catch(() => undefined);
    }
    for (const node of nodes) node.leave();
  }

  #keeperOf(options: HeartbeatNodesOptions): NodeKeeper {
    const { namespace = 'kube-node-lease', keepAfterExpiryMs, labels } = options;
    const durationMs = checkPositiveMs('durationMs', options.durationMs ?? 40_000);
    return {
      client: this.#host.client,
      clock: this.#host.clock,
      turns: new Turns(turnsMax),
      namespace,
      durationMs,
      beatIntervalMs: checkBeatInterval(options.beatIntervalMs ?? durationMs / 4, durationMs),
      keepAfterExpiryMs,
      labelsOf: (node) => (typeof labels === 'function' ? labels(node) : labels),
      held: (node, lease) => {
        this.#held += 1;
        this.#openIfReady();
        queueMicrotask(() => this.#hooks.onHeld?.(node, lease));
      },
      lost: (node, error) => {
        this.#held -= 1;
        queueMicrotask(() => this.#hooks.onLost?.(node, error));
      },
      failed: (node, error) => {
        this.#failed(node, error);
      },
    };
  }

  #failed(node: string, error: Error): void {
    this.#lastError = error;
    if (error instanceof InvalidError) this.#failReady(error);
    // What a hook throws is no affair of the other nodes.
    queueMicrotask(() => this.#hooks.onError?.(node, error));
  }

  /** What is wrong in itself will not come right by waiting. */
  #failReady(error: InvalidError): void {
    this.#ready?.fail(error);
    this.#ready = undefined;
  }

  #openIfReady(): void {
    if (this.#held !== this.#nodes.size) return;
    this.#ready?.open();
    this.#ready = undefined;
  }
}

/** Something that opens once, or never will. */
class Gate {
  readonly opened: Promise<void>;
  open: () => void = () => undefined;
  fail: (error: Error) => void = () => undefined;

  constructor() {
    this.opened = new Promise((resolve, reject) => {
      this.open = resolve;
      this.fail = reject;
    });
  }
}

function checkNode(node: string): void {
  if (isLeaseName(node)) return;
  throw invalidOption('nodes', 'must be names of leases, as nodeLeaseName makes them of any host', JSON.stringify(node));
}

function stopped(): LeaseholdError {
  return new LeaseholdError({ code: 'CANCELLED', reason: 'AGENT_STOPPED', message: 'The node agent is stopped' });
}
