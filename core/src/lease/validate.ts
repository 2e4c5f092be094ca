import type { Command, Metadata } from './commands.js';
import { invalidField } from './errors.js';
import type { Limits } from './limits.js';
import type { StringMap } from './record.js';

/**
 * Checks what a caller sent, before anything is decided. Rules for names, labels and annotations are Kubernetes'
 * (RFC 1123 names; qualified keys; label values of 63 characters; 256 KiB of annotations).
 *
 * @throws {LeaseError} `INVALID_FIELD`, naming the field, the rule and the value.
 */
export function validateCommand(command: Command, limits: Limits): void {
  checkName(command.namespace, command.name);
  switch (command.kind) {
    case 'acquire':
      checkHolder('holder', command.claim.holder, limits);
      checkText('acquire_id', command.claim.acquireId, limits.acquireIdBytesMax);
      checkRange('duration', command.claim.durationMs, limits.durationMsMin, limits.durationMsMax);
      checkRange('wait', command.waitMs, 0, limits.waitMsMax);
      checkMetadata(command.claim, limits);
      return;
    case 'renew':
      checkHolder('holder', command.holder, limits);
      checkToken(command.fencingToken);
      return;
    case 'release':
      checkToken(command.fencingToken);
      checkText('transfer_to', command.transferTo, limits.holderBytesMax);
      return;
    case 'revoke':
      checkToken(command.fencingToken);
      checkRange('grace', command.graceMs, 0, limits.graceMsMax);
      checkText('transfer_to', command.transferTo, limits.holderBytesMax);
      if (command.force && command.graceMs > 0) {
        throw invalidField('grace', 'must be 0 with force', `${command.graceMs} ms`);
      }
      return;
    case 'validate':
      checkToken(command.fencingToken);
      return;
    case 'create':
      checkMetadata(command.metadata, limits);
      return;
    case 'update':
      checkGuard('resource_version', command.resourceVersion);
      checkGuard('fencing_token', command.fencingToken);
      checkMetadata(command.set, limits);
      checkRemovals(command.removeLabels, command.removeAnnotations, limits);
      return;
    case 'delete':
      checkText('uid', command.uid, 64);
      checkGuard('resource_version', command.resourceVersion);
      checkGuard('fencing_token', command.fencingToken);
      return;
    case 'write':
      checkText('spec.holderIdentity', command.spec.holderIdentity ?? '', limits.annotationsBytesMax);
      checkLabels(command.labels, limits);
      checkAnnotations(command.annotations, limits);
      checkGuard('resource_version', command.resourceVersion);
      return;
    case 'elapse':
    case 'checkpoint':
    case 'abandon':
    case 'attend':
    case 'enlist':
      return;
  }
}

/** Checks the identity of a lease. @throws {LeaseError} `INVALID_FIELD` */
export function checkName(namespace: string, name: string): void {
  checkNamespace(namespace);
  if (!isSubdomain(name)) {
    throw invalidField('name', 'must be a DNS subdomain of 1 to 253 lower-case characters (RFC 1123)', name);
  }
}

/** Checks a namespace. @throws {LeaseError} `INVALID_FIELD` */
export function checkNamespace(namespace: string): void {
  if (!(namespace.length <= 63 && dnsLabel.test(namespace))) {
    throw invalidField('namespace', 'must be a DNS label of 1 to 63 lower-case characters (RFC 1123)', namespace);
  }
}

/** Checks the size and key syntax of labels. @throws {LeaseError} `INVALID_FIELD` */
export function checkLabels(labels: StringMap, limits: Limits): void {
  const entries = Object.entries(labels);
  if (entries.length > limits.labelsMax) {
    throw invalidField('labels', `must have at most ${limits.labelsMax} entries`, entries.length);
  }
  for (const [key, value] of entries) {
    if (!isQualifiedName(key)) {
      throw invalidField('labels', 'each key must be a qualified name ([prefix/]name, name of 1 to 63 characters)', key);
    }
    if (value !== '' && !(value.length <= 63 && qualifiedPart.test(value))) {
      throw invalidField(
        `labels[${JSON.stringify(key)}]`,
        'must be empty or 1 to 63 characters of [A-Za-z0-9_.-] that start and end alphanumeric',
        value,
      );
    }
  }
}

/** Checks the size and key syntax of annotations. @throws {LeaseError} `INVALID_FIELD` */
export function checkAnnotations(annotations: StringMap, limits: Limits): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    if (!isQualifiedName(key.toLowerCase())) {
      throw invalidField('annotations', 'each key must be a qualified name ([prefix/]name, name of 1 to 63 characters)', key);
    }
    checkEncoding(`annotations[${JSON.stringify(key)}]`, value);
    bytes += utf8Length(key) + utf8Length(value);
  }
  if (bytes > limits.annotationsBytesMax) {
    throw invalidField('annotations', `must have at most ${limits.annotationsBytesMax} bytes of keys and values`, bytes);
  }
}

/** Checks a holder's name. @throws {LeaseError} `INVALID_FIELD` */
export function checkHolder(field: string, holder: string, limits: Limits): void {
  if (holder === '') {
    throw invalidField(field, `must have 1 to ${limits.holderBytesMax} bytes`, holder);
  }
  checkText(field, holder, limits.holderBytesMax);
}

/** Checks a fencing token that is required. @throws {LeaseError} `INVALID_FIELD` */
export function checkToken(token: bigint): void {
  if (token <= 0n) {
    throw invalidField('fencing_token', 'must be greater than 0', token);
  }
}

/** Whether a string is a qualified name as Kubernetes has it: `[prefix/]name`. */
export function isQualifiedName(key: string): boolean {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  return (slash === -1 || isSubdomain(key.slice(0, slash))) && name.length <= 63 && qualifiedPart.test(name);
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedPart = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

function isSubdomain(text: string): boolean {
  return text.length <= 253 && dnsSubdomain.test(text);
}

function checkMetadata(metadata: Metadata, limits: Limits): void {
  if (metadata.labels !== undefined) {
    checkLabels(metadata.labels, limits);
  }
  if (metadata.annotations !== undefined) {
    checkAnnotations(metadata.annotations, limits);
  }
  if (metadata.lockDelayMs !== undefined) {
    checkRange('lock_delay', metadata.lockDelayMs, 0, limits.lockDelayMsMax);
  }
  if (metadata.keepAfterExpiryMs !== undefined) {
    checkRange('keep_after_expiry', metadata.keepAfterExpiryMs, 0, limits.keepAfterExpiryMsMax);
  }
}

function checkRemovals(labels: readonly string[], annotations: readonly string[], limits: Limits): void {
  if (labels.length > limits.labelsMax) {
    throw invalidField('remove_labels', `must have at most ${limits.labelsMax} entries`, labels.length);
  }
  if (annotations.reduce((sum, key) => sum + utf8Length(key), 0) > limits.annotationsBytesMax) {
    throw invalidField('remove_annotations', `must have at most ${limits.annotationsBytesMax} bytes`, annotations.length);
  }
}

function checkRange(field: string, valueMs: number, minMs: number, maxMs: number): void {
  if (!(valueMs >= minMs && valueMs <= maxMs)) {
    throw invalidField(field, `must be ${showMs(minMs)} to ${showMs(maxMs)}`, showMs(valueMs));
  }
}

function checkGuard(field: string, value: bigint): void {
  if (value < 0n) {
    throw invalidField(field, 'must not be negative', value);
  }
}

function checkText(field: string, text: string, bytesMax: number): void {
  checkEncoding(field, text);
  const bytes = utf8Length(text);
  if (bytes > bytesMax) {
    throw invalidField(field, `must have at most ${bytesMax} bytes`, `${bytes} bytes`);
  }
}

/** Invalid UTF-8 arrives as U+FFFD, so that two different names would become one. */
function checkEncoding(field: string, text: string): void {
  if (text.includes('\uFFFD')) {
    throw invalidField(field, 'must be valid UTF-8 without U+FFFD', text);
  }
}

export function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

function showMs(ms: number): string {
  return `${ms} ms`;
}
