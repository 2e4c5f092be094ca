import type { Clock } from '@leasehold/core';
import { decodeObject } from '../codec/decode.js';
import { accessReviewKind, rulesReviewKind, subjectReviewKind, type Kind } from '../codec/kinds.js';
import { warningHeader } from '../codec/warnings.js';
import { toTime } from '../convert.js';
import { readWriteOptions } from '../handlers/write-options.js';
import type { FieldsV1, ManagedFieldsEntry, ObjectMeta } from '../lease-object.js';
import type { ResourceAttributes, SelfSubjectAccessReview, SelfSubjectReview, SelfSubjectRulesReview } from '../objects.js';
import { render } from '../render.js';
import type { ApiAnswer } from '../request.js';
import type { Endpoint, Route } from '../router.js';
import { badRequest, objectInvalid } from '../status.js';
import { invalid } from '../validation/causes.js';
import { anonymous, type Action, type Authorizer } from './authorizer.js';

/**
 * The reviews, in which callers ask what they may do and who they are: `kubectl auth can-i`, `can-i --list` and `whoami`. They are asked
 * by being created, and kept nowhere.
 */
export function reviewRoutes(authorizer: Authorizer, clock: Clock): readonly Route[] {
  return [
    route(accessReviewKind, clock, (review) => reviewAccess(review, authorizer)),
    route(rulesReviewKind, clock, (review) => reviewRules(review, authorizer)),
    route(subjectReviewKind, clock, (review) => reviewSubject(review, clock)),
  ];
}

async function reviewAccess(review: SelfSubjectAccessReview, authorizer: Authorizer): Promise<SelfSubjectAccessReview> {
  const { resourceAttributes, nonResourceAttributes } = review.spec;
  const why =
    resourceAttributes === undefined
      ? invalid('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified')
      : invalid(
          'spec.nonResourceAttributes',
          nonResourceAttributes,
          'cannot be specified in combination with resourceAttributes',
        );
  if ((resourceAttributes === undefined) === (nonResourceAttributes === undefined)) {
    throw objectInvalid({ group: 'authorization.k8s.io', kind: review.kind }, '', [why]);
  }
  const action: Action =
    resourceAttributes === undefined
      ? { verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' }
      : { ...noAttributes, ...resourceAttributes };
  const { allowed, reason } = await authorizer.authorize(anonymous, action);
  return { ...review, status: { allowed, ...(reason === undefined ? {} : { reason }) } };
}

async function reviewRules(review: SelfSubjectRulesReview, authorizer: Authorizer): Promise<SelfSubjectRulesReview> {
  const { namespace = '' } = review.spec;
  if (namespace === '') {
    throw badRequest('no namespace on request');
  }
  return { ...review, status: { ...(await authorizer.rulesFor(anonymous, namespace)), incomplete: false } };
}

function reviewSubject(review: SelfSubjectReview, clock: Clock): SelfSubjectReview {
  const metadata = { ...review.metadata, creationTimestamp: toTime(clock.wallMs()) };
  return { ...review, metadata, status: { userInfo: anonymous } };
}

interface Review {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: object;
}

const noAttributes: Required<ResourceAttributes> = {
  ...{ namespace: '', verb: '', group: '', version: '', resource: '', subresource: '', name: '' },
};

function route<T extends Review>(kind: Kind<T>, clock: Clock, answer: (review: T) => T | Promise<T>): Route {
  const [group = '', version = ''] = kind.apiVersion.split('/');
  const resource = `${kind.kind.toLowerCase()}s`;
  const endpoint: Endpoint = {
    asks: () => ({ verb: 'create', group, version, resource, namespace: '', name: '' }),
    async answer({ request }): Promise<ApiAnswer> {
      const { validation, manager } = readWriteOptions(request, 'create');
      const { object, warnings } = decodeObject(kind, request.body, request.header('content-type'), validation);
      const review = await answer(object);
      const rendered = render(request, 201, withManager(review, manager || 'unknown', toTime(clock.wallMs())));
      return warnings.length === 0 ? rendered : { ...rendered, headers: { warning: warningHeader(warnings) } };
    },
  };
  return { pattern: `/apis/${group}/${version}/${resource}`, methods: { POST: endpoint } };
}

/** Kubernetes tells who has written which fields even here, where nothing is kept. */
function withManager<T extends Review>(review: T, manager: string, time: string): T {
  const fields = fieldsOf(review.spec ?? {});
  if (Object.keys(fields).length === 0) {
    return review;
  }
  const { apiVersion } = review;
  const entry: ManagedFieldsEntry = {
    ...{ manager, operation: 'Update', apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': fields } },
  };
  return { ...review, metadata: { ...review.metadata, managedFields: [entry] } };
}

function fieldsOf(part: object): FieldsV1 {
  return Object.fromEntries(
    Object.entries(part)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, value]) => [`f:${name}`, typeof value === 'object' ? { '.': {}, ...fieldsOf(value as object) } : {}]),
  );
}
