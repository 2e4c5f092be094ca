import type { KubernetesSpec } from '@leasehold/core';
import type { LeaseObject } from './lease-object.js';
import { forbidden, invalid, notSupported, type Cause } from './validation/causes.js';
import { keyComplaints } from './validation/formats.js';
import { metadataCauses, metadataUpdateCauses } from './validation/metadata.js';

/**
 * What is wrong with a lease that is to be created, for `leaseInvalid`; nothing: it may be. Its name has been generated and its namespace
 * filled in before.
 */
export function validateCreate({ metadata, spec = {} }: LeaseObject): Cause[] {
  return [...metadataCauses(metadata), ...specCauses(spec)];
}

/** What is wrong with a lease that is to take the place of another one. Fields that the server owns have been restored before. */
export function validateUpdate(next: LeaseObject, before: LeaseObject): Cause[] {
  return [...metadataUpdateCauses(next.metadata, before.metadata), ...specCauses(next.spec ?? {})];
}

function specCauses({ leaseDurationSeconds, leaseTransitions, strategy, preferredHolder = '' }: KubernetesSpec): Cause[] {
  const causes: Cause[] = [];
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    causes.push(invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0'));
  }
  if (leaseTransitions !== undefined && leaseTransitions < 0) {
    causes.push(invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0'));
  }
  if (strategy !== undefined) causes.push(...strategyCauses(strategy));
  if (preferredHolder !== '' && (strategy ?? '') === '') {
    causes.push(forbidden('spec.preferredHolder', 'may only be specified if `strategy` is defined'));
  }
  return causes;
}

/** A strategy of Kubernetes itself, or the qualified name of somebody else's. */
function strategyCauses(strategy: string): Cause[] {
  // The field comes twice in its path upstream, too.
  const field = 'spec.strategy.strategy';
  if (strategy.includes('/')) return keyComplaints(strategy).map((rule) => invalid(field, strategy, rule));
  return strategies.includes(strategy) ? [] : [notSupported(field, strategy, strategies)];
}

const strategies = ['OldestEmulationVersion'];
