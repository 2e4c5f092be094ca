import type { UserInfo } from '../objects.js';
import { StatusError } from '../status.js';
import type { Action } from './authorizer.js';

/** 403: somebody may not do something. */
export function forbidden(user: UserInfo, action: Action, reason: string | undefined): StatusError {
  const because = reason === undefined ? '' : `: ${reason}`;
  const who = `User ${JSON.stringify(user.username ?? '')}`;
  if ('path' in action) {
    const message = `forbidden: ${who} cannot ${action.verb} path ${JSON.stringify(action.path)}${because}`;
    return new StatusError(403, 'Forbidden', message, { details: {} });
  }
  const { verb, group, resource, subresource, namespace, name } = action;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  const what = `resource ${JSON.stringify(subresource === '' ? resource : `${resource}/${subresource}`)} in API group ${JSON.stringify(group)} ${where}`;
  const object = `${group === '' ? resource : `${resource}.${group}`}${name === '' ? '' : ` ${JSON.stringify(name)}`}`;
  const details = { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource };
  return new StatusError(403, 'Forbidden', `${object} is forbidden: ${who} cannot ${verb} ${what}${because}`, { details });
}
