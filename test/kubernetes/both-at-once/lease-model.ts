import type { Operation, SequentialModel } from '../../support/linearizable.js';
import { versionOf, type Answered, type Asked, type Labels, type Shown, type SpecChange } from './history.js';
import { mayRefuse, refusalOfSpec } from './lease-refusals.js';
import { isHeldBy, isShown, nothing, type LeaseState } from './lease-state.js';

/** `strict`: the Kubernetes API does not take living leases from their holders either. */
export function leaseModel({ strict }: { strict: boolean }): SequentialModel<LeaseState, Asked, Answered> {
  return {
    initial: nothing,
    step: (state, operation) => step(state, operation, strict),
    isRead: ({ input, output }) =>
      ['refused', 'busy', 'attached'].includes(output.kind) || input.kind === 'get' || isRepeated(output),
    keyOf: (state) => JSON.stringify(state, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    compare: (left, right) => (hintOf(left) < hintOf(right) ? -1 : 1),
  };
}

/** A deletion that does not say its version comes last: nothing that can happen before it could happen after it. */
function hintOf(operation: Operation<Asked, Answered>): bigint {
  return versionOf(operation) ?? 2n ** 64n;
}

function step(state: LeaseState, { input, output }: Operation<Asked, Answered>, strict: boolean): LeaseState | undefined {
  if (output.kind === 'refused') return mayRefuse(state, input, output.why, strict) ? state : undefined;
  const apply = steps[input.kind] as (
    state: LeaseState,
    input: Asked,
    output: Answered,
    strict: boolean,
  ) => LeaseState | undefined;
  return apply(state, input, output, strict);
}

type Of<K extends Asked['kind']> = Extract<Asked, { kind: K }>;

/** What each of them does when it is not refused. */
const steps: {
  readonly [K in Asked['kind']]: (state: LeaseState, input: Of<K>, output: Answered, strict: boolean) => LeaseState | undefined;
} = {
  acquire: (state, { holder }, output) => acquire(state, holder, output),
  renew,
  attach: renew,
  release: (state, { token }, output) => (isRepeated(output) ? repeated(state, token, output) : released(state, token, output)),
  revoke: (state, { token }, output) => (isHeldBy(state, token) ? revoke(state, output) : repeated(state, token, output)),
  update: (state, { token, labels }, output) =>
    state.present && (token === undefined || isHeldBy(state, token)) ? relabelled(state, labels, output) : undefined,
  create: (state, { labels }, output) => (state.present ? undefined : made(state, { labels }, output)),
  delete: (state, { uid }, output) => (state.uid === uid ? gone(state, output, state.state === 'HELD') : undefined),
  post: (state, input, output) => (state.present ? undefined : madeWith(state, input, output)),
  put,
  patch: (state, { spec, labels }, output, strict) =>
    state.present ? write(state, { spec, labels: { ...state.labels, ...labels } }, output, strict) : undefined,
  apply: (state, { labels }, output) =>
    state.present ? relabelled(state, labels, output) : madeWith(state, { spec: undefined, labels }, output),
  remove: (state, { version = state.version }, output) =>
    version === state.version ? gone(state, output, state.state === 'HELD' && state.origin === 'grpc') : undefined,
  get: (state, _, output) => (output.kind === 'shown' && isShown(state, output.lease) ? state : undefined),
  elapse: (state, { does }, output) => elapse(state, does, output),
};

function relabelled(state: LeaseState, labels: Labels, output: Answered): LeaseState | undefined {
  return changed(state, { labels: { ...state.labels, ...labels } }, output);
}

function acquire(state: LeaseState, holder: string, output: Answered): LeaseState | undefined {
  if (output.kind === 'busy') {
    const isInTheWay = state.present ? state.state === 'HELD' : state.reserved;
    return isInTheWay && output.holder === state.holder && output.token === state.token ? state : undefined;
  }
  if (output.kind !== 'shown') return undefined;
  const { token } = output.lease;
  // A grant out of the queue has happened with what freed the lease; here its holder only hears of it.
  if (state.granted === holder && state.token === token) return { ...state, granted: '' };
  return grant(state, holder, output);
}

/** A tenure of gRPC origin on a lease that nobody has. */
function grant(state: LeaseState, holder: string, output: Answered): LeaseState | undefined {
  if (state.present && state.state === 'HELD') return undefined;
  const tenure = { ...tenureOf(holder, 'grpc'), revoking: false };
  return state.present ? changed(state, tenure, output) : made(state, { ...tenure, labels: {} }, output);
}

function renew(
  state: LeaseState,
  { holder, token }: { holder: string; token: bigint },
  output: Answered,
): LeaseState | undefined {
  if (!isHeldBy(state, token) || state.holder !== holder || state.revoking) return undefined;
  if (output.kind === 'attached') return state;
  return output.kind === 'renewed' && output.version > state.version ? { ...state, version: output.version } : undefined;
}

function isRepeated(output: Answered): boolean {
  return output.kind === 'shown' && output.repeated === true;
}

function released(state: LeaseState, token: bigint, output: Answered): LeaseState | undefined {
  return isHeldBy(state, token) ? endedBy(state, output) : undefined;
}

/** What was done before and is answered once more: nothing changes. */
function repeated(state: LeaseState, token: bigint, output: Answered): LeaseState | undefined {
  const isRepeat = state.present && state.state === 'AVAILABLE' && state.token === token;
  return isRepeat && output.kind === 'shown' && isShown(state, output.lease) ? state : undefined;
}

function revoke(state: LeaseState, output: Answered): LeaseState | undefined {
  if (state.revoking) return output.kind === 'shown' && isShown(state, output.lease) ? state : undefined;
  return changed(state, { revoking: true }, output);
}

function put(
  state: LeaseState,
  input: Extract<Asked, { kind: 'put' }>,
  output: Answered,
  strict: boolean,
): LeaseState | undefined {
  if (!state.present) return input.base === undefined ? madeWith(state, input, output) : undefined;
  return input.base?.version === state.version ? write(state, input, output, strict) : undefined;
}

/** A write of the Kubernetes API to a lease that is there. */
function write(
  state: LeaseState,
  { spec, labels }: { spec: SpecChange | undefined; labels: Labels },
  output: Answered,
  strict: boolean,
): LeaseState | undefined {
  if (spec === undefined) return changed(state, { labels }, output);
  const holder = spec.holder ?? state.specHolder;
  if (refusalOfSpec(state, holder, strict) !== undefined) return undefined;
  if (holder === '') {
    if (state.state === 'HELD') return endedBy({ ...state, labels }, output);
    return changed(state, { labels, specHolder: '' }, output);
  }
  if (state.state === 'HELD' && state.holder === holder) return changed(state, { labels }, output);
  return changed(state, { ...tenureOf(holder, 'kubernetes'), labels }, output);
}

function elapse(state: LeaseState, does: Extract<Asked, { kind: 'elapse' }>['does'], output: Answered): LeaseState | undefined {
  if (output.kind !== 'shown') return undefined;
  const isHeld = state.present && state.state === 'HELD';
  switch (does) {
    case 'expire':
      if (!isHeld || state.revoking) return undefined;
      return output.lease.state === 'HELD'
        ? handedOver(state, output.lease)
        : changed(state, { state: 'EXPIRED', holder: '' }, output);
    case 'end':
      return isHeld && state.revoking ? endedBy(state, output) : undefined;
    case 'renew':
      return isHeld ? changed(state, {}, output) : undefined;
    case 'grant':
      return withGranted(grant(state, output.lease.holder, output), output.lease.holder);
  }
}

/** The end of a tenure: nobody has the lease then, or the next in the queue of gRPC. */
function endedBy(state: LeaseState, output: Answered): LeaseState | undefined {
  if (output.kind !== 'shown') return undefined;
  if (output.lease.state === 'HELD') return handedOver(state, output.lease);
  return changed(state, { state: 'AVAILABLE', holder: '', specHolder: '', revoking: false }, output);
}

function handedOver(state: LeaseState, shown: Shown): LeaseState | undefined {
  const next = { ...tenureOf(shown.holder, 'grpc'), revoking: false };
  return withGranted(changed(state, next, { kind: 'shown', lease: shown }), shown.holder);
}

function withGranted(state: LeaseState | undefined, holder: string): LeaseState | undefined {
  return state && { ...state, granted: holder };
}

/** A tenure that begins. Only this sets an origin: then the token is the version that begins it. */
function tenureOf(holder: string, origin: LeaseState['origin']): Partial<LeaseState> {
  return { state: 'HELD', holder, specHolder: holder, origin, granted: '' };
}

/** The lease after a change, if it is shown like that, with a version of its own. */
function changed(before: LeaseState, parts: Partial<LeaseState>, output: Answered): LeaseState | undefined {
  if (output.kind !== 'shown' || output.created === true) return undefined;
  return shownAs({ ...before, ...parts }, before, 'origin' in parts, output.lease);
}

/** A lease that was not there before, if it is shown like that. */
function made(before: LeaseState, parts: Partial<LeaseState>, output: Answered): LeaseState | undefined {
  if (output.kind !== 'shown' || output.created === false) return undefined;
  const fresh = { ...nothing, present: true, uid: output.lease.uid, topToken: before.topToken, ...parts };
  return output.lease.uid === before.uid ? undefined : shownAs(fresh, before, 'origin' in parts, output.lease);
}

function madeWith(
  before: LeaseState,
  { spec, labels }: { spec: SpecChange | undefined; labels: Labels },
  output: Answered,
): LeaseState | undefined {
  const holder = spec?.holder ?? '';
  return made(before, holder === '' ? { labels } : { ...tenureOf(holder, 'kubernetes'), labels }, output);
}

function shownAs(after: LeaseState, before: LeaseState, grants: boolean, shown: Shown): LeaseState | undefined {
  if (shown.version <= before.version) return undefined;
  const token = grants ? shown.version : after.token;
  if (grants && token <= before.topToken) return undefined;
  const next = { ...after, version: shown.version, token, topToken: grants ? token : after.topToken };
  return isShown(next, shown) ? next : undefined;
}

function gone(state: LeaseState, output: Answered, reserved: boolean): LeaseState | undefined {
  if (!state.present || output.kind !== 'gone' || output.uid !== state.uid) return undefined;
  const version = output.version ?? state.version;
  if (output.version !== undefined && version <= state.version) return undefined;
  return { ...state, present: false, version, reserved, holder: '', state: 'AVAILABLE', revoking: false };
}
