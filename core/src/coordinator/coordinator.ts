import type {
  Attachment,
  AttachmentListener,
  AttachRequest,
  BeatResult,
  Caller,
  LeaseCoordinator,
  LeaseView,
  ListPage,
  ListQuery,
  Watch,
  WatchQuery,
  WatchSink,
} from './api.js';
import { CatchUp } from './catch-up.js';
import { Checkpointer } from './checkpointer.js';
import { CommitQueue } from './commit-queue.js';
import { LeaseAttachment, type Entry } from './entry.js';
import { LeaseTable } from './lease-table.js';
import { listPage } from './list.js';
import type { CoordinatorOptions } from './options.js';
import { Past } from './past.js';
import { nobody } from './pending.js';
import { RecentChanges } from './recent-changes.js';
import { ServerSessions } from './sessions.js';
import { Sweeper } from './sweeper.js';
import { Waiting } from './waiting.js';
import { WatchHub } from './watch-hub.js';
import type { Clock } from '../clock.js';
import type { AnswerTo, Command } from '../lease/commands.js';
import { LeaseError, limitExceeded } from '../lease/errors.js';
import { isHeld, isVisible, leaseKey, type LeaseRecord } from '../lease/record.js';
import { notFound } from '../lease/refusals.js';
import { inTheWayMs } from '../lease/situation.js';
import { checkHolder, checkName, checkNamespace, checkToken, validateCommand } from '../lease/validate.js';
import { refusalToRenew } from '../lease/verbs/renew.js';
import type { NoteEntry, Store } from '../store/store.js';

/**
 * Loads the store and starts a coordinator on it. Every held lease counts in full from then, or for as long as a clean shutdown has
 * noted.
 */
export async function startCoordinator(options: CoordinatorOptions): Promise<LeaseCoordinator> {
  const { store, clock } = options;
  const sessions = new ServerSessions(store.shared);
  const table = new LeaseTable(sessions);
  const state = await store.load((records) => {
    for (const record of records) {
      const entry = table.getOrAdd(leaseKey(record.namespace, record.name));
      entry.record = record;
      table.refresh(entry, false);
    }
  });
  const note = new Map((await store.takeNote()).map((entry) => [entry.key, entry]));
  const now = { nowMs: clock.monotonicMs(), wallMs: clock.wallMs() };
  await inPieces(clock, table.all(), (entry) => {
    const { record } = entry;
    if (record !== undefined) {
      const noted = note.get(entry.key);
      const holds = noted?.fencingToken === record.fencingToken;
      entry.restore(record, holds ? noted.remainingMs : undefined, now);
    }
  });
  const coordinator = new Coordinator(options, { table, sessions, revision: state.revision });
  await coordinator.begin();
  return coordinator;
}

/**
 * The one door for changes: a command is submitted, decided on committed state, committed together with others, and published. All
 * that is live about leases (deadlines, who waits, who watches) is kept here as well.
 */
class Coordinator implements LeaseCoordinator {
  readonly #options: CoordinatorOptions;
  readonly #store: Store;
  readonly #table: LeaseTable;
  readonly #sessions: ServerSessions;
  readonly #commits: CommitQueue;
  readonly #sweeper: Sweeper;
  readonly #checkpointer: Checkpointer;
  readonly #hub: WatchHub;
  readonly #past: Past;
  readonly #waiting: Waiting;
  readonly #catchUp = new CatchUp(async () => {
    const revision = await this.#store.shared?.catchUp();
    await this.#hub.reach(revision ?? 0n);
  });
  /** Why nothing is taken any more; `undefined` while all is well. */
  #closed: LeaseError | undefined;
  #cancelValidity = (): void => undefined;

  constructor(options: CoordinatorOptions, { table, sessions, revision }: Loaded) {
    const { store, clock, limits } = options;
    this.#options = options;
    this.#store = store;
    this.#table = table;
    this.#sessions = sessions;
    const recent = new RecentChanges(options.recentChangesMax ?? 8192, revision);
    this.#past = new Past(store, table, recent);
    this.#hub = new WatchHub({
      store,
      clock,
      recent,
      revision,
      watchersMax: limits.watchersMax,
      bookmarkIntervalMs: options.bookmarkIntervalMs ?? 10_000,
    });
    this.#waiting = new Waiting(clock, limits, (entry) => {
      this.#commits.enlist(entry);
      this.#table.forgetIfEmpty(entry);
    });
    const batchMax = Math.min(options.batchMax ?? 512, store.changesMax ?? Infinity);
    this.#sweeper = new Sweeper(
      clock,
      (entry) => {
        this.#commits.elapse(entry);
      },
      // Half of a commit, so that a mass expiry leaves room for the commands of callers.
      Math.ceil(batchMax / 2),
    );
    this.#checkpointer = new Checkpointer(clock, options.checkpointIntervalMs ?? 10_000, (command) => this.submit(command));
    this.#commits = new CommitQueue({
      store,
      clock,
      limits: { ...limits, recordBytesMax: Math.min(limits.recordBytesMax, store.recordBytesMax ?? Infinity) },
      batchMax,
      table,
      sessions,
      newUid: () => options.newUid(),
      catchUp: () => this.catchUp(),
      waiting: this.#waiting,
      sweeper: this.#sweeper,
      hub: this.#hub,
      onCheckpointCost: (ms) => {
        this.#checkpointer.spent(ms);
      },
      onFailure: (error) => {
        this.#fail(error);
      },
    });
  }

  /** Takes over what other servers have done since the store was loaded, and does so from now on. @throws the store failed. */
  async begin(): Promise<void> {
    try {
      await this.#store.shared?.follow({
        changed: (changes) => {
          if (this.#closed === undefined || this.#isDraining()) this.#commits.follow(changes);
        },
        sessionEnded: (session) => {
          this.#sessionEnded(session);
        },
      });
    } catch (error) {
      // Nobody will ever close what nobody has got.
      this.#giveUp(error);
      throw error;
    }
    await inPieces(this.#options.clock, this.#table.all(), (entry) => {
      this.#sweeper.watch(entry);
    });
    this.#watchValidity();
  }

  get revision(): bigint {
    return this.#hub.revision;
  }

  monotonicMs(): number {
    return this.#options.clock.monotonicMs();
  }

  submit<C extends Command>(command: C, caller: Caller = nobody): Promise<AnswerTo<C['kind']>> {
    const { limits } = this.#options;
    return new Promise((resolve, reject) => {
      this.#checkOpen();
      validateCommand(command, limits);
      if (this.#commits.length >= limits.commandsPendingMax) {
        throw limitExceeded('commands under way', limits.commandsPendingMax);
      }
      // The kind of the answer follows from that of the command: `AnswerKinds` says which.
      this.#commits.add({ command, caller, resolve: resolve as (answer: unknown) => void, reject });
    });
  }

  async catchUp(): Promise<void> {
    if (this.#store.shared === undefined) return;
    this.#checkReadable();
    try {
      await this.#catchUp.run();
    } catch (cause) {
      throw new LeaseError('STORE_UNAVAILABLE', 'The store does not answer: repeat the call in a moment', {}, { cause });
    }
    this.#checkReadable();
  }

  get(namespace: string, name: string): LeaseView {
    this.#checkReadable();
    checkName(namespace, name);
    const record = this.#table.get(leaseKey(namespace, name))?.record;
    if (!isVisible(record)) {
      throw notFound({ namespace, name });
    }
    return { record, remainingMs: this.remainingMs(record) };
  }

  namespaces(): readonly string[] {
    this.#checkReadable();
    return this.#table.namespaces();
  }

  list(query: ListQuery): ListPage {
    this.#checkReadable();
    if (query.namespace !== '') {
      checkNamespace(query.namespace);
    }
    return listPage(this.#table, query, {
      limits: this.#options.limits,
      revision: this.revision,
      remainingMs: (record) => this.remainingMs(record),
    });
  }

  records(namespace: string): readonly LeaseRecord[] {
    this.#checkReadable();
    return this.#table.records(namespace);
  }

  async recordsAt(namespace: string, revision: bigint): Promise<readonly LeaseRecord[]> {
    await this.reach(revision);
    return this.#past.recordsAt(namespace, revision);
  }

  async reach(revision: bigint): Promise<void> {
    this.#checkReadable();
    await this.#hub.reach(revision);
  }

  remainingMs(record: LeaseRecord): number | undefined {
    const entry = this.#table.get(leaseKey(record.namespace, record.name));
    if (!isHeld(record) || entry?.record?.fencingToken !== record.fencingToken || !isHeld(entry.record)) {
      return undefined;
    }
    return inTheWayMs(entry, this.#options.clock.monotonicMs());
  }

  watch(query: WatchQuery, sink: WatchSink): Watch {
    this.#checkOpen();
    if (query.name !== '') {
      checkName(query.namespace, query.name);
    } else if (query.namespace !== '') {
      checkNamespace(query.namespace);
    }
    return this.#hub.open(query, sink);
  }

  async attach(request: AttachRequest, listener: AttachmentListener): Promise<Attachment> {
    checkName(request.namespace, request.name);
    checkHolder('holder', request.holder, this.#options.limits);
    checkToken(request.fencingToken);
    const { namespace, name, holder, fencingToken, readAtMs } = request;
    if (this.#sessions.own !== '') {
      await this.submit({ kind: 'attend', namespace, name, holder, fencingToken, readAtMs });
    }
    const entry = this.#table.get(leaseKey(namespace, name));
    while (entry?.inFlight !== undefined) {
      await new Promise<void>((resolve) => {
        entry.whenSettled(resolve);
      });
    }
    this.#checkOpen();
    if (entry === undefined || !isVisible(entry.record)) {
      throw notFound(request);
    }
    const refusal = refusalToRenew(entry, entry.record, request, this.#commits.moment());
    if (refusal !== undefined) {
      throw refusal;
    }
    if (entry.record.attendant !== this.#sessions.own) {
      // Its holder has been faster elsewhere.
      return this.attach(request, listener);
    }
    const attachment = new LeaseAttachment(entry, request.fencingToken, listener);
    this.beat(attachment, request.readAtMs);
    entry.attach(attachment, this.monotonicMs());
    // A grace has an end that the sweeper is to tell.
    this.#sweeper.watch(entry);
    return attachment;
  }

  beat(attachment: Attachment, readAtMs: number): BeatResult {
    const { entry } = own(attachment);
    if (entry === undefined) {
      return 'lost';
    }
    const { record } = entry;
    if (
      !this.#isValid(readAtMs) ||
      this.#closed !== undefined ||
      entry.inFlight?.ends === true ||
      readAtMs >= entry.renewableUntilMs ||
      !isHeld(record)
    ) {
      return 'ending';
    }
    entry.renew(readAtMs, record.durationMs);
    entry.beatAtMs = readAtMs;
    if (entry.checkpointAtMs === Infinity) {
      this.#checkpointer.add(entry, readAtMs);
    }
    return 'renewed';
  }

  detach(attachment: Attachment): void {
    const lease = own(attachment);
    lease.entry?.detach(lease);
    lease.entry = undefined;
  }

  async drain(): Promise<void> {
    if (this.#closed !== undefined) {
      return;
    }
    const draining = new LeaseError('DRAINING', 'Server is draining: try another one, or again in a moment');
    this.#close(draining);
    await this.#commits.finish(draining);
    this.#hub.close(draining);
    if (this.#isDraining()) {
      await this.#store.leaveNote(this.#note());
    }
    await this.#store.close();
  }

  #sessionEnded(session: string): void {
    const nowMs = this.monotonicMs();
    for (const entry of this.#table.all()) {
      const { record } = entry;
      if (record?.attendant === session) entry.loseAttendant(nowMs);
      else if (record?.waiting.some((server) => server.session === session) !== true) continue;
      if (entry.inFlight === undefined) this.#commits.goOn(entry);
    }
  }

  /** The time left of every lease that a start would count in full. */
  #note(): NoteEntry[] {
    const nowMs = this.#options.clock.monotonicMs();
    const note: NoteEntry[] = [];
    for (const { key, record, deadlineMs, freeAtMs } of this.#table.all()) {
      if (record !== undefined && (isHeld(record) || record.delayed || record.reservedMs !== undefined)) {
        const untilMs = isHeld(record) ? deadlineMs : freeAtMs;
        note.push({ key, fencingToken: record.fencingToken, remainingMs: Math.max(0, untilMs - nowMs) });
      }
    }
    return note;
  }

  /** Outcomes are unknown from here on: nothing is answered from this memory any more. */
  #fail(error: Error): void {
    this.#giveUp(error);
    this.#options.onFailure(error);
  }

  #giveUp(cause: unknown): void {
    const failed = new LeaseError('STORE_UNAVAILABLE', 'Store failed: the server is opening it again', {}, { cause });
    this.#close(failed);
    this.#commits.abandon(failed);
    this.#hub.close(failed);
  }

  #close(error: LeaseError): void {
    this.#closed = error;
    this.#cancelValidity();
    this.#sweeper.stop();
    this.#checkpointer.stop();
    this.#waiting.close(error);
  }

  /**
   * A store that somebody else may have opened is done for. Looks again whenever it could have lapsed: streams are to hear of it without
   * asking. In a process that was held up what keeps the store may have come, and not been read.
   */
  #watchValidity(): void {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const { validUntilMs } = this.#store;
    if (this.#closed !== undefined || validUntilMs === undefined) return;
    if (nowMs >= validUntilMs) {
      this.#fail(new Error('The store has not been heard of for too long: another server may have opened it'));
      return;
    }
    this.#cancelValidity();
    this.#cancelValidity = clock.after(validUntilMs - nowMs, () => {
      this.#watchValiditySoon();
    });
  }

  #watchValiditySoon(): void {
    this.#options.clock.soon(() => {
      this.#watchValidity();
    });
  }

  /** Whether nobody else can have opened the store. */
  #isValid(nowMs: number): boolean {
    const isValid = this.#store.validUntilMs === undefined || nowMs < this.#store.validUntilMs;
    if (!isValid) this.#watchValiditySoon();
    return isValid;
  }

  #checkValid(): void {
    if (!this.#isValid(this.monotonicMs())) {
      throw new LeaseError('STORE_UNAVAILABLE', 'The store has not been heard of for too long: repeat the call in a moment');
    }
  }

  #checkOpen(): void {
    this.#checkValid();
    if (this.#closed !== undefined) {
      throw this.#closed;
    }
  }

  /** Whether it is closed because it drains, and the store has not failed meanwhile. */
  #isDraining(): boolean {
    return this.#closed?.reason === 'DRAINING';
  }

  /** A server that drains still answers reads: what it has is committed. */
  #checkReadable(): void {
    this.#checkValid();
    if (this.#closed !== undefined && !this.#isDraining()) {
      throw this.#closed;
    }
  }
}

/** Does something for all leases, and lets the event loop turn meanwhile: with a million of them a shared store would lapse. */
async function inPieces(clock: Clock, entries: Iterable<Entry>, action: (entry: Entry) => void): Promise<void> {
  let done = 0;
  for (const entry of entries) {
    action(entry);
    done += 1;
    if (done % pieceSize === 0) {
      await new Promise<void>((resolve) => {
        clock.soon(resolve);
      });
    }
  }
}

const pieceSize = 10_000;

/** What a start has read from the store. */
interface Loaded {
  readonly table: LeaseTable;
  readonly sessions: ServerSessions;
  readonly revision: bigint;
}

/** Attachments are opaque to transports; every one comes from `attach`. */
function own(attachment: Attachment): LeaseAttachment {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Checking it again would cost each beat.
  return attachment as LeaseAttachment;
}
