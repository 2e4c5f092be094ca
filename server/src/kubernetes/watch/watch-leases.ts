import type { Clock } from '@leasehold/core';
import type { CoordinatorHolder } from '../health.js';
import type { StreamAnswer } from '../lease-api.js';
import type { ApiRequest, LeaseTarget } from '../request.js';
import { LeaseSource } from './lease-source.js';
import { ObjectWatch } from './object-watch.js';
import { planWatch } from './watch-plan.js';

/** What a watch is made on. */
export interface WatchContext {
  readonly engine: CoordinatorHolder;
  readonly clock: Clock;
}

/** Watches leases (`LeaseApi.watch`). @throws {StatusError} what it is refused with. @throws {LeaseError} there is nothing to watch. */
export async function watchLeases(
  { engine, clock }: WatchContext,
  request: ApiRequest,
  target: LeaseTarget,
  stream: StreamAnswer,
): Promise<void> {
  const plan = planWatch(request, target);
  const coordinator = engine.current();
  const source = new LeaseSource(coordinator, { ...plan, form: { ...plan.form, framed: stream.framed }, clock });
  await new ObjectWatch({ coordinator, clock, plan, client: { stream, signal: request.signal }, source }).open();
}
