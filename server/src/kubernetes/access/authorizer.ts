import type { NonResourceRule, ResourceRule, UserInfo } from '../objects.js';
import type { ResourceAction } from '../router.js';

/** What somebody wants to do: something to a resource, or something with a path that is none. */
export type Action = (ResourceAction & { readonly subresource: string }) | PathAction;

/** A request for a path that is no resource. */
export interface PathAction {
  /** The method, in lower case. */
  readonly verb: string;
  readonly path: string;
}

/** Whether somebody may do something. */
export interface Decision {
  readonly allowed: boolean;
  /** Why, in words that the user may read. */
  readonly reason?: string;
}

/** What somebody may do in a namespace. */
export interface Rules {
  readonly resourceRules: readonly ResourceRule[];
  readonly nonResourceRules: readonly NonResourceRule[];
}

/** Decides who may do what: asked before every request, and by the reviews in which users ask about themselves. */
export interface Authorizer {
  authorize(user: UserInfo, action: Action): Decision | Promise<Decision>;
  rulesFor(user: UserInfo, namespace: string): Rules | Promise<Rules>;
}

/** Everybody may do everything. */
export const allowAll: Authorizer = {
  authorize: () => ({ allowed: true }),
  rulesFor: () => ({
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  }),
};

/** Who somebody is who has not said so. The names are those of Kubernetes. */
export const anonymous: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
