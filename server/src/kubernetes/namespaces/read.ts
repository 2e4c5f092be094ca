import type { CoordinatorHolder } from '../health.js';
import { renderAs } from '../render.js';
import { parseListVersion } from '../list/read-list.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { checkListOptions, readListOptions } from '../selection/list-options.js';
import { awaitVersion } from '../versions.js';
import { always, checkNamespace, namespaceFields, namespaceLines, selectsNamespace, toNamespace } from './namespace.js';

/** Lists the namespaces that have leases, and those that are always there. There are few: a limit is not kept. */
export async function listNamespaces(engine: CoordinatorHolder, request: ApiRequest): Promise<ApiAnswer> {
  const options = readListOptions(request.query, namespaceFields);
  checkListOptions(options);
  const coordinator = engine.current();
  const version = parseListVersion(options.resourceVersion);
  if (version > 0n) await awaitVersion(coordinator, version);
  const names = [...new Set([...always, ...coordinator.namespaces()])].sort();
  const selected = names.filter((name) => selectsNamespace(options.selection, name));
  const metadata = { resourceVersion: String(coordinator.revision) };
  const items = selected.map((name) => toNamespace(name, coordinator.revision));
  return renderAs(request, 200, { kind: 'NamespaceList', apiVersion: 'v1', metadata, items }, namespaceLines);
}

/** Shows a namespace: any that there can be. */
export function getNamespace(engine: CoordinatorHolder, request: ApiRequest, name: string): ApiAnswer {
  checkNamespace(name);
  return renderAs(request, 200, toNamespace(name, engine.current().revision), namespaceLines);
}
