import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseholdError, type Transport } from '@leasehold/sdk';
import { TestServer } from '@leasehold/sdk/testing';
import { expect, it, onTestFinished } from 'vitest';
import { settingsOf } from '../../../sdk/dist/options.js';
import { serve } from '../support/server.js';

/** A server behind one transport or the other. */
interface Side {
  readonly transport: Transport;
  /** Lets time pass. */
  readonly pass: (ms: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What was refused, without what differs from server to server. */
type Refusal = Record<string, unknown>;

const call = { timeoutMs: 5_000 };
const claim = { namespace: 'default', holder: 'me', acquireId: 'one', durationMs: 15_000, waitMs: 0, priority: 0 };
const anyDelete = { uid: '', fencingToken: 0n, resourceVersion: 0n, force: false };
const anyUpdate = { fencingToken: 0n, resourceVersion: 0n, removeLabels: [], removeAnnotations: [] };
const everything = { namespace: '', name: '', labelSelector: '', fromRevision: 0n, includeRenewals: false };

async function grant(transport: Transport, name: string, durationMs = 15_000) {
  const answer = await transport.acquire({ ...claim, name, durationMs }, call);
  if (answer.kind !== 'granted') throw new Error('busy');
  const { namespace, holder, fencingToken, uid, resourceVersion } = answer.lease;
  return { namespace, name, holder, fencingToken, uid, resourceVersion };
}

/** Everything that can be refused, in the words of its reason; each on names of its own. */
const refusals: Readonly<Record<string, (side: Side) => Promise<unknown>>> = {
  'a lease that does not exist': ({ transport }) => transport.get({ namespace: 'default', name: 'nope', cached: false }, call),
  'a name that breaks the rules': ({ transport }) => transport.get({ namespace: 'default', name: 'No!', cached: false }, call),
  'a namespace that breaks the rules': ({ transport }) => transport.create({ namespace: 'No!', name: 'x' }, call),
  'a duration that is too short': ({ transport }) => transport.acquire({ ...claim, name: 'x', durationMs: 98.2 }, call),
  'a wait that is too long': ({ transport }) => transport.acquire({ ...claim, name: 'x', waitMs: 1e9 }, call),
  'a holder without a name': ({ transport }) => transport.acquire({ ...claim, name: 'x', holder: '' }, call),
  'a label that breaks the rules': ({ transport }) =>
    transport.create({ namespace: 'default', name: 'x', labels: { 'a b': 'c' } }, call),
  'a lock delay that is too long': ({ transport }) =>
    transport.create({ namespace: 'default', name: 'x', lockDelayMs: 3_600_000.5 }, call),
  'a record that exists': async ({ transport }) => {
    await transport.create({ namespace: 'default', name: 'twice' }, call);
    return transport.create({ namespace: 'default', name: 'twice' }, call);
  },
  'a token that is lost': async ({ transport }) => {
    const lease = await grant(transport, 'lost');
    return transport.renew({ ...lease, fencingToken: lease.fencingToken - 1n }, call);
  },
  'a token that never was': async ({ transport }) => {
    const lease = await grant(transport, 'zero');
    return transport.renew({ ...lease, fencingToken: 0n }, call);
  },
  'a lease that has expired': async ({ transport, pass }) => {
    const lease = await grant(transport, 'expired', 100);
    await pass(500);
    return transport.renew(lease, call);
  },
  'a release of another tenure': async ({ transport }) => {
    const lease = await grant(transport, 'release');
    return transport.release({ ...lease, fencingToken: lease.fencingToken - 1n, transferTo: '' }, call);
  },
  'a transfer to nobody': async ({ transport }) => {
    return transport.release({ ...(await grant(transport, 'transfer')), transferTo: 'nobody' }, call);
  },
  'a revoke with grace and force': async ({ transport }) => {
    return transport.revoke({ ...(await grant(transport, 'force')), transferTo: '', graceMs: 1, force: true }, call);
  },
  'a renewal of what is revoked': async ({ transport }) => {
    const lease = await grant(transport, 'revoked');
    await transport.revoke({ ...lease, transferTo: '', graceMs: 0, force: false }, call);
    return transport.renew(lease, call);
  },
  'a version that is stale': async ({ transport }) => {
    const lease = await grant(transport, 'stale');
    await transport.update({ ...anyUpdate, ...lease, resourceVersion: 0n, annotations: { a: 'b' } }, call);
    return transport.update({ ...anyUpdate, ...lease, annotations: { a: 'c' } }, call);
  },
  'an update of another tenure': async ({ transport }) => {
    const lease = await grant(transport, 'update');
    return transport.update({ ...anyUpdate, ...lease, resourceVersion: 0n, fencingToken: lease.fencingToken - 1n }, call);
  },
  'a deletion that does not say what it means': async ({ transport }) => {
    const { namespace, name } = await grant(transport, 'delete');
    return transport.delete({ ...anyDelete, namespace, name }, call);
  },
  'a name that is reserved': async ({ transport }) => {
    const { namespace, name, uid } = await grant(transport, 'reserved');
    await transport.delete({ ...anyDelete, namespace, name, uid }, call);
    return transport.create({ namespace, name }, call);
  },
  'a request that was late': async ({ transport }) => {
    const lease = await grant(transport, 'late');
    await transport.release({ ...lease, transferTo: '' }, call);
    return transport.acquire({ ...claim, name: 'late' }, call);
  },
  'a wait that was replaced': async ({ transport, pass }) => {
    await grant(transport, 'replaced');
    const wait = { ...claim, name: 'replaced', holder: 'you', waitMs: 3_000 };
    const first = transport.acquire(wait, call);
    first.catch(() => undefined);
    await pass(100);
    void transport.acquire({ ...wait, waitMs: 1 }, call);
    return first;
  },
  'no renewals': ({ transport }) => transport.renewBatch([], call),
  'a renewal among others': async ({ transport }) => {
    const lease = await grant(transport, 'batch');
    const [first, second] = await transport.renewBatch([lease, { ...lease, name: 'no-batch' }], call);
    expect(first?.error).toBeUndefined();
    throw second!.error!;
  },
  'a validation of nothing': ({ transport }) =>
    transport.validate({ namespace: 'default', name: 'nothing', fencingToken: 1n }, call),
  'a page that is too large': ({ transport }) =>
    transport.list({ namespace: '', labelSelector: '', pageSize: 5_000, pageToken: '', cached: false }, call),
  'a page token that makes no sense': ({ transport }) =>
    transport.list({ namespace: '', labelSelector: '', pageSize: 0, pageToken: 'x', cached: false }, call),
  'a selector that makes no sense': ({ transport }) =>
    transport.list({ namespace: '', labelSelector: 'a in', pageSize: 0, pageToken: '', cached: false }, call),
  'a watch from before the history': ({ transport }) => firstOf(transport, { ...everything, fromRevision: 1n }),
  'a watch from before time': ({ transport }) => firstOf(transport, { ...everything, fromRevision: -1n }),
  'an attach of what was lost': async ({ transport }) => {
    const lease = await grant(transport, 'attach');
    return heartbeat(transport, [{ sequence: 1, attach: [{ ...lease, fencingToken: lease.fencingToken - 1n }] }]);
  },
  'a heartbeat that goes back': ({ transport }) => heartbeat(transport, [{ sequence: 2 }, { sequence: 1 }]),
  'a wait at a server that drains': async ({ transport, pass, stop }) => {
    await grant(transport, 'drain');
    const waiting = transport.acquire({ ...claim, name: 'drain', holder: 'you', waitMs: 60_000 }, { timeoutMs: 65_000 });
    waiting.catch(() => undefined);
    await pass(100);
    await stop();
    return waiting;
  },
};

it('the transport of the testing kit refuses as gRPC does', async () => {
  const inProcess = await TestServer.start();
  onTestFinished(() => inProcess.close());
  const kit = await refusalsOf({
    transport: inProcess.transport(),
    pass: (ms) => inProcess.clock.advance(ms),
    stop: () => inProcess.stop(),
  });
  const server = await serve();
  const { transport } = settingsOf({ endpoints: [server.address] });
  onTestFinished(() => {
    transport.close();
  });
  const grpc = await refusalsOf({ transport, pass: (ms) => sleep(ms), stop: () => server.drain() });
  expect(Object.entries(kit).filter(([, { reason }]) => reason === undefined)).toEqual([]);
  expect(kit).toEqual(grpc);
});

async function refusalsOf(side: Side): Promise<Record<string, Refusal>> {
  const all: Record<string, Refusal> = {};
  for (const [what, refuse] of Object.entries(refusals)) {
    try {
      await refuse(side);
      all[what] = { answered: true };
    } catch (error) {
      all[what] = describeRefusal(error);
    }
  }
  return all;
}

/** Tokens, revisions and times differ between two servers, in the text as well; that they are told does not. */
function describeRefusal(error: unknown): Refusal {
  if (!(error instanceof LeaseholdError)) return { threw: String(error) };
  const { name, code, reason, retryable, message, data } = error;
  const told = Object.entries(data).map(([key, value]) => [key, typeof value === 'string' ? value : typeof value]);
  return { name, code, reason, retryable, message: message.replace(/\d+(\.\d+)?/g, '#'), data: Object.fromEntries(told) };
}

async function firstOf(transport: Transport, request: Parameters<Transport['watch']>[0]): Promise<unknown> {
  for await (const message of transport.watch(request, new AbortController().signal)) return message;
  return undefined;
}

type Message = Parameters<ReturnType<Transport['heartbeat']>['send']>[0];

/** Rejects with what ends the stream, or refuses an attach. */
function heartbeat(transport: Transport, messages: readonly (Partial<Message> & { sequence: number })[]): Promise<never> {
  return new Promise((_, reject) => {
    const stream = transport.heartbeat({
      onAnswer: ({ attached }) => {
        const outcome = attached[0]?.outcome;
        if (outcome?.kind === 'refused') {
          stream.close();
          reject(outcome.error);
        }
      },
      onEnd: reject,
    });
    for (const message of messages) stream.send({ handles: [], attach: [], detach: [], ...message });
  });
}
