import { invalidOption } from '../errors.js';
import type { Lease } from '../types.js';

/** Leases by name, and by the values of chosen labels. Every change costs the same, however many there are. */
export class LeaseTable implements Iterable<Lease> {
  readonly #leases = new Map<string, Lease>();
  /** For each label: the keys of the leases that have it, by its value. */
  readonly #indexes: ReadonlyMap<string, Map<string, Set<string>>>;

  constructor(indexLabels: readonly string[]) {
    this.#indexes = new Map(indexLabels.map((label) => [label, new Map()]));
  }

  get size(): number {
    return this.#leases.size;
  }

  get(namespace: string, name: string): Lease | undefined {
    return this.#leases.get(keyOf({ namespace, name }));
  }

  /** @throws {InvalidError} there is no index of that label. */
  byLabel(label: string, value: string): Lease[] {
    const index = this.#indexes.get(label);
    if (index === undefined) throw invalidOption('label', 'must be one of indexLabels', label);
    const leases: Lease[] = [];
    for (const key of index.get(value) ?? []) {
      const lease = this.#leases.get(key);
      if (lease !== undefined) leases.push(lease);
    }
    return leases;
  }

  put(lease: Lease): void {
    const key = keyOf(lease);
    const previous = this.#leases.get(key);
    this.#leases.set(key, lease);
    for (const [label, index] of this.#indexes) {
      move(index, key, { from: previous?.labels[label], to: lease.labels[label] });
    }
  }

  remove(lease: Lease): void {
    const key = keyOf(lease);
    const previous = this.#leases.get(key);
    this.#leases.delete(key);
    for (const [label, index] of this.#indexes) move(index, key, { from: previous?.labels[label], to: undefined });
  }

  [Symbol.iterator](): IterableIterator<Lease> {
    return this.#leases.values();
  }
}

/** One string for a lease's namespace and name. */
export function keyOf({ namespace, name }: Pick<Lease, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

function move(
  index: Map<string, Set<string>>,
  key: string,
  { from, to }: { readonly from: string | undefined; readonly to: string | undefined },
): void {
  if (from === to) return;
  if (from !== undefined) {
    const old = index.get(from);
    old?.delete(key);
    if (old?.size === 0) index.delete(from);
  }
  if (to !== undefined) {
    const now = index.get(to);
    if (now === undefined) index.set(to, new Set([key]));
    else now.add(key);
  }
}
