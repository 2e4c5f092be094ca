import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Clock, Store } from '@leasehold/core';
import { systemClock } from './clock.js';
import { OptionError, parseOptions } from './options/parse.js';
import type { ServerOptions } from './options/table.js';
import { RuleError, storeLocation } from './options/values.js';
import type { HostProcess } from './serve.js';
import { copyLeases, readContent, TargetError } from './store/copy-leases.js';
import { openAnyStore, openStore } from './store/open-store.js';

const usage = `Usage: leasehold migrate --from STORE --to STORE [options]

Copies all leases of a store that no server has open into an empty one. They keep their holders and fencing tokens; all revisions and
tokens to come are above those of the source. The history is not copied: watches from before begin anew. The source stays as it is: put
it away afterwards, for a server on it would grant the same leases once more.

Until the copy is complete no server starts on the target. After an interruption, run the same command again.

STORE is sqlite:PATH or etcd:URL,URL.

Options:
  --from STORE            where the leases are
  --to STORE              where they go: a store that is empty or not there yet
  --etcd-prefix PREFIX, --etcd-user NAME, --etcd-password-file FILE, --etcd-ca FILE, --etcd-cert FILE, --etcd-key FILE
                          as for leasehold serve, also as variables
  -h, --help              print this

Exit codes: 0 all is copied, 1 it is not, 2 an option is wrong.
`;

/** Where leases come from, or go to. */
interface Place {
  /** As it was asked for. */
  readonly text: string;
  readonly options: ServerOptions;
}

/**
 * `leasehold migrate`: copies all leases from one store into another.
 *
 * @returns the exit code: 0 copied, 1 refused or failed, 2 an option is wrong.
 */
export async function migrate(args: readonly string[], host: Omit<HostProcess, 'on'>): Promise<number> {
  try {
    const places = readPlaces(args, host.env);
    if (places === 'help') {
      host.stdout.write(usage);
      return 0;
    }
    const copied = await copy(places.from, places.to);
    host.stdout.write(
      `Copied ${copied} leases from ${places.from.text} to ${places.to.text}. Start servers on the new store only, and put the old one away.\n`,
    );
    return 0;
  } catch (error) {
    host.stderr.write(`leasehold migrate: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof OptionError ? 2 : 1;
  }
}

function readPlaces(args: readonly string[], env: HostProcess['env']): { from: Place; to: Place } | 'help' {
  const { values } = parse(args);
  const { from, to, help, ...etcd } = values;
  if (help === true) return 'help';
  const shared = parseOptions(
    Object.entries(etcd).map(([flag, value]) => `--${flag}=${value}`),
    env,
  );
  if (shared.kind === 'help') return 'help';
  const places = { from: placeOf('--from', from, shared.options), to: placeOf('--to', to, shared.options) };
  if (isSame(places.from.options, places.to.options)) {
    throw new OptionError(`Invalid --to: must be another store than --from, got ${JSON.stringify(to)}`);
  }
  return places;
}

function isSame({ store: from }: ServerOptions, { store: to }: ServerOptions): boolean {
  if (from.kind === 'sqlite' && to.kind === 'sqlite') return resolve(from.path) === resolve(to.path);
  return from.kind === 'etcd' && to.kind === 'etcd' && from.endpoints.some((endpoint) => to.endpoints.includes(endpoint));
}

function parse(args: readonly string[]) {
  try {
    const text = { type: 'string' } as const;
    const etcd = { 'etcd-prefix': text, 'etcd-user': text, 'etcd-password-file': text };
    const files = { 'etcd-ca': text, 'etcd-cert': text, 'etcd-key': text };
    return parseArgs({
      args: [...args],
      options: { from: text, to: text, help: { type: 'boolean', short: 'h' }, ...etcd, ...files },
    });
  } catch (error) {
    throw new OptionError(error instanceof Error ? error.message : String(error));
  }
}

function placeOf(flag: string, text: string | undefined, options: ServerOptions): Place {
  const refuse = (rule: string): OptionError =>
    new OptionError(`Invalid ${flag}: ${rule}, got ${text === undefined ? 'none' : JSON.stringify(text)}`);
  try {
    const store = storeLocation.parse(text ?? '');
    if (store.kind === 'memory') throw refuse('must be a store that outlives its server');
    return { text: text ?? '', options: { ...options, store } };
  } catch (error) {
    throw error instanceof RuleError ? refuse(error.message) : error;
  }
}

async function copy(from: Place, to: Place): Promise<number> {
  const { store } = from.options;
  // Opened, it would be made.
  if (store.kind === 'sqlite' && !existsSync(store.path)) throw new Error(`${from.text}: there is no such file`);
  const source = await open(from, openStore, systemClock);
  try {
    const content = await readContent(source);
    const target = await open(to, openAnyStore, clockAbove(content.revision));
    try {
      await copyLeases(content, target, () => {
        checkStillAlone(source, from);
      });
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      throw new Error(`${to.text} ${error.message}. Name a store that is not there yet, or remove what is there`, {
        cause: error,
      });
    } finally {
      await target.close();
    }
    return content.records.length;
  } finally {
    await source.close();
  }
}

/** Opens a store for nobody else. */
function open(place: Place, how: typeof openStore, clock: Clock): Promise<Store> {
  return how(place.options, { clock, log: { warn: () => undefined }, alone: true });
}

/** A store begins at the wall clock: this one is above every revision of the source, whatever its clock was like. */
function clockAbove(revision: bigint): Clock {
  const aboveMs = Number(revision) / 1000 + 1;
  return { ...systemClock, wallMs: () => Math.max(systemClock.wallMs(), aboveMs) };
}

function checkStillAlone({ validUntilMs }: Store, { text }: Place): void {
  if (validUntilMs !== undefined && systemClock.monotonicMs() >= validUntilMs) {
    throw new Error(`${text} was not reached for a while: a server may have opened it meanwhile. Run the same command again`);
  }
}
