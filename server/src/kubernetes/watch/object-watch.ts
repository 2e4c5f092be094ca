import { LeaseError, type Clock, type LeaseCoordinator, type Watch, type WatchMessage, type WatchSink } from '@leasehold/core';
import { watchContentType } from '../codec/encode.js';
import type { StreamAnswer } from '../lease-api.js';
import { StatusError, type Status } from '../status.js';
import { tooLargeVersion } from '../versions.js';
import type { EncodedEvent } from './event-encoder.js';
import type { WatchPlan } from './watch-plan.js';
import type { WatchSource } from './watch-source.js';

/** What a watch writes to, and until when. */
export interface WatchClient {
  readonly stream: StreamAnswer;
  /** Aborts when the stream is over, whoever ended it. */
  readonly signal: AbortSignal;
}

export interface ObjectWatchOptions {
  readonly coordinator: LeaseCoordinator;
  readonly clock: Clock;
  readonly plan: WatchPlan;
  readonly client: WatchClient;
  readonly source: WatchSource;
}

/**
 * One watch: turns what the coordinator sends into events of Kubernetes, and slows the coordinator down to the pace of the client. What
 * was there when it began is sent piece by piece as well; the coordinator waits meanwhile.
 */
export class ObjectWatch implements WatchSink {
  readonly #coordinator: LeaseCoordinator;
  readonly #clock: Clock;
  readonly #plan: WatchPlan;
  readonly #client: WatchClient;
  readonly #source: WatchSource;
  #deadlineMs = Infinity;
  #watch: Watch | undefined;
  /** What was there when it began and is not sent yet; `undefined`: it is all sent. */
  #present: Iterator<EncodedEvent> | undefined;
  /** Everything up to here was sent. */
  #revision = 0n;
  #isFull = false;
  /** Whether it goes on by itself in a moment. */
  #awaitsTurn = false;
  #isStarted = false;
  #isOver = false;
  #cancelTimeout = doNothing;
  #cancelBookmark = doNothing;

  constructor({ coordinator, clock, plan, client, source }: ObjectWatchOptions) {
    this.#coordinator = coordinator;
    this.#clock = clock;
    this.#plan = plan;
    this.#client = client;
    this.#source = source;
  }

  /** Opens it. Resolves as soon as it goes on by itself. @throws {LeaseError} it cannot be opened, and the client has not been answered. */
  async open(): Promise<void> {
    const { beginsWithAll, version, timeoutMs } = this.#plan;
    try {
      if (timeoutMs <= 0) {
        this.#start();
        this.#finish();
        return;
      }
      if (beginsWithAll && version > this.#coordinator.revision) {
        // Clients wait for the headers of a watch, not for its events.
        this.#start();
        await this.#coordinator.reach(version);
      }
      if (!beginsWithAll && this.#source.recall !== undefined) {
        this.#start();
        await this.#source.recall(version);
      }
      if (!this.#isOver) {
        this.#begin();
      }
    } catch (error) {
      if (!this.#isStarted || !(error instanceof LeaseError)) {
        throw error;
      }
      this.end(error);
    }
  }

  write({ events, revision }: WatchMessage): boolean {
    this.#revision = revision;
    if (this.#watch === undefined) {
      // It is being opened: the headers and what was there come first.
      return false;
    }
    return this.#send(this.#source.changes(events));
  }

  end(error: LeaseError): void {
    const status = this.#statusOf(error);
    if (status !== undefined) {
      this.#send([this.#source.error(status)]);
    }
    this.#finish();
  }

  /** In one turn of the loop, so that what there is and what comes after it fit together. */
  #begin(): void {
    const { beginsWithAll, version } = this.#plan;
    const present = beginsWithAll ? this.#source.present() : [].values();
    const fromRevision = beginsWithAll ? this.#coordinator.revision : version;
    this.#watch = this.#coordinator.watch({ ...this.#source.query, fromRevision }, this);
    this.#start();
    this.#present = present;
    this.#goOn();
  }

  /** Answers with the headers. From here on, errors are events. */
  #start(): void {
    if (this.#isStarted) {
      return;
    }
    this.#isStarted = true;
    const { stream, signal } = this.#client;
    const { form, bookmarks, timeoutMs } = this.#plan;
    stream.start({ contentType: watchContentType(form.format) });
    stream.onDrain(() => {
      this.#isFull = false;
      this.#goOn();
    });
    this.#deadlineMs = this.#clock.monotonicMs() + timeoutMs;
    this.#cancelTimeout = this.#clock.after(timeoutMs, () => this.#finish());
    if (bookmarks) {
      this.#scheduleBookmark();
    }
    if (signal.aborted) {
      this.#leave();
    } else {
      signal.addEventListener('abort', () => this.#leave());
    }
  }

  /** Sends what was there when it began, as far as the client takes it, then lets the coordinator go on. */
  #goOn(): void {
    if (this.#isOver || this.#watch === undefined || this.#awaitsTurn) {
      return;
    }
    if (this.#present === undefined) {
      this.#watch.resume();
    } else if (this.#send(this.#nextPresent(this.#present))) {
      // Others get their turn between two pieces.
      this.#awaitsTurn = true;
      this.#clock.soon(() => {
        this.#awaitsTurn = false;
        this.#goOn();
      });
    }
  }

  /** The next piece of what was there, and after the last one a bookmark that says so. */
  #nextPresent(present: Iterator<EncodedEvent>): EncodedEvent[] {
    const piece: EncodedEvent[] = [];
    let bytes = 0;
    while (piece.length < pieceMax && bytes < pieceBytes) {
      const next = present.next();
      if (next.done === true) {
        this.#present = undefined;
        const { beginsWithAll, marksEndOfAll } = this.#plan;
        return beginsWithAll && marksEndOfAll ? [...piece, this.#source.bookmark(this.#revision, initialEventsEnd)] : piece;
      }
      bytes += next.value.length;
      piece.push(next.value);
    }
    return piece;
  }

  /** Writes events; `false`: the client wants no more for now. */
  #send(events: readonly EncodedEvent[]): boolean {
    const { stream } = this.#client;
    for (const chunk of stream.framed ? events : together(events as readonly Uint8Array[])) {
      this.#isFull = !stream.write(chunk);
    }
    return !this.#isFull;
  }

  /** Once a minute, and shortly before the end, so that a client that comes again has little to catch up with. */
  #scheduleBookmark(): void {
    const nowMs = this.#clock.monotonicMs();
    const atMs = Math.min(nowMs + bookmarkIntervalMs, this.#deadlineMs - lastBookmarkMs);
    if (atMs <= nowMs) {
      return;
    }
    this.#cancelBookmark = this.#clock.after(atMs - nowMs, () => {
      // Not while it waits for the client, or for a version that is yet to come.
      if (this.#revision > 0n && this.#present === undefined && !this.#isFull) {
        this.#send([this.#source.bookmark(this.#revision)]);
      }
      this.#scheduleBookmark();
    });
  }

  /** What the client is told of the end; `undefined`: nothing, it may come again and go on. */
  #statusOf({ reason, detail }: LeaseError): Status | undefined {
    const from = this.#revision === 0n ? this.#plan.version : this.#revision;
    switch (reason) {
      case 'REVISION_COMPACTED':
      case 'REVISION_UNKNOWN':
        return new StatusError(410, 'Expired', `too old resource version: ${from} (${detail.oldestRevision ?? 0n})`).status;
      case 'REVISION_IN_FUTURE':
        return tooLargeVersion(this.#plan.version, this.#coordinator.revision).status;
      default:
        return undefined;
    }
  }

  #finish(): void {
    if (!this.#isOver) {
      this.#leave();
      this.#client.stream.end();
    }
  }

  #leave(): void {
    this.#isOver = true;
    this.#cancelTimeout();
    this.#cancelBookmark();
    this.#watch?.close();
  }
}

/** Short events in one, so that they go in one packet. Long ones go by themselves: all watches share them, and would not share copies. */
function together(events: readonly Uint8Array[]): readonly Uint8Array[] {
  const bytes = events.reduce((sum, { length }) => sum + length, 0);
  return events.length < 2 || bytes > pieceBytes ? events : [Buffer.concat(events)];
}

/** How many events of what was there are sent at once, */
const pieceMax = 64;

/** and of how many bytes, but for the last one: so much is kept for each client that reads nothing. */
const pieceBytes = 64 * 1024;

/** As kube-apiserver's watch cache has it (defaultBookmarkFrequency). */
const bookmarkIntervalMs = 60_000;

/** How long before the end the last bookmark comes, there as well. */
const lastBookmarkMs = 2000;

const initialEventsEnd = { 'k8s.io/initial-events-end': 'true' };

function doNothing(): void {
  return;
}
