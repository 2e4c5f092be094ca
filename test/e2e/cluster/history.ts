import type { Lease, LeaseEvent } from '@leasehold/sdk';
import type { Operation } from '../../support/linearizable.js';

/** What clients ask of one lease, and what watchers were told of it. */
export type Asked =
  | { readonly kind: 'acquire'; readonly holder: string }
  | { readonly kind: 'renew'; readonly token: bigint }
  /** `to`: whom it is handed to; empty: the next. */
  | { readonly kind: 'release'; readonly token: bigint; readonly to: string }
  /** `mark`: the label that it writes, which nobody else writes. `token`: only while its tenure lives. */
  | { readonly kind: 'update'; readonly mark: string; readonly token: bigint | undefined }
  | { readonly kind: 'get' }
  | { readonly kind: 'validate'; readonly token: bigint }
  /** One change, as watchers tell of it: a release and the grant that follows it are one. */
  | { readonly kind: 'change'; readonly events: readonly LeaseEvent[] };

/** What was answered. */
export type Answered =
  | { readonly kind: 'granted'; readonly token: bigint }
  /** Empty: nobody holds it at this moment. */
  | { readonly kind: 'busy'; readonly holder: string; readonly token: bigint }
  | { readonly kind: 'renewed'; readonly version: bigint }
  | { readonly kind: 'shown'; readonly lease: Lease }
  | { readonly kind: 'validity'; readonly valid: boolean; readonly lease: Lease }
  /** The tenure is over, by this call or before it. */
  | { readonly kind: 'over' }
  | { readonly kind: 'refused'; readonly why: Refusal }
  /** It may have been done, be done yet, or neither. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** Of a change: it is what it is. */
  | { readonly kind: 'told' };

/** Refusals that say something about the lease. */
export type Refusal = 'LEASE_NOT_FOUND' | 'LEASE_LOST' | 'LEASE_EXPIRED' | 'NOT_WAITING';

const refusals: ReadonlySet<string> = new Set<Refusal>(['LEASE_NOT_FOUND', 'LEASE_LOST', 'LEASE_EXPIRED', 'NOT_WAITING']);

export function isRefusal(reason: string): reason is Refusal {
  return refusals.has(reason);
}

/** An entry of a history: who did it to which lease, and when. */
export interface Entry extends Operation<Asked, Answered> {
  readonly by: string;
  readonly lease: string;
}

/** The entry of one kind of command. */
export type EntryOf<K extends Asked['kind']> = Entry & { readonly input: Extract<Asked, { kind: K }> };

/** What happened, in the order in which it returned. */
export class History {
  readonly entries: Entry[] = [];

  /** Does something and notes what came of it. */
  async note(by: string, lease: string, input: Asked, work: () => Promise<Answered>): Promise<Answered> {
    const callMs = performance.now();
    const output = await work();
    this.entries.push({ by, lease, input, output, callMs, returnMs: performance.now() });
    return output;
  }
}

/** The version that an answer tells of, if it does. */
export function versionOf({ output }: Operation<Asked, Answered>): bigint | undefined {
  switch (output.kind) {
    case 'granted':
      return output.token;
    case 'renewed':
      return output.version;
    case 'shown':
    case 'validity':
      return output.lease.resourceVersion;
    default:
      return undefined;
  }
}
