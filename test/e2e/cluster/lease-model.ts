import type { Lease, LeaseEvent } from '@leasehold/sdk';
import type { Operation, SequentialModel } from '../../support/linearizable.js';
import type { Answered, Asked, Refusal } from './history.js';

/** One lease. It says nothing about time: what has become due, the changes say. */
export interface LeaseState {
  readonly present: boolean;
  readonly version: bigint;
  readonly state: Lease['state'];
  /** Who holds it; of an expired one, who held it last. */
  readonly holder: string;
  readonly token: bigint;
  readonly labels: string;
}

const nothing: LeaseState = { present: false, version: 0n, state: 'AVAILABLE', holder: '', token: 0n, labels: '[]' };

/**
 * The rules of acquire, renew, release, transfer, update, get and validate, for a history in which every change stands as watchers have told of
 * it (see `attribute`). So an answer changes nothing by itself: it says what must have been so at some instant between the call and its
 * return.
 */
export const leaseModel: SequentialModel<LeaseState, Asked, Answered> = {
  initial: nothing,
  step(state, { input, output }) {
    if (input.kind === 'change') return changed(state, input.events);
    if (output.kind === 'renewed') return renewed(state, input, output.version);
    return isRight(state, input, output) ? state : undefined;
  },
  isRead: ({ input, output }) => input.kind !== 'change' && output.kind !== 'renewed',
  keyOf: (state) => Object.values(state).join(' '),
  compare(left, right) {
    const apart = revisionOf(left) - revisionOf(right);
    // Who was answered that it has renewed comes after the renewal.
    return apart === 0n ? Number(left.input.kind !== 'change') - Number(right.input.kind !== 'change') : Number(apart);
  },
};

function revisionOf({ input, output }: Operation<Asked, Answered>): bigint {
  if (input.kind === 'change') return input.events[0]?.revision ?? 0n;
  return output.kind === 'renewed' ? output.version : 0n;
}

/** One change after the other, each by what the lease is after it. */
function changed(state: LeaseState, events: readonly LeaseEvent[]): LeaseState | undefined {
  if ((events[0]?.revision ?? 0n) <= state.version) return undefined;
  let now: LeaseState | undefined = state;
  for (const event of events) now = now && after(now, event);
  return now;
}

/** The lease after an event, if that can happen here. */
function after(state: LeaseState, { type, revision, lease }: LeaseEvent): LeaseState | undefined {
  const isHeld = state.present && state.state === 'HELD';
  const next = { ...state, version: revision };
  switch (type) {
    case 'ACQUIRED':
      // The token is the revision of the grant, so it rises with that.
      if (isHeld || revision <= state.token) return undefined;
      return shownAs({ ...next, present: true, state: 'HELD', holder: lease.holder, token: revision }, lease);
    case 'RENEWED':
      return isHeld ? shownAs(next, lease) : undefined;
    case 'RELEASED':
      return isHeld ? shownAs({ ...next, state: 'AVAILABLE', holder: '' }, lease) : undefined;
    case 'EXPIRED':
      return isHeld ? shownAs({ ...next, state: 'EXPIRED' }, lease) : undefined;
    case 'UPDATED':
      return state.present ? shownAs({ ...next, labels: labelsOf(lease) }, lease) : undefined;
    // Nobody asks for these.
    case 'CREATED':
    case 'DELETED':
      return undefined;
  }
}

/** A renewal that no watcher has been told of, because a later one has taken its place; or one that has. */
function renewed(state: LeaseState, input: Asked, version: bigint): LeaseState | undefined {
  if (input.kind !== 'renew' || !isHeldBy(state, input.token) || version < state.version) return undefined;
  return { ...state, version };
}

function isRight(state: LeaseState, input: Asked, output: Answered): boolean {
  switch (output.kind) {
    case 'granted':
      return isHeldBy(state, output.token) && input.kind === 'acquire' && input.holder === state.holder;
    case 'busy':
      return output.token === state.token && output.holder === (state.state === 'HELD' ? state.holder : '');
    case 'shown':
      return isShown(state, output.lease);
    case 'validity':
      return isShown(state, output.lease) && input.kind === 'validate' && output.valid === isHeldBy(state, input.token);
    case 'over':
      return input.kind === 'release' && !isHeldBy(state, input.token);
    case 'refused':
      return mayRefuse(state, input, output.why);
    case 'renewed':
    case 'unknown':
    case 'told':
      return false;
  }
}

function mayRefuse(state: LeaseState, input: Asked, why: Refusal): boolean {
  const token = 'token' in input ? input.token : undefined;
  switch (why) {
    case 'LEASE_NOT_FOUND':
      return !state.present;
    case 'LEASE_EXPIRED':
      return state.state === 'EXPIRED' && state.token === token;
    case 'LEASE_LOST':
      return state.present && token !== undefined && !isHeldBy(state, token);
    case 'NOT_WAITING':
      return token !== undefined && isHeldBy(state, token);
  }
}

function isHeldBy({ present, state, token }: LeaseState, by: bigint): boolean {
  return present && state === 'HELD' && token === by;
}

function shownAs(state: LeaseState, lease: Lease): LeaseState | undefined {
  return isShown(state, lease) ? state : undefined;
}

function isShown(state: LeaseState, lease: Lease): boolean {
  return (
    state.present &&
    state.version === lease.resourceVersion &&
    state.state === lease.state &&
    state.holder === lease.holder &&
    state.token === lease.fencingToken &&
    state.labels === labelsOf(lease)
  );
}

/** Labels as a text that does not depend on their order. */
export function labelsOf({ labels }: Pick<Lease, 'labels'>): string {
  return JSON.stringify(Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1)));
}
