/** Every bound of the domain, in one place. Each refusal is typed and names the bound and the value. */
export interface Limits {
  /** Bytes of a holder's name. */
  readonly holderBytesMax: number;
  /** Bytes of an acquire id. */
  readonly acquireIdBytesMax: number;
  readonly durationMsMin: number;
  readonly durationMsMax: number;
  /** How long an Acquire may wait in the queue. */
  readonly waitMsMax: number;
  readonly lockDelayMsMax: number;
  readonly graceMsMax: number;
  readonly keepAfterExpiryMsMax: number;
  /** Labels of one lease. */
  readonly labelsMax: number;
  /** Bytes of all keys and values of one lease's annotations. */
  readonly annotationsBytesMax: number;
  /** Bytes of what users have said of one lease, as JSON within JSON, which is how a history may keep it. */
  readonly recordBytesMax: number;
  /** Bytes of a label selector. */
  readonly selectorBytesMax: number;
  /** Records in one namespace. */
  readonly leasesPerNamespaceMax: number;
  /** Places in the queue of one lease. */
  readonly waitersPerLeaseMax: number;
  /** Places in all queues together. */
  readonly waitersMax: number;
  readonly watchersMax: number;
  /** Commands that wait for their commit. */
  readonly commandsPendingMax: number;
  /** Leases on one page of a list. */
  readonly pageSizeMax: number;
  /** Leases on a page when the caller names no size. */
  readonly pageSizeDefault: number;
  /** Renewals in one RenewBatch. */
  readonly renewBatchMax: number;
}

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

export const defaultLimits: Limits = {
  holderBytesMax: 512,
  acquireIdBytesMax: 128,
  durationMsMin: 100,
  durationMsMax: day,
  waitMsMax: day,
  lockDelayMsMax: hour,
  graceMsMax: day,
  keepAfterExpiryMsMax: 366 * day,
  labelsMax: 64,
  annotationsBytesMax: 256 * 1024,
  recordBytesMax: Infinity,
  selectorBytesMax: 4096,
  leasesPerNamespaceMax: 2_000_000,
  waitersPerLeaseMax: 10_000,
  waitersMax: 100_000,
  watchersMax: 20_000,
  commandsPendingMax: 100_000,
  pageSizeMax: 1000,
  pageSizeDefault: 500,
  renewBatchMax: 1000,
};

/** How long a grant out of the queue stands until its first renewal. */
export const unconfirmedGrantMsMax: number = 15 * second;
