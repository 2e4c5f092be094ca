import type { Attachment } from '@leasehold/core';

/**
 * The leases of one stream by their handles, which rise from 1 and are never used again. An array, and not a map, because every beat
 * looks one up: it takes half the time.
 */
export class HandleTable {
  readonly #slots: (Attachment | undefined)[] = [undefined];
  #size = 0;

  /** How many leases are attached. */
  get size(): number {
    return this.#size;
  }

  /** How many handles were given out. */
  get used(): number {
    return this.#slots.length - 1;
  }

  /** Returns the handle of the lease. */
  add(attachment: Attachment): number {
    this.#size++;
    return this.#slots.push(attachment) - 1;
  }

  get(handle: number): Attachment | undefined {
    return this.#slots[handle];
  }

  remove(handle: number): void {
    if (this.#slots[handle] !== undefined) {
      this.#slots[handle] = undefined;
      this.#size--;
    }
  }

  /** Looks at each attached lease; `action` may remove it. */
  forEach(action: (attachment: Attachment, handle: number) => void): void {
    this.#slots.forEach((attachment, handle) => {
      if (attachment !== undefined) {
        action(attachment, handle);
      }
    });
  }
}
