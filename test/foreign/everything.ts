import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ForeignError, milliseconds, type ForeignClient, type ForeignStream, type Message } from './client.js';
import { ServerProcess } from '../support/server-process.js';

const namespace = 'foreign';
const code = { INVALID_ARGUMENT: 3, NOT_FOUND: 5, ALREADY_EXISTS: 6, FAILED_PRECONDITION: 9, ABORTED: 10, OUT_OF_RANGE: 11 };

/** Everything that the SDK does, done by a client that nobody here wrote. */
export function describeEverything(connect: (address: string) => ForeignClient): void {
  let server: ServerProcess;
  let client: ForeignClient;

  beforeAll(async () => {
    server = await ServerProcess.launch();
    client = connect(server.address);
  });

  afterAll(async () => {
    // The server first: it is there even if the client could not be made.
    await server.stop();
    await client.close();
  });

  const acquire = (name: string, holder: string, more: Message = {}): Promise<Message> =>
    client.call('Acquire', { namespace, name, holder, duration: client.duration(30_000), ...more });

  /** Acquires a lease that is free, and returns it. */
  const grant = async (name: string, holder = 'a', more: Message = {}): Promise<Lease> =>
    lease((await acquire(name, holder, more))['granted']);

  describe('a tenure', () => {
    it('begins with an acquire, and others are told who holds the lease', async () => {
      const granted = await grant('tenure', 'a', { labels: { app: 'x' }, annotations: { address: 'here' } });
      expect(granted).toMatchObject({
        holder: 'a',
        state: 'LEASE_STATE_HELD',
        labels: { app: 'x' },
        annotations: { address: 'here' },
      });
      expect(BigInt(granted.fencingToken)).toBeGreaterThan(0n);
      expect(milliseconds(granted.remaining)).toBeGreaterThan(25_000);

      const refused = await acquire('tenure', 'b');
      expect(refused['busy']).toMatchObject({ holder: 'a', fencingToken: granted.fencingToken });
    });

    it('goes on for a repeat of its acquire, with the same token', async () => {
      const first = await grant('repeat', 'a', { acquireId: 'once' });
      const second = await grant('repeat', 'a', { acquireId: 'once' });
      expect(second.fencingToken).toBe(first.fencingToken);
    });

    it('is renewed', async () => {
      const { fencingToken, resourceVersion } = await grant('renew');
      const answer = await client.call('Renew', { namespace, name: 'renew', holder: 'a', fencingToken });
      expect(milliseconds(answer['duration'])).toBe(30_000);
      expect(milliseconds(answer['remaining'])).toBeGreaterThan(25_000);
      expect(BigInt(String(answer['resourceVersion']))).toBeGreaterThan(BigInt(resourceVersion));
    });

    it('is renewed in a batch, each lease with an answer of its own', async () => {
      const { fencingToken } = await grant('batch');
      const { results } = (await client.call('RenewBatch', {
        renewals: [
          { namespace, name: 'batch', holder: 'a', fencingToken },
          { namespace, name: 'batch', holder: 'a', fencingToken: '1' },
          { namespace, name: 'absent', holder: 'a', fencingToken },
        ],
      })) as { results: Message[] };
      expect(results).toHaveLength(3);
      expect(results[0]?.['renewed']).toBeDefined();
      expect(results[1]).toMatchObject({ refused: { code: code.FAILED_PRECONDITION } });
      expect(results[2]).toMatchObject({ refused: { code: code.NOT_FOUND } });
    });

    it('is validated by its token', async () => {
      const { fencingToken } = await grant('validate');
      const live = await client.call('Validate', { namespace, name: 'validate', fencingToken });
      expect(live).toMatchObject({ valid: true, lease: { holder: 'a' } });
      const stale = await client.call('Validate', { namespace, name: 'validate', fencingToken: '1' });
      expect(stale['valid'] ?? false).toBe(false);
    });

    it('ends with a release, which may be repeated', async () => {
      const { fencingToken } = await grant('release');
      const first = await client.call('Release', { namespace, name: 'release', fencingToken });
      expect(first).toMatchObject({ lease: { state: 'LEASE_STATE_AVAILABLE' } });
      expect(first['alreadyReleased'] ?? false).toBe(false);
      const second = await client.call('Release', { namespace, name: 'release', fencingToken });
      expect(second).toMatchObject({ alreadyReleased: true });
    });

    it('passes to who waits in the queue, with a higher token', async () => {
      const { fencingToken } = await grant('queue');
      const waiting = acquire('queue', 'b', { wait: client.duration(20_000) });
      await untilWaiting('queue', fencingToken, 'b');
      const granted = lease((await waiting)['granted']);
      expect(granted).toMatchObject({ holder: 'b', transitions: '1' });
      expect(BigInt(granted.fencingToken)).toBeGreaterThan(BigInt(fencingToken));
    });

    it('outlasts a wait that runs out', async () => {
      await grant('patience');
      const answer = await acquire('patience', 'b', { wait: client.duration(200) });
      expect(answer['busy']).toMatchObject({ holder: 'a', timedOut: true });
    });

    it('is ended by a revoke', async () => {
      const { fencingToken } = await grant('revoke');
      const answer = await client.call('Revoke', { namespace, name: 'revoke', fencingToken, force: true });
      expect(answer).toMatchObject({ lease: { state: 'LEASE_STATE_AVAILABLE' } });
      const again = await refusal(client.call('Renew', { namespace, name: 'revoke', holder: 'a', fencingToken }));
      expect(again.code).toBe(code.FAILED_PRECONDITION);
    });

    /** Hands the lease to a waiter by name, as soon as that waits. */
    async function untilWaiting(name: string, fencingToken: string, transferTo: string): Promise<void> {
      for (;;) {
        try {
          await client.call('Release', { namespace, name, fencingToken, transferTo });
          return;
        } catch (error) {
          expect(error).toMatchObject({ details: { ErrorInfo: { reason: 'NOT_WAITING' } } });
        }
      }
    }
  });

  describe('records', () => {
    it('are created, read, updated and deleted', async () => {
      const created = lease((await client.call('Create', { namespace, name: 'record', labels: { a: '1', b: '2' } }))['lease']);
      expect(created).toMatchObject({ name: 'record', state: 'LEASE_STATE_AVAILABLE', labels: { a: '1', b: '2' } });

      const { resourceVersion } = created;
      const change = { labels: { c: '3' }, removeLabels: ['a'], annotations: { note: 'ü' } };
      const updated = lease((await client.call('Update', { namespace, name: 'record', resourceVersion, ...change }))['lease']);
      expect(updated).toMatchObject({ labels: { b: '2', c: '3' }, annotations: { note: 'ü' } });

      const { lease: read, revision } = await client.call('Get', { namespace, name: 'record' });
      expect(lease(read)).toEqual(updated);
      expect(BigInt(String(revision))).toBeGreaterThanOrEqual(BigInt(updated.resourceVersion));

      await client.call('Delete', { namespace, name: 'record', resourceVersion: updated.resourceVersion });
      const gone = await refusal(client.call('Get', { namespace, name: 'record' }));
      expect(gone.code).toBe(code.NOT_FOUND);
    });

    it('are listed by label, page after page', async () => {
      const names = ['list-1', 'list-2', 'list-3', 'list-4', 'list-5'];
      for (const name of names) {
        await client.call('Create', { namespace: 'pages', name, labels: { part: name === 'list-3' ? 'odd' : 'even' } });
      }
      const query = { namespace: 'pages', labelSelector: 'part=even', pageSize: 3 };
      const first = (await client.call('List', query)) as unknown as Page;
      expect(first.leases.map(({ name }) => name)).toEqual(['list-1', 'list-2', 'list-4']);
      const second = (await client.call('List', { ...query, pageToken: first.nextPageToken })) as unknown as Page;
      expect(second.leases.map(({ name }) => name)).toEqual(['list-5']);
      expect(second.nextPageToken ?? '').toBe('');
      expect(second.revision).toBe(first.revision);
    });
  });

  describe('a watch', () => {
    it('tells every change in order, and goes on where it was cut', async () => {
      const scope = { namespace: 'watched' };
      const watch = client.open('Watch', scope);
      const begin = await watch.next();
      expect(BigInt(String(begin['revision']))).toBeGreaterThan(0n);

      await client.call('Create', { ...scope, name: 'w' });
      const seen = await events(watch, 1);
      expect(seen).toMatchObject([{ type: 'EVENT_TYPE_CREATED', lease: { name: 'w' } }]);
      watch.cancel();

      const granted = await client.call('Acquire', { ...scope, name: 'w', holder: 'a', duration: client.duration(30_000) });
      await client.call('Release', { ...scope, name: 'w', fencingToken: lease(granted['granted']).fencingToken });
      const resumed = client.open('Watch', { ...scope, fromRevision: String(seen[0]?.['revision']) });
      const missed = await events(resumed, 2);
      expect(missed.map(({ type }) => type)).toEqual(['EVENT_TYPE_ACQUIRED', 'EVENT_TYPE_RELEASED']);
      resumed.cancel();
    });

    it('is refused a revision that is not kept', async () => {
      const watch = client.open('Watch', { namespace, fromRevision: '1' });
      const error = await refusal(untilEnd(watch));
      expect(error.code).toBe(code.OUT_OF_RANGE);
      expect(error.details['ErrorInfo']).toMatchObject({ reason: 'REVISION_COMPACTED', domain: 'leasehold' });
      expect(BigInt(String(error.details['LeaseErrorDetail']?.['oldestRevision']))).toBeGreaterThan(1n);
    });
  });

  describe('a stream of heartbeats', () => {
    it('attaches leases and says which it does not', async () => {
      const { fencingToken } = await grant('attach');
      const stream = client.open('Heartbeat');
      const to = { namespace, name: 'attach', holder: 'a' };
      stream.send({
        sequence: '1',
        attach: [
          { ...to, fencingToken },
          { ...to, fencingToken: '1' },
        ],
      });
      const { attached } = await collect(stream, ({ attached }) => attached.length === 2);
      expect(attached[0]?.['handle']).toBeDefined();
      expect(attached[1]).toMatchObject({ index: 1, refused: { code: code.FAILED_PRECONDITION } });
      stream.cancel();
    });

    it('has its beats acknowledged, save those of leases it does not have', async () => {
      const { stream, handle } = await attach('beat');
      stream.send({ sequence: '2', handles: [handle] });
      stream.send({ sequence: '3', all: true });
      stream.send({ sequence: '4', handles: [handle, 4711] });
      const { excepted } = await collect(stream, ({ acknowledged }) => acknowledged >= 4n);
      expect(excepted).toMatchObject([{ handle: 4711, refusal: 'HEARTBEAT_REFUSAL_NOT_ATTACHED' }]);
      stream.cancel();
    });

    it('keeps a lease beyond its duration', async () => {
      const { stream, handle } = await attach('kept', 1000);
      const end = Date.now() + 2000;
      for (let sequence = 2; Date.now() < end; sequence++) {
        stream.send({ sequence: String(sequence), handles: [handle] });
        await collect(stream, ({ acknowledged }) => acknowledged >= BigInt(sequence));
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const { lease: kept } = await client.call('Get', { namespace, name: 'kept' });
      expect(kept).toMatchObject({ state: 'LEASE_STATE_HELD', holder: 'a' });
      stream.cancel();
    });

    it('is told of a loss unasked', async () => {
      const { stream, handle, fencingToken } = await attach('lost');
      await client.call('Revoke', { namespace, name: 'lost', fencingToken, force: true });
      const { lost } = await collect(stream, ({ lost }) => lost.length > 0);
      expect(lost).toMatchObject([{ handle, reason: 'HEARTBEAT_LOSS_REASON_REVOKED' }]);
      stream.cancel();
    });

    /** A lease on a stream of its own. */
    async function attach(name: string, ms = 30_000): Promise<{ stream: ForeignStream; handle: number; fencingToken: string }> {
      const { fencingToken } = await grant(name, 'a', { duration: client.duration(ms) });
      const stream = client.open('Heartbeat');
      stream.send({ sequence: '1', attach: [{ namespace, name, holder: 'a', fencingToken }] });
      const { attached } = await collect(stream, (heard) => heard.attached.length > 0);
      const { handle } = attached[0]?.['handle'] as { handle: number };
      return { stream, handle, fencingToken };
    }
  });

  describe('an error', () => {
    it('names the field, the rule and the value of bad input', async () => {
      const error = await refusal(acquire('Not A Name', 'a'));
      expect(error.code).toBe(code.INVALID_ARGUMENT);
      expect(error.message).toContain('Not A Name');
      expect(error.details['ErrorInfo']).toMatchObject({ reason: 'INVALID_FIELD', domain: 'leasehold' });
      expect(error.details['BadRequest']).toMatchObject({ fieldViolations: [{ field: 'name' }] });
    });

    it('tells a holder who was too late who holds the lease now', async () => {
      const { fencingToken } = await grant('late', 'a');
      await client.call('Release', { namespace, name: 'late', fencingToken });
      const next = await grant('late', 'b');
      const error = await refusal(client.call('Renew', { namespace, name: 'late', holder: 'a', fencingToken }));
      expect(error.code).toBe(code.FAILED_PRECONDITION);
      expect(error.details).toMatchObject({
        ErrorInfo: { reason: 'LEASE_LOST', domain: 'leasehold' },
        LeaseErrorDetail: { name: 'late', holder: 'b', fencingToken: next.fencingToken },
      });
    });

    it('has a status of its own for each kind of refusal', async () => {
      const { uid, resourceVersion } = lease((await client.call('Create', { namespace, name: 'kinds' }))['lease']);
      await client.call('Update', { namespace, name: 'kinds', labels: { a: 'b' } });
      const exists = await refusal(client.call('Create', { namespace, name: 'kinds' }));
      const stale = await refusal(client.call('Update', { namespace, name: 'kinds', resourceVersion, labels: { a: 'c' } }));
      expect([exists.code, stale.code]).toEqual([code.ALREADY_EXISTS, code.ABORTED]);
      await client.call('Delete', { namespace, name: 'kinds', uid });
    });
  });
}

interface Lease {
  readonly name: string;
  readonly uid: string;
  readonly fencingToken: string;
  readonly resourceVersion: string;
  readonly remaining: unknown;
}

interface Page {
  readonly leases: readonly Lease[];
  readonly nextPageToken?: string;
  readonly revision: string;
}

function lease(value: unknown): Lease {
  expect(value).toBeDefined();
  return value as Lease;
}

async function refusal(call: Promise<unknown>): Promise<ForeignError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ForeignError);
  return error as ForeignError;
}

async function untilEnd(stream: ForeignStream): Promise<never> {
  for (;;) {
    await stream.next();
  }
}

/** Reads a watch until it has told that many events. */
async function events(watch: ForeignStream, count: number): Promise<Message[]> {
  const seen: Message[] = [];
  while (seen.length < count) {
    const { events = [] } = (await watch.next()) as { events?: Message[] };
    seen.push(...events);
  }
  return seen;
}

/** What a stream of heartbeats has told. */
interface Heard {
  acknowledged: bigint;
  readonly attached: Message[];
  readonly excepted: Message[];
  readonly lost: Message[];
}

/** Reads a stream of heartbeats until enough was heard. */
async function collect(stream: ForeignStream, enough: (heard: Heard) => boolean): Promise<Heard> {
  const heard: Heard = { acknowledged: 0n, attached: [], excepted: [], lost: [] };
  while (!enough(heard)) {
    const message = (await stream.next()) as Partial<Record<'attached' | 'excepted' | 'lost', Message[]>> & {
      acknowledged?: string;
    };
    heard.acknowledged = BigInt(message.acknowledged ?? heard.acknowledged);
    heard.attached.push(...(message.attached ?? []));
    heard.excepted.push(...(message.excepted ?? []));
    heard.lost.push(...(message.lost ?? []));
  }
  return heard;
}
