/** A type of objects, as OpenAPI documents describe it. */
export interface Definition {
  readonly name: string;
  readonly description: string;
  /** Absent: nothing is said about its fields. */
  readonly properties?: Readonly<Record<string, Property>>;
  readonly required?: readonly string[];
  /** A text of a form rather than an object. */
  readonly format?: 'date-time';
  /** Of objects that stand on their own. */
  readonly kinds?: readonly GroupVersionKind[];
  readonly extensions?: Extensions;
}

/** A field of an object. */
export interface Property {
  readonly description: string;
  readonly type: PropertyType;
  readonly extensions?: Extensions;
}

export type PropertyType =
  | { readonly is: 'string' | 'boolean' | 'integer'; readonly format?: 'int32' | 'int64'; readonly default?: string | boolean }
  /** `default`: it is there even if nothing was said about it. */
  | { readonly is: 'reference'; readonly to: string; readonly default?: object }
  | { readonly is: 'list'; readonly of: PropertyType }
  | { readonly is: 'map' };

export interface GroupVersionKind {
  readonly group: string;
  readonly kind: string;
  readonly version: string;
}

/** What Kubernetes adds to OpenAPI, above all for clients that merge changes. */
export type Extensions = Readonly<Record<`x-kubernetes-${string}`, string | readonly string[]>>;

export function text(description: string, more: { default?: string } = {}): Property {
  return { description, type: { is: 'string', ...more } };
}

export function flag(description: string, more: { default?: boolean } = {}): Property {
  return { description, type: { is: 'boolean', ...more } };
}

export function int32(description: string): Property {
  return { description, type: { is: 'integer', format: 'int32' } };
}

export function int64(description: string): Property {
  return { description, type: { is: 'integer', format: 'int64' } };
}

export function reference(to: string, description: string): Property {
  return { description, type: { is: 'reference', to } };
}

/** An object that is always there. */
export function part(to: string, description: string): Property {
  return { description, type: { is: 'reference', to, default: {} } };
}

export function textMap(description: string): Property {
  return { description, type: { is: 'map' } };
}

export function texts(description: string, extensions?: Extensions): Property {
  return { description, type: { is: 'list', of: { is: 'string' } }, ...(extensions === undefined ? {} : { extensions }) };
}

export function listOf(of: string, description: string, extensions?: Extensions): Property {
  const type: PropertyType = { is: 'list', of: { is: 'reference', to: of } };
  return { description, type, ...(extensions === undefined ? {} : { extensions }) };
}

/** The list as a whole belongs to whoever wrote it last. */
export const atomic: Extensions = { 'x-kubernetes-list-type': 'atomic' };
