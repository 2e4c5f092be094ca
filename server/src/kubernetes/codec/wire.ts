import { DocumentError } from './document.js';

/** How a value of protobuf stands on the wire. */
export const wireType = { varint: 0, bit64: 1, length: 2, startGroup: 3, endGroup: 4, bit32: 5 } as const;

/**
 * Reads a message of protobuf within its bounds, as strictly as Kubernetes does. The library that is here otherwise takes what reaches
 * beyond the end of a nested message, and is slow with short texts, of which objects are made.
 *
 * Everything here @throws DocumentError, in the words of the code that Kubernetes generates.
 */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  /** The halves of the varint that was read last. */
  #low = 0;
  #high = 0;

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The number of the next field times eight, plus how it stands on the wire. */
  tag(): number {
    this.#varint();
    const tag = this.#low;
    if (tag >>> 3 === 0 || this.#high !== 0) throw new DocumentError(`proto: illegal tag ${tag >>> 3} (wire type ${tag & 7})`);
    return tag;
  }

  int32(): number {
    this.#varint();
    return this.#low;
  }

  /** Exact up to 53 bits. */
  int64(): number {
    this.#varint();
    return this.#high * 2 ** 32 + (this.#low >>> 0);
  }

  bool(): boolean {
    this.#varint();
    return this.#low !== 0 || this.#high !== 0;
  }

  text(): string {
    const end = this.#lengthEnd();
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  bytes(): Buffer {
    const end = this.#lengthEnd();
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  /** A message inside this one. */
  message(): WireReader {
    const end = this.#lengthEnd();
    const reader = new WireReader(this.#bytes, this.#at, end);
    this.#at = end;
    return reader;
  }

  /** Passes over a value that nobody knows. Groups have never been in any message of Kubernetes. */
  skip(type: number): void {
    switch (type) {
      case wireType.varint:
        this.#varint();
        return;
      case wireType.bit64:
        this.#at = this.#bounded(8);
        return;
      case wireType.length:
        this.#at = this.#lengthEnd();
        return;
      case wireType.bit32:
        this.#at = this.#bounded(4);
        return;
      default:
        throw new DocumentError(`proto: illegal wireType ${type}`);
    }
  }

  #lengthEnd(): number {
    this.#varint();
    if (this.#high !== 0 || this.#low < 0) throw new DocumentError('proto: negative length found during unmarshaling');
    return this.#bounded(this.#low);
  }

  #bounded(length: number): number {
    const end = this.#at + length;
    if (end > this.#end) throw new DocumentError('unexpected EOF');
    return end;
  }

  #varint(): void {
    this.#low = 0;
    this.#high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw new DocumentError('unexpected EOF');
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      if (shift < 32) this.#low |= (byte & 0x7f) << shift;
      if (shift === 28) this.#high = (byte & 0x7f) >>> 4;
      if (shift > 28) this.#high |= (byte & 0x7f) << (shift - 32);
      if (byte < 0x80) return;
    }
    throw new DocumentError('proto: integer overflow');
  }
}

/**
 * Writes a message of protobuf from its end to its beginning: so the length of what is nested is known when its turn comes. Of
 * everything, the value is written first, then its length, then its tag.
 */
export class WireWriter {
  #bytes: Buffer = Buffer.allocUnsafe(initialBytes);
  #at = initialBytes;

  /** How many bytes have been written. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  tag(number: number, type: number): void {
    this.int64(number * 8 + type);
  }

  /** A whole number, also a length. Negative ones take ten bytes, as if they had 64 bits. */
  int64(value: number): void {
    if (value < 0) {
      this.#negative(value);
      return;
    }
    let count = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count += 1;
    const start = this.#reserve(count);
    let rest = value;
    for (let index = 0; index < count - 1; index += 1) {
      this.#bytes[start + index] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[start + count - 1] = rest;
  }

  text(text: string): void {
    if (text.length <= shortText && this.#shortText(text)) return;
    const length = Buffer.byteLength(text);
    const start = this.#reserve(length);
    this.#bytes.write(text, start, length);
  }

  /** Objects are made of short texts, for which a call out of JavaScript costs more than the writing. `false`: it is not all ASCII. */
  #shortText(text: string): boolean {
    const start = this.#reserve(text.length);
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) {
        this.#at += text.length;
        return false;
      }
      this.#bytes[start + index] = code;
    }
    return true;
  }

  bytes(bytes: Uint8Array): void {
    const start = this.#reserve(bytes.length);
    this.#bytes.set(bytes, start);
  }

  /** What has been written. */
  finish(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  #negative(value: number): void {
    const start = this.#reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let index = 0; index < 9; index += 1) {
      this.#bytes[start + index] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[start + 9] = Number(rest);
  }

  /** Makes room before what has been written. */
  #reserve(length: number): number {
    if (length > this.#at) {
      const written = this.length;
      const grown = Buffer.allocUnsafe(2 * (written + length));
      this.#bytes.copy(grown, grown.length - written, this.#at);
      this.#at = grown.length - written;
      this.#bytes = grown;
    }
    this.#at -= length;
    return this.#at;
  }
}

const shortText = 64;

/** Most leases fit. */
const initialBytes = 1024;
