import type { Operation } from '../../support/linearizable.js';

/** What writers of both APIs ask of one lease, and what the server does to it by itself. */
export type Asked =
  // Over gRPC.
  | { readonly kind: 'acquire'; readonly holder: string }
  | { readonly kind: 'renew' | 'attach'; readonly holder: string; readonly token: bigint }
  | { readonly kind: 'release'; readonly token: bigint }
  | { readonly kind: 'revoke'; readonly token: bigint }
  /** `token`: only while its tenure lives. */
  | { readonly kind: 'update'; readonly labels: Labels; readonly token: bigint | undefined }
  | { readonly kind: 'create'; readonly labels: Labels }
  | { readonly kind: 'delete'; readonly uid: string }
  // Over the Kubernetes API.
  | { readonly kind: 'post'; readonly spec: SpecChange; readonly labels: Labels }
  /** `base`: the version of the object that was changed; `undefined`: none was named. */
  | {
      readonly kind: 'put';
      readonly base: { readonly uid: string; readonly version: bigint } | undefined;
      readonly spec: SpecChange | undefined;
      readonly labels: Labels;
    }
  | { readonly kind: 'patch'; readonly spec: SpecChange | undefined; readonly labels: Labels }
  /** Creates what is not there. */
  | { readonly kind: 'apply'; readonly labels: Labels }
  | { readonly kind: 'remove'; readonly version: bigint | undefined }
  // Both.
  | { readonly kind: 'get' }
  // By itself, as a watch tells of it.
  | { readonly kind: 'elapse'; readonly does: 'expire' | 'end' | 'renew' | 'grant' };

/** What a write of the Kubernetes API says about a holder. It always has another `renewTime`. `undefined`: the one that is there stays. */
export interface SpecChange {
  readonly holder: string | undefined;
}

export type Labels = Readonly<Record<string, string>>;

/** A lease as either API shows it. */
export interface Shown {
  readonly uid: string;
  readonly version: bigint;
  readonly state: 'AVAILABLE' | 'HELD' | 'EXPIRED';
  /** Who holds it; empty: nobody. */
  readonly holder: string;
  readonly token: bigint;
  readonly labels: Labels;
  /** The holder that the spec names, which outlives the tenure; `undefined`: this API does not show it. */
  readonly specHolder: string | undefined;
  /** Whether a revoke waits for the holder; `undefined`: this API does not show it. */
  readonly revoking: boolean | undefined;
}

/** What was answered. */
export type Answered =
  /** `repeated`: it says itself that nothing has changed. */
  | { readonly kind: 'shown'; readonly lease: Shown; readonly created?: boolean; readonly repeated?: boolean }
  | { readonly kind: 'busy'; readonly holder: string; readonly token: bigint }
  | { readonly kind: 'renewed'; readonly version: bigint }
  | { readonly kind: 'attached' }
  /** `version`: of the deletion; `undefined`: the answer does not say. */
  | { readonly kind: 'gone'; readonly uid: string; readonly version: bigint | undefined }
  | { readonly kind: 'refused'; readonly why: Refusal };

/** Why something was refused: the reasons of gRPC, and what tells answers of the Kubernetes API apart. */
export type Refusal =
  | 'LEASE_NOT_FOUND'
  | 'LEASE_EXISTS'
  | 'LEASE_LOST'
  | 'LEASE_EXPIRED'
  | 'LEASE_HELD'
  | 'LEASE_REVOKED'
  | 'NAME_RESERVED'
  | 'NOT_WAITING'
  /** 409: another version, or another object, than the one that was meant. */
  | 'STALE_VERSION'
  /** 422: an update has to name a version. */
  | 'NO_VERSION';

/** An entry of a history: who did it to which lease, and when. */
export interface Entry extends Operation<Asked, Answered> {
  readonly by: string;
  readonly lease: string;
}

/** The version that an operation has made or seen, if its answer says so. */
export function versionOf({ output }: Operation<Asked, Answered>): bigint | undefined {
  switch (output.kind) {
    case 'shown':
      return output.lease.version;
    case 'renewed':
    case 'gone':
      return output.version;
    default:
      return undefined;
  }
}

/** What happened, in the order in which it returned. */
export class History {
  readonly entries: Entry[] = [];

  /** Does something and notes what came of it. @throws what `work` throws: nothing is noted. */
  async note(by: string, lease: string, input: Asked, work: () => Promise<Answered>): Promise<Answered> {
    const callMs = performance.now();
    const output = await work();
    this.entries.push({ by, lease, input, output, callMs, returnMs: performance.now() });
    return output;
  }

  of(lease: string): Entry[] {
    return this.entries.filter((entry) => entry.lease === lease);
  }
}
