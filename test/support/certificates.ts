import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** A certificate and its private key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Signs certificates for one test; Node can read them, but not make them, and no key belongs into a repository. */
export class CertificateAuthority {
  readonly #name: string;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  /** Its own certificate, in PEM: who trusts it trusts all that it has signed. */
  readonly cert: string;

  constructor(name: string) {
    this.#name = name;
    this.cert = this.#certificate(name, this.#keys.publicKey, extension('2.5.29.19', sequence(der(0x01, Buffer.from([0xff])))));
  }

  /** A certificate for host names and IPv4 addresses; clients and servers may show it. */
  issue(...hosts: readonly string[]): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const names = hosts.map((host) => {
      const octets = host.split('.').map(Number);
      const isAddress = octets.length === 4 && octets.every((octet) => octet >= 0);
      return isAddress ? der(0x87, Buffer.from(octets)) : der(0x82, Buffer.from(host));
    });
    const cert = this.#certificate(hosts[0] ?? '', publicKey, extension('2.5.29.17', sequence(...names)));
    return { cert, key: pem('PRIVATE KEY', privateKey.export({ type: 'pkcs8', format: 'der' })) };
  }

  /** RFC 5280, as little of it as OpenSSL takes. */
  #certificate(subject: string, publicKey: KeyObject, ...extensions: readonly Buffer[]): string {
    const algorithm = sequence(identifier('1.2.840.10045.4.3.2'));
    const day = 86_400_000;
    const unsigned = sequence(
      der(0xa0, der(0x02, Buffer.from([2]))),
      der(0x02, Buffer.from([1, ...Buffer.from(subject).subarray(0, 8)])),
      algorithm,
      distinguished(this.#name),
      sequence(time(Date.now() - day), time(Date.now() + day)),
      distinguished(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', unsigned, this.#keys.privateKey);
    return pem('CERTIFICATE', sequence(unsigned, algorithm, der(0x03, Buffer.from([0]), signature)));
  }
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(identifier(id), der(0x04, value));
}

function distinguished(name: string): Buffer {
  return sequence(der(0x31, sequence(identifier('2.5.4.3'), der(0x0c, Buffer.from(name)))));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  return der(0x17, Buffer.from(digits.slice(2)));
}

function identifier(id: string): Buffer {
  const [first = 0, second = 0, ...rest] = id.split('.').map(Number);
  const bytes = rest.flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

/** A tag, the length of what follows, and that. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body)]), body]);
}

/** As short as can be: Go takes no other. */
function lengthOf({ length }: Buffer): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
