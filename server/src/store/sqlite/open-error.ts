/** Why a store was not opened. Its file is as it was before. */
export class StoreOpenError extends Error {
  override readonly name = 'StoreOpenError';
  readonly code: StoreOpenCode;

  constructor(code: StoreOpenCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type StoreOpenCode =
  /** Another server, or another store of this process, has the file. */
  | 'LOCKED'
  /** The file fails its integrity check, or a part of it is missing. */
  | 'DAMAGED'
  /** The file is not a SQLite database. */
  | 'NOT_SQLITE'
  /** The file is a SQLite database of another application. */
  | 'FOREIGN'
  /** The file was written by a newer Leasehold. */
  | 'NEWER_SCHEMA'
  /** The file or its directory cannot be read or written. */
  | 'UNUSABLE';
