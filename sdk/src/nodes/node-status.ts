/** What a node says of itself in the record of its lease: entries to set. Those that are `undefined` are removed, those not named stay. */
export interface NodeStatus {
  /** Labels by Kubernetes' rules. */
  readonly labels?: Readonly<Record<string, string | undefined>> | undefined;
  /** Data for people and programs: 256 KiB of keys and values in all. */
  readonly annotations?: Readonly<Record<string, string | undefined>> | undefined;
}

type Entries = Readonly<Record<string, string | undefined>>;

/** The status after another one was set: for each entry the last word counts. */
export function mergeStatus(before: NodeStatus, { labels, annotations }: NodeStatus): NodeStatus {
  return { labels: mergeEntries(before.labels, labels), annotations: mergeEntries(before.annotations, annotations) };
}

/** What of a status is not said yet; `undefined`: nothing. */
export function missingStatus(status: NodeStatus, said: NodeStatus): NodeStatus | undefined {
  const labels = missingEntries(status.labels, said.labels);
  const annotations = missingEntries(status.annotations, said.annotations);
  return labels === undefined && annotations === undefined ? undefined : { labels, annotations };
}

/** A status that differs from every other in these entries: servers refuse this character. */
export function unknownStatus({ labels, annotations }: NodeStatus): NodeStatus {
  const unknown = (entries: Entries = {}): Entries => Object.fromEntries(Object.keys(entries).map((key) => [key, '\uFFFD']));
  return { labels: unknown(labels), annotations: unknown(annotations) };
}

/** The entries that a new tenure begins with; `undefined`: those that the record has. */
export function firstEntries(given: Entries | undefined, set: Entries | undefined): Record<string, string> | undefined {
  const entries = Object.entries({ ...given, ...set }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function mergeEntries(before: Entries | undefined, after: Entries | undefined): Entries | undefined {
  return after === undefined ? before : { ...before, ...after };
}

function missingEntries(wanted: Entries = {}, said: Entries = {}): Entries | undefined {
  const saidOf = new Map(Object.entries(said));
  const missing = Object.entries(wanted).filter(([key, value]) => saidOf.get(key) !== value);
  return missing.length === 0 ? undefined : Object.fromEntries(missing);
}
