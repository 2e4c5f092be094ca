import { createHash, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { invalidOption } from './errors.js';

/** What a lease is for. */
export interface LeaseNameParts {
  /** The product or component, in words for people: `Example Foo`. Neither case nor whether words are joined by `-`, `_` or spaces matters. */
  readonly component: string;
  /** Which of several deployments of it, where somebody else chooses their names: any text. Default: there is only one. */
  readonly deployment?: string | undefined;
}

/**
 * Makes the name of a lease: readable, stable for ever, and another one for every other component and deployment.
 *
 * - A component alone gives its own name, in lower case and its words joined by `-`: `Example Foo`, `example_foo` and `example-foo` are
 *   one component, whose lease is `example-foo`.
 * - With a deployment the name is the component's, `-`, and a hash of both: `example-foo-b3gndafl6jw7hjcq` for `prod`.
 * - So it is for a component that cannot be a name as it is: one of other characters, or longer than 253.
 *
 * The hash is 80 bits of SHA-256 over all parts with their lengths, so that `a-b` of `c` is not `a` of `b-c`. Among a million names that
 * two are the same has a chance of 1 to 2 × 10¹². Names with a hash have at most 63 characters: they can be label values, too.
 *
 * @throws {InvalidError} a part is empty, or no text.
 */
export function leaseName({ component, deployment }: LeaseNameParts): string {
  checkText('component', component);
  const plain = lowerCase(component).replaceAll(/[ _]+/g, '-');
  if (deployment !== undefined) return hashedName(component, [plain, checkText('deployment', deployment)]);
  return isLeaseName(plain) ? plain : hashedName(component, [plain]);
}

/**
 * Makes the name of a node, and so of its lease, from the name of a host. Case is no difference, as in DNS: the name in lower case, as the
 * kubelet has it; where a lease cannot have that name, as `leaseName` does it.
 *
 * @throws {InvalidError} the name is empty, or no text.
 */
export function nodeLeaseName(host: string): string {
  const name = lowerCase(checkText('host', host));
  return isLeaseName(name) ? name : hashedName(name, [name]);
}

/** A name for this process as a holder, another one each time: the host's name, `_`, and a random UUID, as Kubernetes' components have it. */
export function holderName(): string {
  return `${hostname()}_${randomUUID()}`;
}

/** Whether a lease can have this name: a DNS subdomain of 1 to 253 lower-case characters (RFC 1123), which is Kubernetes' rule. */
export function isLeaseName(name: string): boolean {
  return name.length <= 253 && dnsSubdomain.test(name);
}

const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** A label value has 63 characters: what the hash and its `-` leave of them. */
const prefixLengthMax = 46;
const hashBytes = 10;

function hashedName(readable: string, parts: readonly string[]): string {
  const words = readable
    .normalize('NFKD')
    .replaceAll(/\p{Mark}/gu, '')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  const prefix = words
    .filter((word) => word !== '')
    .join('-')
    .slice(0, prefixLengthMax);
  const hash = base32(hashOf(parts));
  return prefix === '' ? hash : `${prefix.replace(/-$/, '')}-${hash}`;
}

/** Hashes parts, each after its length, so that no two lists of parts are hashed alike. */
function hashOf(parts: readonly string[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(part));
    hash.update(length).update(part);
  }
  return hash.digest().subarray(0, hashBytes);
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** Base 32 of RFC 4648, in lower case. Five bytes are eight characters; there are no others here. */
function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits.replaceAll(/.{5}/g, (five) => alphabet.charAt(parseInt(five, 2)));
}

/** Of ASCII alone: elsewhere two letters can have one lower case, which would make one name of two. */
function lowerCase(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Half of a surrogate pair has no UTF-8: two different texts would be hashed alike. */
function checkText(field: string, text: string): string {
  if (text === '') throw invalidOption(field, 'must not be empty', '""');
  if (/\p{Surrogate}/u.test(text)) throw invalidOption(field, 'must be well-formed Unicode', JSON.stringify(text));
  return text;
}
