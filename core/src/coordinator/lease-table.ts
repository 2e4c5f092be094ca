import BTreeModule from 'sorted-btree';
import { Entry } from './entry.js';
import type { ServerSessions } from './sessions.js';
import { isVisible, type LeaseKey, type LeaseRecord } from '../lease/record.js';

// The package is CommonJS: its default export is behind another `default` for ES modules.
const { default: BTree } = BTreeModule as unknown as { default: typeof BTreeModule.default };

/** All leases of this server: by key, and in order. */
export class LeaseTable {
  readonly #sessions: ServerSessions;
  readonly #entries = new Map<LeaseKey, Entry>();
  readonly #visible = new BTree<LeaseKey, Entry>();
  readonly #perNamespace = new Map<string, number>();

  constructor(sessions: ServerSessions) {
    this.#sessions = sessions;
  }

  get(key: LeaseKey): Entry | undefined {
    return this.#entries.get(key);
  }

  getOrAdd(key: LeaseKey): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = new Entry(key, this.#sessions);
      this.#entries.set(key, entry);
    }
    return entry;
  }

  all(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** How many records callers can see in a namespace. */
  countIn(namespace: string): number {
    return this.#perNamespace.get(namespace) ?? 0;
  }

  /** The namespaces with records that callers can see, in their order. */
  namespaces(): string[] {
    return [...this.#perNamespace.keys()].sort();
  }

  /** Keeps the order and the counts true after the record of an entry has changed, and forgets an entry that holds nothing. */
  refresh(entry: Entry, wasVisible: boolean): void {
    const visible = isVisible(entry.record);
    if (visible !== wasVisible) {
      const namespace = entry.key.slice(0, entry.key.indexOf('/'));
      const count = this.countIn(namespace) + (visible ? 1 : -1);
      if (count === 0) {
        this.#perNamespace.delete(namespace);
      } else {
        this.#perNamespace.set(namespace, count);
      }
      if (visible) {
        this.#visible.set(entry.key, entry);
      } else {
        this.#visible.delete(entry.key);
      }
    }
    this.forgetIfEmpty(entry);
  }

  forgetIfEmpty(entry: Entry): void {
    if (entry.isEmpty()) {
      this.#entries.delete(entry.key);
    }
  }

  /** What callers can see, in order: all of it, or that of one namespace. */
  records(namespace: string): LeaseRecord[] {
    return [...this.after('', namespace)].map(({ record }) => record).filter(isVisible);
  }

  /** Visible leases after a key, in order, all of them or those of one namespace. */
  *after(key: LeaseKey, namespace: string): IterableIterator<Entry> {
    const prefix = namespace === '' ? '' : `${namespace}/`;
    const start = key > prefix ? key : prefix;
    for (const [found, entry] of this.#visible.entries(start)) {
      if (!found.startsWith(prefix)) {
        return;
      }
      if (found !== key) {
        yield entry;
      }
    }
  }
}
