import { leaseKey } from '@leasehold/core';
import type Database from 'better-sqlite3';
import type { HistoryPiece, HistoryRequest, LeasePiece } from './messages.js';
import type { ChangeRow, HistoryRow } from '../record-codec.js';
import { ConflictError } from './write.js';

/** The tables of an open store, in the words of its calls. Everything here is synchronous and belongs on the worker. */
export class Tables {
  readonly #statements: Statements;
  #nextOrdinal: bigint;
  #ordinalBefore: bigint;

  constructor(database: Database.Database) {
    this.#statements = prepareStatements(database);
    this.#nextOrdinal = (this.#statements.lastChange.get()?.ordinal ?? 0n) + 1n;
    this.#ordinalBefore = this.#nextOrdinal;
  }

  /** The last committed revision. */
  revision(): bigint {
    return this.#statements.lastChange.get()?.revision ?? this.floor();
  }

  /** Everything up to here is compacted. */
  floor(): bigint {
    return this.#statements.readMeta.get('floor') as bigint;
  }

  /** How many changes the history holds. */
  historyLength(): number {
    const first = this.#statements.firstChange.get()?.ordinal ?? this.#nextOrdinal;
    return Number(this.#nextOrdinal - first);
  }

  /** Reads leases whose row id is greater than `after`, up to about a megabyte. */
  load(after: bigint): LeasePiece {
    let rows = '';
    let last: bigint | undefined;
    for (const { id, row } of this.#statements.loadLeases.iterate(after)) {
      rows += last === undefined ? row : `,${row}`;
      last = id;
      if (rows.length > pieceLengthMax) {
        break;
      }
    }
    return { rows: `[${rows}]`, last };
  }

  /** Writes changes; to be called in a transaction. @throws {ConflictError} */
  apply(rows: readonly ChangeRow[]): void {
    this.#ordinalBefore = this.#nextOrdinal;
    for (const row of rows) {
      this.#applyGuarded(row);
      const { revision, namespace, name, body, events } = row;
      this.#statements.insertChange.run(revision, this.#nextOrdinal++, namespace, name, body, events);
    }
  }

  /** Forgets the ordinals of an `apply` that was rolled back. */
  forgetFailed(): void {
    this.#nextOrdinal = this.#ordinalBefore;
  }

  /** Reads changes up to `limit`, or up to about a megabyte. */
  history({ after, limit }: HistoryRequest): HistoryPiece {
    const floor = this.floor();
    if (after < floor) {
      return { kind: 'compacted', oldest: floor };
    }
    if (after !== floor && this.#statements.knowsRevision.get(after) === undefined) {
      return { kind: 'unknown', oldest: floor };
    }
    const rows: HistoryRow[] = [];
    let length = 0;
    for (const row of this.#statements.readHistory.iterate(after, Math.min(limit, pieceRowsMax))) {
      rows.push(row);
      length += row.events.length + (row.body?.length ?? 0);
      if (length > pieceLengthMax) {
        return { kind: 'page', rows, more: true };
      }
    }
    return { kind: 'page', rows, more: rows.length === pieceRowsMax };
  }

  /** The note, unread. */
  note(): string | undefined {
    return this.#statements.readMeta.get('note') as string | undefined;
  }

  /** Writes the note; to be called in a transaction. */
  leaveNote(note: string): void {
    this.#statements.writeMeta.run('note', note);
  }

  /** Reads and removes the note; to be called in a transaction. */
  takeNote(): string | undefined {
    const note = this.note();
    if (note !== undefined) {
      this.#statements.removeMeta.run('note');
    }
    return note;
  }

  /** The first revisions of the history. */
  oldestRevisions(limit: number): bigint[] {
    return this.#statements.oldestRevisions.all(limit);
  }

  /** Drops the history up to a revision; to be called in a transaction. */
  dropHistory(upTo: bigint): void {
    this.#statements.dropHistory.run(upTo);
  }

  /** Says up to where the history was dropped; to be called in a transaction. */
  setFloor(revision: bigint): void {
    this.#statements.writeMeta.run('floor', revision);
  }

  #applyGuarded({ revision, expected, namespace, name, body }: ChangeRow): void {
    const { insertLease, updateLease, deleteLease } = this.#statements;
    const changed =
      body === null
        ? expected === 0n
          ? this.#isAbsent(namespace, name)
          : deleteLease.run(namespace, name, expected).changes === 1
        : expected === 0n
          ? insertLease.run(namespace, name, revision, body).changes === 1
          : updateLease.run(revision, body, namespace, name, expected).changes === 1;
    if (!changed) {
      const actual = this.#statements.leaseVersion.get(namespace, name) ?? 0n;
      throw new ConflictError(leaseKey(namespace, name), expected, actual);
    }
  }

  #isAbsent(namespace: string, name: string): boolean {
    return this.#statements.leaseVersion.get(namespace, name) === undefined;
  }
}

/** How much is read at once, so that a commit waits about a millisecond for it at most. */
const pieceRowsMax = 256;
const pieceLengthMax = 1024 * 1024;

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(database: Database.Database) {
  const prepare = <P extends unknown[], R>(sql: string): Database.Statement<P, R> => database.prepare<P, R>(sql).safeIntegers();
  return {
    loadLeases: prepare<[bigint], { id: bigint; row: string }>(
      `SELECT id, '[' || json_quote(namespace) || ',' || json_quote(name) || ',"' || resource_version || '",' || body || ']' AS row
       FROM lease WHERE id > ? ORDER BY id`,
    ),
    leaseVersion: prepare<[string, string], bigint>(
      'SELECT resource_version FROM lease WHERE namespace = ? AND name = ?',
    ).pluck(),
    insertLease: prepare(
      'INSERT INTO lease (namespace, name, resource_version, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    updateLease: prepare(
      'UPDATE lease SET resource_version = ?, body = ? WHERE namespace = ? AND name = ? AND resource_version = ?',
    ),
    deleteLease: prepare('DELETE FROM lease WHERE namespace = ? AND name = ? AND resource_version = ?'),
    insertChange: prepare('INSERT INTO history (revision, ordinal, namespace, name, body, events) VALUES (?, ?, ?, ?, ?, ?)'),
    firstChange: prepare<[], { revision: bigint; ordinal: bigint }>(
      'SELECT revision, ordinal FROM history ORDER BY revision LIMIT 1',
    ),
    lastChange: prepare<[], { revision: bigint; ordinal: bigint }>(
      'SELECT revision, ordinal FROM history ORDER BY revision DESC LIMIT 1',
    ),
    knowsRevision: prepare<[bigint], unknown>('SELECT 1 FROM history WHERE revision = ?'),
    readHistory: prepare<[bigint, number], HistoryRow>(
      'SELECT revision, namespace, name, body, events FROM history WHERE revision > ? ORDER BY revision LIMIT ?',
    ),
    oldestRevisions: prepare<[number], bigint>('SELECT revision FROM history ORDER BY revision LIMIT ?').pluck(),
    dropHistory: prepare<[bigint], unknown>('DELETE FROM history WHERE revision <= ?'),
    readMeta: prepare<[string], unknown>('SELECT value FROM meta WHERE key = ?').pluck(),
    writeMeta: prepare('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value'),
    removeMeta: prepare('DELETE FROM meta WHERE key = ?'),
  };
}
