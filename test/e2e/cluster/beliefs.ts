import type { HeldLease, LeaseEvent } from '@leasehold/sdk';

/** Who believes to hold what, by the SDK's own word, in one process and by one clock. */
export class Beliefs {
  /** Each once, with when it was seen first. */
  readonly #betrayals = new Map<string, number>();
  readonly #held = new Map<string, Set<HeldLease>>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.look(), 5).unref();
  }

  /** Leases that two believed to hold at one instant, or whose end was announced while their holder believed. */
  get betrayals(): string[] {
    return [...this.#betrayals].map(([what, atMs]) => `${Math.round(atMs)} ms: ${what}`);
  }

  add(lease: HeldLease): void {
    const held = this.#held.get(lease.name) ?? new Set();
    this.#held.set(lease.name, held.add(lease));
    this.look();
  }

  /** Looks at all of them. No other code runs meanwhile: it is one instant. */
  look(): void {
    for (const [name, held] of this.#held) {
      const believing = [...held].filter((lease) => lease.status === 'held');
      for (const lease of held) if (lease.status === 'lost') held.delete(lease);
      if (believing.length > 1) {
        this.#betray(`${name} is held by ${believing.map(({ fencingToken }) => String(fencingToken)).join(' and ')}`);
      }
    }
  }

  /** A watcher was told that a tenure is over: its holder must have stopped to believe before that could happen. */
  told({ type, lease: { name, fencingToken } }: LeaseEvent): void {
    for (const held of this.#held.get(name) ?? []) {
      const isOver = held.fencingToken < fencingToken || (held.fencingToken === fencingToken && endings.has(type));
      if (isOver && held.status === 'held') {
        this.#betray(`${name} (token ${held.fencingToken}) is believed in at ${type} of ${fencingToken}`);
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #betray(what: string): void {
    if (!this.#betrayals.has(what)) this.#betrayals.set(what, performance.now());
  }
}

const endings: ReadonlySet<string> = new Set(['RELEASED', 'EXPIRED', 'DELETED']);
