import type { Labels, Shown } from './history.js';

/** One lease, as the rules for both APIs have it. It says nothing about time: what has become due, the history says. */
export interface LeaseState {
  readonly present: boolean;
  readonly uid: string;
  /** The last version that is known, of a lease that is gone too. */
  readonly version: bigint;
  readonly state: Shown['state'];
  readonly holder: string;
  readonly token: bigint;
  /** The highest token that there has ever been. */
  readonly topToken: bigint;
  readonly origin: 'grpc' | 'kubernetes';
  readonly labels: Labels;
  readonly specHolder: string;
  readonly revoking: boolean;
  /** Whether the name of a lease that is gone may still be reserved. */
  readonly reserved: boolean;
  /** Who has been granted it out of the queue and has not heard of it yet. */
  readonly granted: string;
}

/** A name that has never been. */
export const nothing: LeaseState = {
  ...{ present: false, uid: '', version: 0n, state: 'AVAILABLE', holder: '', token: 0n, topToken: 0n, origin: 'grpc' },
  ...{ labels: {}, specHolder: '', revoking: false, reserved: false, granted: '' },
};

/** Whether the lease is shown as it is. */
export function isShown(state: LeaseState, shown: Shown): boolean {
  const { uid, version, holder, token, labels, specHolder, revoking } = shown;
  return (
    state.present &&
    state.state === shown.state &&
    [uid, version, holder, token].every(
      (value, index) => value === [state.uid, state.version, state.holder, state.token][index],
    ) &&
    (specHolder === undefined || specHolder === state.specHolder) &&
    (revoking === undefined || revoking === state.revoking) &&
    textOf(labels) === textOf(state.labels)
  );
}

export function isHeldBy({ present, state, token }: LeaseState, by: bigint): boolean {
  return present && state === 'HELD' && token === by;
}

/** Labels as a text that does not depend on their order. */
export function textOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1)));
}
