import { goQuote } from '../codec/go-quote.js';
import type { NamespaceObject } from '../objects.js';
import type { Lines } from '../render.js';
import type { SelectableFields } from '../selection/field-selector.js';
import type { Selection } from '../selection/selection.js';
import { StatusError, type StatusDetails } from '../status.js';
import { namespaceComplaints } from '../validation/formats.js';

/** Those of every Kubernetes that leases are kept in: of elections, of the system, and of nodes. They are always there. */
export const always: readonly string[] = ['default', 'kube-node-lease', 'kube-system'];

const phase = 'Active';

/** A namespace as it is shown. It has no history: its version is that at which it was looked at. */
export function toNamespace(name: string, version: bigint): NamespaceObject {
  return {
    kind: 'Namespace',
    apiVersion: 'v1',
    metadata: { name, resourceVersion: String(version), labels: labelsOf(name) },
    spec: { finalizers: ['kubernetes'] },
    status: { phase },
  };
}

/** Checks that there can be such a namespace: then it is there. @throws {StatusError} 404 */
export function checkNamespace(name: string): void {
  if (namespaceComplaints(name).length > 0) {
    throw new StatusError(404, 'NotFound', `namespaces ${goQuote(name)} not found`, { details: detailsOf(name) });
  }
}

/** What Statuses name a namespace by. */
export function detailsOf(name: string): StatusDetails {
  return { name, kind: 'namespaces' };
}

/** Whether a namespace is selected. */
export function selectsNamespace({ labels, fields }: Selection, name: string): boolean {
  if (!labels.matches(labelsOf(name))) return false;
  return fields.terms.every(
    ({ field, value, isNegated }) => ((field === 'metadata.name' ? name : phase) === value) !== isNegated,
  );
}

/** What namespaces are selected by. */
export const namespaceFields: SelectableFields = {
  names: ['metadata.name', 'status.phase'],
  refusal: (name) => `field label not supported: ${name}`,
};

/** Namespaces as lines for people. */
export const namespaceLines: Lines<NamespaceObject> = {
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'What the namespace is called.', priority: 0 },
    { name: 'Status', type: 'string', format: '', description: 'Active, always.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Not known: namespaces are not created.', priority: 0 },
  ],
  cells: ({ metadata, status }) => [metadata.name ?? '', status.phase ?? '', '<unknown>'],
};

function labelsOf(name: string): Readonly<Record<string, string>> {
  return { 'kubernetes.io/metadata.name': name };
}
