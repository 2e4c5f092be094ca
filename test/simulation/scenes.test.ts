import type { Answer } from '@leasehold/core';
import { expect, it } from 'vitest';
import { acquire, create } from '../core/world.js';
import { calmEtcd } from '../support/fake-etcd.js';
import { durationMs, Scene } from './scene.js';
import { ttlMs } from './ttl.js';

/** What random runs try too rarely: scenes, each for one rule, without which it fails (`removed-rules.ts`). */

it('a beat that was acknowledged counts, although the renewals of the session come back late, and then no more', async () => {
  const scene = await Scene.begin();
  const { A, B } = scene;
  const alice = await scene.attach(A, 'alice', await scene.grant(A, 'alice'));
  const bob = await scene.wait(B, 'bob');
  A.link.weather = { ...calmEtcd, lagMs: 950 };
  await scene.renewal(A);
  await scene.pass(10);
  A.link.weather = { ...A.link.weather, loss: 1 };
  await alice.beatFor(2 * ttlMs);
  expect(await scene.granted(bob)).toBeGreaterThanOrEqual(alice.heldUntilMs);
});

it('a beat that was acknowledged counts, although the server does not hear that its holder was elsewhere meanwhile', async () => {
  const scene = await Scene.begin();
  const { A, B } = scene;
  const token = await scene.grant(A, 'alice');
  const alice = await scene.attach(A, 'alice', token);
  const bob = await scene.wait(B, 'bob');
  A.link.stall();
  await scene.attach(B, 'alice', token);
  await alice.beatFor(3 * ttlMs);
  expect(await scene.granted(bob)).toBeGreaterThanOrEqual(alice.heldUntilMs);
});

it('a server is not taken for gone by one that has not heard of its renewals', async () => {
  const scene = await Scene.begin();
  const { A, B, C } = scene;
  const alice = await scene.attach(A, 'alice', await scene.grant(A, 'alice'));
  const bob = await scene.wait(C, 'bob');
  await scene.renewal(A);
  // The session of B lasts longer than it takes to miss A.
  await scene.renewal(B);
  await scene.pass(20);
  B.link.stall();
  await alice.beatFor(2400);
  A.link.stall();
  await alice.beatFor(2 * ttlMs);
  expect(await scene.granted(bob)).toBeGreaterThanOrEqual(alice.heldUntilMs);
});

it('an attach that another one has overtaken, before it is answered, is made again', async () => {
  const scene = await Scene.begin();
  const { A, B, C } = scene;
  const token = await scene.grant(C, 'alice');
  const bob = await scene.wait(B, 'bob');
  // The answer is lost, and the watch tells of both at once.
  scene.atCommit(() => {
    A.link.weather = { ...calmEtcd, loss: 1 };
    A.link.stall();
  });
  const attaching = scene.attaching(A, 'alice', token);
  await scene.pass(50);
  await scene.attach(B, 'alice', token);
  A.link.weather = calmEtcd;
  A.link.restore();
  const alice = await scene.answer(attaching);
  await alice.beatFor(ttlMs + 2 * durationMs);
  expect(await scene.granted(bob)).toBeGreaterThanOrEqual(alice.heldUntilMs);
});

it('a server grants nothing on what it knows when it has missed something', async () => {
  const scene = await Scene.begin();
  const { A, B, etcd } = scene;
  B.link.stall();
  await scene.grant(A, 'alice');
  await scene.renewal(A);
  etcd.call('Compact', { revision: String(etcd.revision) });
  B.link.restore();
  await scene.pass(1000);
  await scene.submit(A, { ...create(), name: 'another' });
  await scene.pass(50);
  expect(await scene.submit(B, acquire('bob', { acquireId: 'bob' }))).toMatchObject({ kind: 'busy', busy: { holder: 'alice' } });
});

it('a server that leaves says nothing of the time left of leases that others go on keeping', async () => {
  const scene = await Scene.begin();
  const { A, B, C } = scene;
  const alice = await scene.attach(A, 'alice', await scene.grant(A, 'alice'));
  const bob = await scene.wait(C, 'bob');
  await alice.beatFor(durationMs - 1000);
  B.stop();
  await alice.beatFor(500);
  // It opens its store again, and takes what has been left for it.
  A.link.cut('refusing');
  await alice.beatFor(ttlMs + 500);
  A.link.restore();
  expect(await scene.granted(bob)).toBeGreaterThanOrEqual(alice.heldUntilMs);
});

it('what a server has left behind does not count once another one, of which it had not heard, has kept the lease', async () => {
  const scene = await Scene.begin();
  const { A, B, C } = scene;
  C.stop();
  A.kill();
  await scene.pass(2 * ttlMs);
  const token = await scene.grant(B, 'alice');
  await scene.pass(durationMs - 1000);
  B.link.weather = { ...calmEtcd, lagMs: 500 };
  A.start();
  await scene.pass(100);
  B.stop();
  await scene.pass(100);
  const alice = await scene.attach(A, 'alice', token);
  // It opens its store again, and takes what has been left for it.
  A.link.cut('refusing');
  await alice.beatFor(ttlMs + 500);
  A.link.restore();
  await scene.until(() => A.coordinator !== undefined);
  const bob = await scene.wait(A, 'bob');
  expect(await scene.granted(bob)).toBeGreaterThanOrEqual(alice.heldUntilMs);
});

it('a command whose commit was answered by nobody is not refused for what it has done itself', async () => {
  const scene = await Scene.begin();
  const { A } = scene;
  scene.atCommit(() => {
    A.link.weather = { ...calmEtcd, loss: 1 };
    A.link.stall();
  });
  const created = A.coordinator?.submit(create()).catch((error: unknown) => error);
  await scene.pass(100);
  A.link.weather = calmEtcd;
  // By then it has given up waiting for the answer, and sends the same again.
  await scene.pass(1600);
  A.link.restore();
  await scene.pass(100);
  expect(await created).toMatchObject({ kind: 'written' });
});

it('a server that hears of its own commit and of the next one at once knows both, in their order', async () => {
  const scene = await Scene.begin();
  const { A, B } = scene;
  scene.atCommit(() => {
    A.link.weather = { ...calmEtcd, loss: 1 };
    A.link.stall();
  });
  const created = A.coordinator?.submit(create());
  await scene.pass(50);
  await scene.submit(B, { ...create(), name: 'another' });
  A.link.weather = calmEtcd;
  A.link.restore();
  await scene.pass(100);
  expect(await created).toMatchObject({ kind: 'written' });
  const answers: Answer[] = [];
  void A.coordinator?.submit({ ...create(), name: 'third' }).then((answer) => answers.push(answer));
  await scene.pass(1000);
  expect(answers).toMatchObject([{ kind: 'written' }]);
});

it('a server that starts, and has missed what nobody can tell it any more, starts again', async () => {
  const scene = await Scene.begin();
  const { A, C, etcd } = scene;
  C.kill();
  await scene.pass(2 * ttlMs);
  C.start();
  await scene.pass(10);
  C.link.stall();
  await scene.grant(A, 'alice');
  await scene.renewal(A);
  etcd.call('Compact', { revision: String(etcd.revision) });
  C.link.restore();
  await scene.pass(3 * ttlMs);
  expect(C.coordinator).toBeDefined();
  expect(await scene.submit(C, acquire('bob', { acquireId: 'bob' }))).toMatchObject({ kind: 'busy', busy: { holder: 'alice' } });
});

it('a server that was held up for most of its session, but not all of it, keeps it', async () => {
  const scene = await Scene.begin();
  const { A } = scene;
  const coordinator = A.coordinator;
  await scene.renewal(A);
  A.process?.clock.pause();
  await scene.pass(0.8 * ttlMs);
  A.process?.clock.resume();
  await scene.pass(ttlMs);
  expect(A.coordinator).toBe(coordinator);
});
