/** The keys of a store: all begin with its prefix. */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Everything of this store. */
  get all(): KeyRange {
    return this.#below('');
  }

  /** Which schema this is, as `{"schema":1}`. */
  get schema(): Buffer {
    return this.#key('schema');
  }

  /** What every server watches: changes, sessions, and how far back the changes go. */
  get log(): KeyRange {
    return this.#below('log/');
  }

  get sessions(): KeyRange {
    return this.#below('log/sessions/');
  }

  session(id: string): Buffer {
    return this.#key(`log/sessions/${id}`);
  }

  /** `undefined`: it is another key. */
  sessionOf(key: Buffer): string | undefined {
    return this.#restOf(key, 'log/sessions/');
  }

  /** The last revision. */
  get revision(): Buffer {
    return this.#key('revision');
  }

  /** The revision up to which the history is compacted. */
  get floor(): Buffer {
    return this.#key('log/floor');
  }

  /** The TTL of all sessions, in milliseconds. */
  get sessionTtl(): Buffer {
    return this.#key('session-ttl');
  }

  /** Who wants the store for itself. */
  get claim(): Buffer {
    return this.#key('claim');
  }

  get notes(): KeyRange {
    return this.#below('note/');
  }

  /** A part of the note that the last server has left. */
  note(part: number): Buffer {
    return this.#key(`note/${part}`);
  }

  get leases(): KeyRange {
    return this.#below('leases/');
  }

  lease(key: string): Buffer {
    return this.#key(`leases/${key}`);
  }

  /** `namespace/name`. */
  nameOf(key: Buffer): string {
    return key.toString().slice(`${this.#prefix}leases/`.length);
  }

  get history(): KeyRange {
    return this.#below('log/history/');
  }

  /** Changes that were committed together: their number, and the revision of the last one. They sort by it. */
  changes({ last, count }: Piece): Buffer {
    return this.#key(`log/history/${String(last).padStart(20, '0')}/${count}`);
  }

  /** `undefined`: it is another key. */
  pieceOf(key: Buffer): Piece | undefined {
    const [last, count] = this.#restOf(key, 'log/history/')?.split('/') ?? [];
    return last === undefined ? undefined : { last: BigInt(last), count: Number(count) };
  }

  #restOf(key: Buffer, name: string): string | undefined {
    const text = key.toString();
    const start = this.#prefix + name;
    return text.startsWith(start) ? text.slice(start.length) : undefined;
  }

  #key(name: string): Buffer {
    return Buffer.from(this.#prefix + name);
  }

  #below(name: string): KeyRange {
    const key = this.#key(name);
    return { key, range_end: after(key) };
  }
}

/** Changes of the history that stand in one key. Their revisions are without gaps. */
export interface Piece {
  readonly last: bigint;
  readonly count: number;
}

export interface KeyRange {
  readonly key: Buffer;
  readonly range_end: Buffer;
}

/** The first key that does not begin with this one, whose last byte is never 0xff. */
function after(key: Buffer): Buffer {
  const end = Buffer.from(key);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}
