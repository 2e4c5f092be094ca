import type { Clock } from '@leasehold/core';
import type { Authorizer } from './access/authorizer.js';
import { reviewRoutes } from './access/reviews.js';
import { discoveryRoutes } from './discovery/routes.js';
import { openApiRoutes } from './discovery/openapi/routes.js';
import { eventRoutes } from './events.js';
import { healthRoutes, type CoordinatorHolder } from './health.js';
import type { LeaseApi } from './lease-api.js';
import { leaseRoutes } from './lease-routes.js';
import { namespaceRoutes } from './namespaces/routes.js';
import type { Route } from './router.js';

/** What the paths lead to. */
export interface RoutesContext {
  readonly leases: LeaseApi;
  readonly engine: CoordinatorHolder;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
}

/** All paths of this server. Those of leases come first: they are asked for most. */
export function createRoutes({ leases, engine, authorizer, clock }: RoutesContext): readonly Route[] {
  return [
    ...leaseRoutes(leases),
    ...namespaceRoutes({ engine, clock }),
    ...eventRoutes(engine),
    ...reviewRoutes(authorizer, clock),
    ...discoveryRoutes(),
    ...openApiRoutes(),
    ...healthRoutes(engine),
  ];
}
