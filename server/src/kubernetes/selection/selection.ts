import type { LeaseRecord, Selector } from '@leasehold/core';
import { exactValue, parseFieldSelector, type FieldSelector, type FieldTerm, type SelectableFields } from './field-selector.js';
import { parseLabelSelector } from './label-selector.js';

/** What the selectors of a request select. */
export interface Selection {
  readonly labels: Selector;
  readonly fields: FieldSelector;
  /** Whether there are no selectors. */
  readonly isEverything: boolean;
  /** The one name that can be selected; `undefined`: there may be others. */
  readonly name: string | undefined;
  /** The one namespace that can be selected. */
  readonly namespace: string | undefined;
}

/** Reads the selectors of a query. @throws {StatusError} 400 */
export function readSelection(query: URLSearchParams, selectable?: SelectableFields): Selection {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '', selectable);
  return {
    labels,
    fields,
    isEverything: labels.text.trim() === '' && fields.terms.length === 0,
    name: exactValue(fields, 'metadata.name'),
    namespace: exactValue(fields, 'metadata.namespace'),
  };
}

/** Whether a lease is selected. */
export function selects(selection: Selection, record: LeaseRecord): boolean {
  return selectsFields(selection, record) && selection.labels.matches(record.labels);
}

/** Whether a lease is selected as far as its fields tell, which never change. */
export function selectsFields({ fields }: Selection, record: LeaseRecord): boolean {
  return fields.terms.every((term) => isMet(term, record));
}

function isMet({ field, value, isNegated }: FieldTerm, { name, namespace }: LeaseRecord): boolean {
  const actual = field === 'metadata.name' ? name : namespace;
  return (actual === value) !== isNegated;
}
