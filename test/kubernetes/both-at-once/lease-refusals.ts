import type { Asked, Refusal } from './history.js';
import { isHeldBy, type LeaseState } from './lease-state.js';

/** Whether this refusal is right here. */
export function mayRefuse(state: LeaseState, input: Asked, why: Refusal, strict: boolean): boolean {
  return rules[why](state, input, strict);
}

/** When each of them is right. */
const rules: Readonly<Record<Refusal, (state: LeaseState, input: Asked, strict: boolean) => boolean>> = {
  LEASE_NOT_FOUND: ({ present }) => !present,
  LEASE_EXISTS: ({ present }, { kind }) => present && (kind === 'create' || kind === 'post'),
  NAME_RESERVED: ({ present, reserved }) => !present && reserved,
  LEASE_EXPIRED: ({ present, state, token }, input) => present && state === 'EXPIRED' && token === tokenOf(input),
  LEASE_LOST(state, input) {
    if (input.kind === 'delete') return state.present && state.uid !== input.uid;
    const token = tokenOf(input);
    return state.present && token !== undefined && !isHeldBy(state, token);
  },
  NOT_WAITING: (state, input) => isHeldBy(state, tokenOf(input) ?? -1n),
  LEASE_REVOKED(state, input, strict) {
    if (input.kind === 'renew' || input.kind === 'attach') return isHeldBy(state, input.token) && state.revoking;
    return refusesSpec(state, input, strict) === 'LEASE_REVOKED';
  },
  LEASE_HELD: (state, input, strict) => refusesSpec(state, input, strict) === 'LEASE_HELD',
  STALE_VERSION: isStale,
  NO_VERSION: ({ present }, input) => present && input.kind === 'put' && input.base === undefined,
};

function tokenOf(input: Asked): bigint | undefined {
  return 'token' in input ? input.token : undefined;
}

function refusesSpec(state: LeaseState, input: Asked, strict: boolean): Refusal | undefined {
  if (!state.present || (input.kind !== 'put' && input.kind !== 'patch') || input.spec === undefined) return undefined;
  if (input.kind === 'put' && input.base?.version !== state.version) return undefined;
  return refusalOfSpec(state, input.spec.holder ?? state.specHolder, strict);
}

function isStale(state: LeaseState, input: Asked): boolean {
  if (input.kind === 'put') return input.base !== undefined && (!state.present || input.base.version !== state.version);
  return input.kind === 'remove' && state.present && input.version !== undefined && input.version !== state.version;
}

/** Why a write of the Kubernetes API cannot say that this one holds the lease. */
export function refusalOfSpec(state: LeaseState, holder: string, strict: boolean): Refusal | undefined {
  if (state.state !== 'HELD') return undefined;
  if (state.origin === 'grpc') return 'LEASE_HELD';
  if (state.revoking && holder !== '') return 'LEASE_REVOKED';
  return strict && holder !== '' && holder !== state.holder ? 'LEASE_HELD' : undefined;
}
