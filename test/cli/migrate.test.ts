import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { LeaseRecord, Store } from '@leasehold/core';
import { migrate as migrateCommand } from '@leasehold/server';
import { createClient, WatchExpiredError, type Client } from '@leasehold/sdk';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openEtcdStore } from '../../server/dist/store/etcd/index.js';
import { openSqliteStore } from '../../server/dist/store/sqlite/index.js';
import { markUnfinished } from '../../server/dist/store/unfinished.js';
import { create, grant, newRecord, recordOf, remove, update } from '../store/changes.js';
import { loaded } from '../store/contract.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';
import { ServerProcess, temporaryDirectory } from '../support/server-process.js';

const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));

/** Where a store is, or is to be. */
interface Place {
  /** As `--store`, `--from` and `--to` have it. */
  readonly text: string;
  /** What else the commands need to find it. */
  readonly flags: readonly string[];
  open(wallMs?: () => number): Promise<Store>;
}

describe('leasehold migrate, SQLite to SQLite', () => {
  behaves(() => Promise.all([sqlitePlace(), sqlitePlace()]));

  it('does not make a file that it is to read', async () => {
    const [from, to] = await Promise.all([sqlitePlace(), sqlitePlace()]);
    await expect(migrate(from, to)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no such file') as string,
    });
    expect(existsSync(fileOf(from))).toBe(false);
    expect(existsSync(fileOf(to))).toBe(false);
  });

  it.each([
    [[], 'Invalid --from: must be sqlite:PATH, etcd:URL,URL or memory:, got none'],
    [['--to', 'sqlite:b'], 'Invalid --from: must be sqlite:PATH, etcd:URL,URL or memory:, got none'],
    [
      ['--from', 'sqlite:x/a', '--to', 'sqlite:x/../x/a'],
      'Invalid --to: must be another store than --from, got "sqlite:x/../x/a"',
    ],
    [['--from', 'sqlite:a', '--to', 'memory:'], 'Invalid --to: must be a store that outlives its server, got "memory:"'],
    [['--from', 'sqlite:a', '--to', 'sqlite:a'], 'Invalid --to: must be another store than --from'],
    [['--from', 'sqlite:a', '--to', 'etcd:x'], 'Invalid --to: must name members of etcd'],
    [['--from', 'sqlite:a', '--to', 'sqlite:b', '--etcd-prefix', 'x'], 'Invalid --etcd-prefix: must begin and end with a slash'],
    [['--wat'], `Unknown option '--wat'`],
    [['more'], `Unexpected argument 'more'`],
  ])('%j is refused', async (args, message) => {
    await expect(run(...args)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message) as string,
    });
  });

  it('has help', async () => {
    expect(await run('--help')).toMatch(/^Usage: leasehold migrate --from STORE --to STORE \[options\]\n/);
  });
});

describe.skipIf(withoutEtcd !== '')(`leasehold migrate, with etcd${withoutEtcd}`, { timeout: 120_000 }, () => {
  let etcd: EtcdProcess;
  let places = 0;

  beforeAll(async () => {
    etcd = await EtcdProcess.start();
  });

  afterAll(() => etcd.dispose());

  const etcdPlace = (): Place => {
    places += 1;
    const prefix = `/place-${places}/`;
    const endpoints = [etcd.endpoint];
    return {
      text: `etcd:${etcd.endpoint}`,
      flags: ['--etcd-prefix', prefix],
      open: (wallMs = Date.now) => openEtcdStore({ endpoints, prefix, clock: { ...systemClock, wallMs } }),
    };
  };

  describe('from SQLite', () => {
    behaves(async () => [await sqlitePlace(), etcdPlace()]);
  });

  describe('to SQLite', () => {
    behaves(async () => [etcdPlace(), await sqlitePlace()]);
  });

  it('there and back again leaves every lease as it was', async () => {
    const [first, second, third] = [await sqlitePlace(), etcdPlace(), await sqlitePlace()];
    const before = await fill(first);
    await migrate(first, second);
    await migrate(second, third);
    expect(await withoutVersions(third)).toEqual(comparable(before.records));
  });

  it('can be repeated when it was killed half-way', async () => {
    const [from, to] = [await sqlitePlace(), etcdPlace()];
    const leases = Array.from({ length: 10_000 }, (_, index) => create(`lease-${index}`));
    const store = await from.open();
    for (let at = 0; at < leases.length; at += 5000) await store.commit(leases.slice(at, at + 5000));
    await store.close();
    const child = spawn(process.execPath, [main, 'migrate', ...between(from, to)], { stdio: 'ignore', env: environment });
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const [, prefix = ''] = to.flags;
    const client = etcd.client();
    const range = { key: Buffer.from(prefix), range_end: Buffer.from(`${prefix.slice(0, -1)}0`), limit: 100, keys_only: true };
    await expect.poll(async () => (await client.call('Range', range)).kvs.length, { timeout: 60_000, interval: 5 }).toBe(100);
    client.close();
    child.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
    await refusesToServe(to);
    const args = ['migrate', ...between(from, to)];
    const again = promisify(execFile)(process.execPath, [main, ...args], { timeout: 60_000, env: environment });
    expect((await again).stdout).toContain('Copied 10000 leases');
    expect(await withoutVersions(to)).toHaveLength(10_000);
  });
});

/** What holds from any store to any other. */
function behaves(newPlaces: () => Promise<readonly [Place, Place]>): void {
  it('copies leases of every kind, with all their fields, and goes on above every revision and token', async () => {
    const [from, to] = await newPlaces();
    const before = await fill(from);
    expect(await migrate(from, to)).toBe(
      `Copied ${before.records.length} leases from ${from.text} to ${to.text}. Start servers on the new store only, and put the old one away.\n`,
    );
    expect(await withoutVersions(to)).toEqual(comparable(before.records));
    const target = await opened(to);
    const after = await loaded(target);
    const versions = [...after.records.values()].map(({ resourceVersion }) => resourceVersion);
    expect(versions.filter((version) => version <= before.revision)).toEqual([]);
    const [granted] = await target.commit([grant(after.records.get('default/free')!, 'next')]);
    expect(recordOf(granted).fencingToken).toBeGreaterThan(before.revision);
    expect(await target.history(before.revision, 1)).toMatchObject({ kind: 'compacted' });
    // The source is as it was.
    expect(await contentOf(from)).toEqual(before);
  });

  it('leaves a holder its lease and its token, and tells a watch from before that it has to begin anew', async () => {
    const [from, to] = await newPlaces();
    const first = await serve(from);
    const [client] = clientsOf(first);
    const held = await client.acquire('held', { durationMs: 60_000, holder: 'alice' });
    const token = held.granted!.fencingToken;
    const { resourceVersion } = await client.update('held', { annotations: { address: '10.0.0.7:80' } });
    await client.close({ release: false });
    await first.stop();
    await migrate(from, to);

    const [next, http] = clientsOf(await serve(to));
    expect(await next.get('held')).toMatchObject({
      holder: 'alice',
      fencingToken: token,
      annotations: { address: '10.0.0.7:80' },
    });
    await next.renew('held', { fencingToken: token, holder: 'alice' });
    expect((await next.acquire('held', { holder: 'bob' })).busy).toMatchObject({ holder: 'alice' });
    await next.release('held', { fencingToken: token });
    expect((await next.acquire('held', { holder: 'bob' })).granted!.fencingToken).toBeGreaterThan(resourceVersion);
    const resumed = next.watch({ fromRevision: resourceVersion });
    await expect(resumed[Symbol.asyncIterator]().next()).rejects.toThrow(WatchExpiredError);
    const path = `/apis/coordination.k8s.io/v1/leases?watch=1&resourceVersion=${resourceVersion}`;
    const answer = await fetch(`http://${http}${path}`);
    expect(`${answer.status} ${await firstLine(answer)}`).toContain('"code":410');
  });

  it('refuses a source or a target that a server has open', async () => {
    const [from, to] = await newPlaces();
    await fill(from);
    const serving = await serve(to);
    await expect(migrate(from, to)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(inUse) as string });
    await serving.stop();
    const source = await serve(from);
    await expect(migrate(from, to)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(inUse) as string });
    await source.stop();
    expect(await contentOf(to)).toMatchObject({ records: [] });
  });

  it('refuses a target that is not empty or has been used, and changes nothing', async () => {
    const [from, to] = await newPlaces();
    await fill(from);
    const target = await to.open();
    const [made] = await target.commit([create('here')]);
    await target.close();
    const before = await contentOf(to);
    await expect(migrate(from, to)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `${to.text} is not empty: it holds default/here. Name a store that is not there yet`,
      ) as string,
    });
    expect(await contentOf(to)).toEqual(before);
    const again = await to.open();
    await loaded(again);
    await again.commit([remove(recordOf(made))]);
    await again.close();
    await expect(migrate(from, to)).rejects.toMatchObject({
      stderr: expect.stringContaining('holds no leases, but their history: it has been used') as string,
    });
  });

  it('refuses a target that was made before the last change of the source', async () => {
    const [from, to] = await newPlaces();
    const hourAgoMs = Date.now() - 3_600_000;
    await (await to.open(() => hourAgoMs)).close();
    await fill(from);
    await expect(migrate(from, to)).rejects.toMatchObject({
      stderr: expect.stringMatching(/was made at revision \d+, which is not above \d+, the last one of the source/) as string,
    });
    expect(await contentOf(to)).toMatchObject({ records: [] });
  });

  it('begins above a source that is ahead of the clock', async () => {
    const [from, to] = await newPlaces();
    const tomorrowMs = Date.now() + 86_400_000;
    const before = await fill(from, () => tomorrowMs);
    await migrate(from, to);
    const { records } = await contentOf(to);
    expect(records.map(({ resourceVersion }) => resourceVersion > before.revision)).not.toContain(false);
  });

  it('lets no server start on what it has left half-way, and fills it anew', async () => {
    const [from, to] = await newPlaces();
    const before = await fill(from);
    const begun = await to.open();
    await begun.commit([markUnfinished]);
    await begun.commit([create('held', { holder: 'a part of it' }), create('long-gone')]);
    await begun.close();
    await refusesToServe(to);
    expect(await migrate(from, to)).toContain(`Copied ${before.records.length} leases`);
    expect(await withoutVersions(to)).toEqual(comparable(before.records));
    expect(await (await serve(to)).stop()).toBe(0);
  });
}

/** How a store says that it is in use: a file at once, etcd once it has waited for a server that may have ended. */
const inUse = /another server has it open\. Stop that server first|is in use: stop every server on it first/;

/** Leases of every kind. */
async function fill(place: Place, wallMs?: () => number): Promise<Content> {
  const store = await place.open(wallMs);
  const kubernetes = {
    spec: { holderIdentity: 'kubelet', leaseDurationSeconds: 40, renewTime: '2026-11-21T10:00:00.000001Z', leaseTransitions: 2 },
    generateName: 'node-',
    generation: 3,
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }],
    finalizers: ['example.com/stay'],
    managedFields: [{ manager: 'kubelet', operation: 'Update', fieldsV1: { 'f:spec': { 'f:renewTime': {} } } }],
    deletionTimeMs: 1_790_000_000_000,
  };
  const past = { lastHolder: 'erin', transitions: 4, acquireTimeMs: 1, renewTimeMs: 2, endTimeMs: 3 };
  const committed = await store.commit([
    create('free'),
    grant(
      newRecord('held', { acquireId: 'attempt-1', lockDelayMs: 2000, labels: { app: 'foo' }, annotations: { a: 'ü\n' } }),
      'alice',
    ),
    create('expired', { ...past, state: 'EXPIRED', holder: 'erin', delayed: true, keepAfterExpiryMs: 1000, durationMs: 100.5 }),
    grant(newRecord('revoking', { revoking: { graceMs: 500, transferTo: 'bob' } }), 'alice'),
    create('reserved', { ...past, reservedMs: 15_000 }),
    grant(newRecord('node', { namespace: 'kube-node-lease', origin: 'kubernetes', kubernetes }), 'kubelet'),
  ]);
  // A token of before the record's last change.
  await store.commit([update(recordOf(committed[1]), { renewals: 7, renewTimeMs: 1_790_000_001_000 })]);
  await store.close();
  return contentOf(place);
}

interface Content {
  readonly records: readonly LeaseRecord[];
  readonly revision: bigint;
}

async function contentOf(place: Place): Promise<Content> {
  const store = await place.open();
  try {
    const { records, revision } = await loaded(store);
    const keyOf = ({ namespace, name }: LeaseRecord): string => `${namespace}/${name}`;
    return { records: [...records.values()].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1)), revision };
  } finally {
    await store.close();
  }
}

/** Records without the one field that changes. */
function comparable(records: readonly LeaseRecord[]): object[] {
  return records.map(({ resourceVersion: _, ...record }) => record);
}

async function withoutVersions(place: Place): Promise<object[]> {
  return comparable((await contentOf(place)).records);
}

/** A store that is open until the test ends. */
async function opened(place: Place): Promise<Store> {
  const store = await place.open();
  onTestFinished(() => store.close());
  return store;
}

async function sqlitePlace(): Promise<Place> {
  const file = join(await temporaryDirectory(), 'leases.db');
  return { text: `sqlite:${file}`, flags: [], open: (wallMs = Date.now) => openSqliteStore({ file, wallMs }) };
}

function fileOf({ text }: Place): string {
  return text.slice('sqlite:'.length);
}

const environment = { PATH: process.env['PATH'] };

/** Runs the command, in this process. Rejects with the exit code and what it complains of. */
async function run(...args: string[]): Promise<string> {
  let [stdout, stderr] = ['', ''];
  const code = await migrateCommand(args, {
    env: {},
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  if (code !== 0) throw Object.assign(new Error(stderr), { code, stderr });
  return stdout;
}

function between(from: Place, to: Place): string[] {
  return ['--from', from.text, '--to', to.text, ...from.flags, ...to.flags];
}

function migrate(from: Place, to: Place): Promise<string> {
  return run(...between(from, to));
}

function serve({ text, flags }: Place): Promise<ServerProcess> {
  return ServerProcess.start({ store: text, args: [...flags, '--http-listen', '127.0.0.1:0'] });
}

async function refusesToServe({ text, flags }: Place): Promise<void> {
  const args = ['serve', '--store', text, ...flags, '--listen', '127.0.0.1:0', '--http-listen', 'off', '--identity-lease', 'off'];
  const outcome = new Promise<string>((resolve) => {
    execFile(process.execPath, [main, ...args], { timeout: 30_000, env: environment }, (error, stdout) => {
      resolve(`${String(error?.code)} ${stdout}`);
    });
  });
  expect(await outcome).toMatch(/^1 .*holds only a part of its leases: a migration into it was not finished/s);
}

function clientsOf({ address, httpAddress }: ServerProcess): [Client, string] {
  const client = createClient({ endpoints: [address] });
  onTestFinished(() => client.close());
  return [client, httpAddress];
}

/** What a watch says first; then it is left. */
async function firstLine(answer: Response): Promise<string> {
  const reader = answer.body!.getReader();
  const { value } = (await reader.read()) as { readonly value?: Uint8Array };
  await reader.cancel();
  return Buffer.from(value ?? []).toString();
}
