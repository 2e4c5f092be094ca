import type { Renewal } from '@leasehold/sdk';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { acquire, acquireRequest, grantOf, seconds, wireClient } from '../../support/wire.js';
import { ClientProgram, patience, type ProgramEvent } from './client-program.js';
import { buildPatience, buildPrograms, programOf, why, type Bodies, type Version } from './go-programs.js';
import { World } from './world.js';

const namespace = 'informed';

/** client-go waits the longer, up to half a minute, the more often it has found no server. */
const comesAgain = 3 * patience;
const timeout = 5 * patience;

describe.skipIf(why !== '')(`informers of client-go${why}`, () => {
  beforeAll(buildPrograms, buildPatience);

  test('go on where the crash of a server has cut them, and see every change', { timeout }, async () => {
    const { world, each } = await begin();
    await world.grpc.create('first', { namespace });
    await each((informer) => informer.sees('added first'));
    await world.away(async () => {
      for (const round of ['1', '2', '3']) await world.grpc.update('lease-1', { namespace, labels: { round } });
      await world.grpc.delete('lease-2', { namespace });
      await world.grpc.create('second', { namespace });
    });
    await each(async (informer) => {
      await informer.sees('added second');
      expect(informer.lists).toBe(1);
      expect(informer.changes.slice(10)).toEqual([
        ...['added first', 'updated lease-1', 'updated lease-1', 'updated lease-1', 'deleted lease-2', 'added second'],
      ]);
      await informer.hasAll(11);
    });
  });

  test('begin anew when what they have missed is no longer known, and lose nothing', { timeout }, async () => {
    const { world, each } = await begin();
    const renewals = await hold(world);
    await each((informer) => informer.sees('added held-15'));
    await world.away(async () => {
      await world.grpc.delete('lease-3', { namespace });
      await world.grpc.update('lease-4', { namespace, labels: { app: 'y' } });
      // More changes than are kept, even by a store that is behind with what it drops.
      for (let round = 0; round < 120; round += 1) await world.grpc.renewBatch(renewals);
      await world.grpc.create('last', { namespace });
    });
    await each(async (informer) => {
      const renewed = renewals.map(({ name }) => `updated ${name}`);
      await informer.sees('added last', 'deleted lease-3', 'updated lease-4', ...renewed);
      expect(informer.lists).toBe(2);
      expect(informer.changes.filter((change) => change.endsWith(' lease-3'))).toEqual(['added lease-3', 'deleted lease-3']);
      expect(informer.changes.filter((change) => change.endsWith(' held-0'))).toEqual(['added held-0', 'updated held-0']);
      await informer.hasAll(26);
    });
  });
});

/** How an informer gets what there is: by a list, or by a watch that begins with it. */
interface Kind {
  readonly version: Version;
  readonly bodies: Bodies;
  readonly by: 'list' | 'watch';
}

const kinds: readonly Kind[] = [
  { version: '0.32', bodies: 'protobuf', by: 'list' },
  { version: 'latest', bodies: 'protobuf', by: 'watch' },
  { version: 'latest', bodies: 'json', by: 'list' },
];

/** Starts a server with ten leases, and informers of all kinds. `each` does something with all of them at once. */
async function begin() {
  // This is the least that can be kept.
  const world = await World.start({ args: ['--history-max', '1000'] });
  onTestFinished(() => world.stop());
  for (let index = 0; index < 10; index += 1) await world.grpc.create(`lease-${index}`, { namespace });
  const informers = kinds.map((kind) => new Informer(world, kind));
  const each = async (check: (informer: Informer) => Promise<void>): Promise<void> => {
    await Promise.all(informers.map(check));
  };
  onTestFinished(() => each((informer) => informer.stop()));
  await each((informer) => informer.begins());
  return { world, each };
}

/** An informer in a process of its own. */
class Informer {
  readonly #kind: Kind;
  readonly #program: ClientProgram;

  constructor({ home }: World, kind: Kind) {
    const features = { KUBE_FEATURE_WatchListClient: String(kind.by === 'watch') };
    const environment = home.environment({ BODIES: kind.bodies, ...features });
    this.#kind = kind;
    this.#program = new ClientProgram(programOf(kind.version, 'clients'), ['informer', namespace], environment);
  }

  /** What its handlers were told, such as `added lease-1`. */
  get changes(): string[] {
    return this.#program.events
      .filter(({ event }) => ['added', 'updated', 'deleted'].includes(event))
      .map(({ event, name }) => `${event} ${String(name)}`);
  }

  /** How often it has asked for all that there is. */
  get lists(): number {
    return this.#requests().filter(({ watch, initialEvents }) => watch !== true || initialEvents === true).length;
  }

  async begins(): Promise<void> {
    const { bodies, by } = this.#kind;
    await this.#program.next('synced');
    const [first] = this.#requests();
    expect(first).toMatchObject({ status: 200, watch: by === 'watch', initialEvents: by === 'watch' });
    expect(first?.['type']).toContain(bodies);
    expect(this.changes).toHaveLength(10);
  }

  /** Waits until its handlers have been told of these changes, in whatever order. */
  async sees(...wanted: readonly string[]): Promise<void> {
    const areAllSeen = (): true | undefined => wanted.every((change) => this.changes.includes(change)) || undefined;
    await this.#program.until(wanted.join(', '), areAllSeen, comesAgain);
  }

  /** Checks that its cache, and what its handlers made of what they were told, are what a list says. */
  async hasAll(count: number): Promise<void> {
    this.#program.send('state');
    const { cache, list } = (await this.#program.next('state')) as unknown as State;
    expect(cache).toEqual(list);
    const versions = Object.entries(list).map(([name, { metadata }]) => [name, metadata.resourceVersion] as const);
    expect(outcomeOf(this.#program.events)).toEqual(new Map(versions));
    expect(versions).toHaveLength(count);
  }

  async stop(): Promise<void> {
    await this.#program.kill();
  }

  #requests(): ProgramEvent[] {
    return this.#program.events.filter(({ event }) => event === 'request');
  }
}

interface State {
  readonly cache: Readonly<Record<string, ListedLease>>;
  readonly list: Readonly<Record<string, ListedLease>>;
}

interface ListedLease {
  readonly metadata: { readonly resourceVersion: string };
}

/** What is there after these events: leases and their versions. */
function outcomeOf(events: readonly ProgramEvent[]): Map<unknown, unknown> {
  const leases = new Map<unknown, unknown>();
  for (const { event, name, version } of events) {
    if (event === 'added' || event === 'updated') leases.set(name, version);
    if (event === 'deleted') leases.delete(name);
  }
  return leases;
}

/** Has leases held by somebody who does not renew them, and returns what it takes to do so. */
async function hold({ address }: World): Promise<Renewal[]> {
  const client = wireClient(address);
  const names = Array.from({ length: 16 }, (_, index) => `held-${index}`);
  const renewals: Renewal[] = [];
  for (const name of names) {
    const request = acquireRequest({ namespace, name, holder: 'somebody', duration: seconds(3600) });
    const fencingToken = await grantOf(acquire(client, request));
    renewals.push({ namespace, name, holder: 'somebody', fencingToken });
  }
  return renewals;
}
