/**
 * An election as TypeScript programs write it by hand: create or replace the lease, with times that have three fraction digits.
 * Stands until a line on its standard input asks it to step down. Usage: elector.mjs NAMESPACE LEASE IDENTITY DURATION_SECONDS
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CoordinationV1Api, KubeConfig } from '@kubernetes/client-node';
import { tell } from './tell.mjs';

const [namespace, name, identity, seconds] = process.argv.slice(2);
const leaseDurationSeconds = Number(seconds);
const config = new KubeConfig();
config.loadFromDefault();
const leases = config.makeApiClient(CoordinationV1Api);

const stepDown = new AbortController();
process.stdin.once('data', () => stepDown.abort());

let state = '';
/** The version that was seen last, and when: another's lease is over when it has not changed for as long as it lasts. */
let observed = { version: '', at: 0 };

while (!stepDown.signal.aborted) {
  const lease = await acquireOrRenew();
  const before = state;
  state = lease === undefined ? 'following' : 'leading';
  if (state !== before) tell(state, { renewTime: lease?.spec.renewTime });
  else if (state === 'leading') tell('renewed');
  await sleep((leaseDurationSeconds * 1000) / 5, undefined, { signal: stepDown.signal }).catch(() => undefined);
}
if (state === 'leading') {
  const lease = await leases.readNamespacedLease({ namespace, name });
  await leases.replaceNamespacedLease({ namespace, name, body: { ...lease, spec: { ...lease.spec, holderIdentity: '' } } });
}
tell('stepped down');
process.stdin.destroy();

/** @returns the lease, if it is ours now. */
async function acquireOrRenew() {
  try {
    return await attempt();
  } catch (error) {
    // 409: somebody else was faster.
    if (error.code === 409) return undefined;
    throw error;
  }
}

async function attempt() {
  const now = new Date();
  const mine = { holderIdentity: identity, leaseDurationSeconds, acquireTime: now, renewTime: now };
  const lease = await leases.readNamespacedLease({ namespace, name }).catch((error) => {
    if (error.code === 404) return undefined;
    throw error;
  });
  if (lease === undefined) {
    return leases.createNamespacedLease({ namespace, body: { metadata: { name }, spec: { ...mine, leaseTransitions: 0 } } });
  }
  const { holderIdentity: holder = '', acquireTime, leaseTransitions = 0 } = lease.spec;
  if (holder === identity) {
    return replace(lease, { ...mine, acquireTime, leaseTransitions });
  }
  if (lease.metadata.resourceVersion !== observed.version) {
    observed = { version: lease.metadata.resourceVersion, at: Date.now() };
  }
  if (holder !== '' && Date.now() - observed.at < leaseDurationSeconds * 1000) {
    return undefined;
  }
  return replace(lease, { ...mine, leaseTransitions: leaseTransitions + 1 });
}

function replace(lease, spec) {
  return leases.replaceNamespacedLease({ namespace, name, body: { ...lease, spec } });
}
