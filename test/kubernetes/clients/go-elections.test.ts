import { join } from 'node:path';
import type { Lease } from '@leasehold/sdk';
import { afterAll, beforeAll, describe, test, type TestContext } from 'vitest';
import { ClientProgram, patience } from './client-program.js';
import {
  buildPatience,
  buildPrograms,
  combinations,
  programOf,
  versions,
  why,
  type Bodies,
  type Version,
} from './go-programs.js';
import { World } from './world.js';

/** For a test that waits several times. */
const timeout = 4 * patience;

describe.skipIf(why !== '')(`what runs in clusters, with client-go${why}`, () => {
  let relaxed: World;
  let strict: World;

  beforeAll(async () => {
    await buildPrograms();
    relaxed = await World.start({ store: 'memory:' });
    strict = await World.start({ store: 'memory:', args: ['--kubernetes-strict', 'on'] });
  }, buildPatience);

  afterAll(async () => {
    await relaxed.stop();
    await strict.stop();
  });

  // The longest first: only so many run at a time.
  test.concurrent(
    'a program out of a tutorial elects, over TLS, with the kubeconfig of its home and two versions',
    { timeout },
    async (context) => {
      const { expect } = context;
      const world = await World.start({ store: 'memory:', tls: true });
      context.onTestFinished(() => world.stop());
      const [older, newer] = versions;
      const pod = (version: Version): ClientProgram => {
        const environment = world.home.environment({ POD_NAME: `pod-${version}` });
        return killedAtEnd(context, new ClientProgram(programOf(version, 'tutorial'), [], environment));
      };
      const lease = (): Promise<Lease> => world.grpc.get('example-lease', { namespace: 'default' });
      const leader = pod(older);
      await leader.next('I am the leader, performing the task...');
      const other = pod(newer);
      await leader.next('Leader executing task...');
      const before = await lease();
      expect(before).toMatchObject({ holder: `pod-${older}`, state: 'HELD', durationMs: 15_000 });
      expect(other.events).toEqual([]);

      await leader.kill();
      await other.next('Leader executing task...');
      const after = await lease();
      expect(after).toMatchObject({ holder: `pod-${newer}`, state: 'HELD' });
      expect(after.fencingToken).toBeGreaterThan(before.fencingToken);
    },
  );

  test.concurrent(
    "kubelet's lease controller keeps the lease of a node, through a crash of the server",
    { timeout },
    async (context) => {
      const { expect } = context;
      const world = await World.start();
      context.onTestFinished(() => world.stop());
      const watcher = await world.watch({ namespace: 'kube-node-lease' });
      const nodes = versions.map((version) => ({ version, name: `node-${version}` }));
      const kubelets = nodes.map(({ version, name }) => start(context, world, { version, args: ['node-lease', name] }));
      const renewals = async (): Promise<Lease[]> => {
        await Promise.all(kubelets.map((kubelet) => kubelet.next('renewed')));
        return Promise.all(nodes.map(({ name }) => world.grpc.get(name, { namespace: 'kube-node-lease' })));
      };
      await Promise.all(kubelets.map((kubelet) => kubelet.next('created')));
      const created = await Promise.all(
        nodes.map(({ name }) => watcher.until(({ type, lease }) => type === 'ACQUIRED' && lease.name === name)),
      );
      expect(created).toMatchObject(nodes.map(({ name }) => ({ name, holder: name, durationMs: 12_000 })));
      const renewed = await renewals();

      await world.crash();
      kubelets.forEach((kubelet) => kubelet.skip());
      const after = await renewals();
      await Promise.all(kubelets.map((kubelet) => kubelet.kill()));
      for (const [index, { name }] of nodes.entries()) {
        const { fencingToken } = created[index]!;
        expect(renewed[index]).toMatchObject({ state: 'HELD', fencingToken });
        expect(renewed[index]!.renewTime!.getTime()).toBeGreaterThan(created[index]!.renewTime!.getTime());
        expect(after[index]).toMatchObject({ state: 'HELD', fencingToken });
        expect(after[index]!.renewTime!.getTime()).toBeGreaterThan(renewed[index]!.renewTime!.getTime());

        const expired = await watcher.until(({ type, lease }) => type === 'EXPIRED' && lease.name === name);
        expect(expired).toMatchObject({ holder: name, fencingToken });
      }
    },
  );

  test.concurrent.for(combinations)(
    'electors lead one at a time, hand over, and take over from the dead: version $version, $bodies',
    { timeout },
    async ({ version, bodies }, context) => {
      const { expect } = context;
      // In strict mode, too, who runs an election in order is not hindered.
      const world = bodies === 'json' ? strict : relaxed;
      const [namespace, name] = [`election-${bodies}`, `v${version}`];
      const lockFile = join(world.home.directory, `${name}-${bodies}.lock`);
      const watcher = await world.watch({ namespace, name });
      const electors: ClientProgram[] = [];
      const campaign = (identity: string): ClientProgram => {
        const elector = start(context, world, { version, bodies, args: ['elector', namespace, name, identity, lockFile] });
        electors.push(elector);
        return elector;
      };
      const first = campaign('first');
      await first.next('leading');
      const second = campaign('second');
      await second.next('leader', ({ identity }) => identity === 'first');
      const ofFirst = await world.grpc.get(name, { namespace });
      expect(ofFirst).toMatchObject({ holder: 'first', state: 'HELD', durationMs: 5000 });

      // A release hands over.
      expect(await first.stop()).toBe(0);
      await second.next('leading');
      const ofSecond = await world.grpc.get(name, { namespace });
      expect(ofSecond).toMatchObject({ holder: 'second', state: 'HELD' });

      // The dead are waited for.
      const third = campaign('third');
      await third.next('leader', ({ identity }) => identity === 'second');
      await second.kill();
      await third.next('leading');
      const ofThird = await world.grpc.get(name, { namespace });
      expect(ofThird).toMatchObject({ holder: 'third', state: 'HELD' });

      // When nobody is left, the server says so by its own clock.
      await third.kill();
      const expired = await watcher.until(({ type, lease }) => type === 'EXPIRED' && lease.holder === 'third');
      expect(expired.fencingToken).toBe(ofThird.fencingToken);
      expect(electors.flatMap(({ events }) => events.filter(({ event }) => event === 'overlap'))).toEqual([]);
      const grants = watcher.events.filter(({ type }) => type === 'ACQUIRED').map(({ lease }) => lease);
      expect(grants.map(({ holder }) => holder)).toEqual(['first', 'second', 'third']);
      expect(grants.map(({ fencingToken }) => fencingToken)).toEqual(
        [ofFirst, ofSecond, ofThird].map(({ fencingToken }) => fencingToken),
      );
      expect(ofSecond.fencingToken).toBeGreaterThan(ofFirst.fencingToken);
      expect(ofThird.fencingToken).toBeGreaterThan(ofSecond.fencingToken);
      expect(watcher.events.map(({ type }) => type)).toContain('RELEASED');
    },
  );
});

/** Starts one of the clients. */
function start(
  context: TestContext,
  { home }: World,
  { version, bodies = 'protobuf', args }: { version: Version; bodies?: Bodies; args: readonly string[] },
): ClientProgram {
  const environment = home.environment({ BODIES: bodies });
  return killedAtEnd(context, new ClientProgram(programOf(version, 'clients'), args, environment));
}

function killedAtEnd({ onTestFinished }: TestContext, program: ClientProgram): ClientProgram {
  onTestFinished(() => program.kill());
  return program;
}
