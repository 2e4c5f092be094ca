import type { IncomingMessage } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { encode } from '../../server/dist/kubernetes/codec/encode.js';
import { openEnvelope } from '../../server/dist/kubernetes/codec/envelope.js';
import { protobufShapes } from '../../server/dist/kubernetes/codec/kinds.js';
import { readMessage } from '../../server/dist/kubernetes/codec/protobuf.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { RecordedServer } from './recorded-server.js';
import { recordedRun, type GoExchange } from './recordings.js';

/** What client-go has sent, in the same bytes, to a server in the same state: it answers in the same bytes. */
describe('recorded from client-go', () => {
  test('an election', () => replay('election'));

  test("kubelet's lease controller", () => replay('kubelet'));

  test('the use of every verb', () => replay('conformance-protobuf'));

  test('an informer, and the changes that it saw', async () => {
    const [list, watch] = recordedRun('informer') as [GoExchange, GoExchange];
    const server = await startAt(list);
    await expectSame(server, list);
    const open = await server.send(requestOf(watch));
    expectHead(open, watch);
    const [added] = eventsIn(bytesOf(watch.answer)) as [RecordedEvent];
    await prepare(server, added.object);
    const { metadata, spec } = added.object as LeaseObject;
    const { name, labels } = metadata;
    const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    const body = Buffer.from(JSON.stringify({ metadata: { name, labels }, spec }));
    const headers = { 'user-agent': 'kubectl', 'content-type': 'application/json' };
    const query = '?fieldManager=kubectl-create';
    expect((await server.send({ method: 'POST', path: path + query, headers, body })).statusCode).toBe(201);
    const gone = { method: 'DELETE', path: `${path}/${name}`, headers: {}, body: undefined };
    expect((await server.send(gone)).statusCode).toBe(200);
    await expectEvents(open, watch);
  });
});

/** Answers that are other ones here: namespaces need no creation, and are not deleted with leases in them. */
const deviations: Readonly<Record<string, number>> = {
  'POST /api/v1/namespaces': 201,
  'DELETE /api/v1/namespaces/conf-691341': 409,
};

/** Sends what was sent in a run, one after the other, and compares the answers. Watches stay open until all is done. */
async function replay(run: string): Promise<void> {
  const exchanges = recordedRun(run);
  const server = await startAt(exchanges.find(({ status }) => status === 201)!);
  const watches: { open: IncomingMessage; exchange: GoExchange }[] = [];
  let page = '';
  for (const exchange of exchanges) {
    if (isWatch(exchange)) {
      const open = await server.send(requestOf(exchange));
      expectHead(open, exchange);
      watches.push({ open, exchange });
    } else if (exchange.request in deviations) {
      expect((await server.send(requestOf(exchange))).statusCode).toBe(deviations[exchange.request]);
    } else {
      // Only who has written it can read what continues a list.
      const request = exchange.request.replace(/continue=[^&]+/, `continue=${encodeURIComponent(page)}`);
      page = await expectSame(server, { ...exchange, request });
    }
  }
  for (const { open, exchange } of watches) await expectEvents(open, exchange);
}

function isWatch({ request }: GoExchange): boolean {
  return request.includes('watch=true');
}

/** A server that is about to give an answer, and that knows nothing of what was before version 574, as the one that was recorded. */
async function startAt({ answer }: GoExchange): Promise<RecordedServer> {
  const { resourceVersion } = metadataOf(decode(bytesOf(answer)));
  const server = await RecordedServer.start({ oldest: 574n, current: BigInt(resourceVersion!) - 1n });
  onTestFinished(() => server.stop());
  return server;
}

/** Brings a server into the state from which this follows. */
async function prepare(server: RecordedServer, object: AnyObject): Promise<void> {
  const {
    resourceVersion,
    uid = '',
    creationTimestamp = '',
    name = '',
    generateName = '',
    managedFields = [],
  } = metadataOf(object);
  if (resourceVersion !== undefined) {
    // A list is of a version; anything else has made one.
    await server.reach(BigInt(resourceVersion) - (object.kind.endsWith('List') ? 0n : 1n));
  }
  const times = [creationTimestamp, ...managedFields.map(({ time = '' }) => time)].filter((time) => time !== '');
  if (times.length > 0) server.setTime(Date.parse(times.sort().at(-1)!));
  server.setNext(uid, name.slice(generateName.length));
}

/** Makes a request again, compares the answers, and returns what a list is continued by. */
async function expectSame(server: RecordedServer, exchange: GoExchange): Promise<string> {
  const recorded = decode(bytesOf(exchange.answer));
  await prepare(server, recorded);
  const response = await server.send(requestOf(exchange));
  const came = decode(Buffer.concat((await response.toArray()) as Buffer[]));
  expect(comparable(came)).toEqual(comparable(recorded));
  expect(bytesAgain(came)).toBe(bytesAgain(recorded));
  expectHead(response, exchange);
  return metadataOf(came).continue ?? '';
}

function expectHead({ statusCode, headers }: IncomingMessage, { status, answerType }: GoExchange): void {
  expect({ statusCode, contentType: headers['content-type'] }).toEqual({ statusCode: status, contentType: answerType });
}

/** Waits for as many events as were recorded, or for the end of a watch that the server ended. */
async function expectEvents(open: IncomingMessage, { answer, ended }: GoExchange): Promise<void> {
  const recorded = eventsIn(bytesOf(answer));
  let bytes = Buffer.alloc(0);
  for await (const chunk of open as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    if (ended !== 'end' && eventsIn(bytes).length >= recorded.length) break;
  }
  const came = eventsIn(bytes);
  const plain = ({ type, object }: RecordedEvent) => ({ type, object: comparable(object) });
  expect(came.map(plain)).toEqual(recorded.map(plain));
  expect(came.map(({ object }) => bytesAgain(object))).toEqual(recorded.map(({ object }) => bytesAgain(object)));
}

/** The request, with the bytes that were sent. */
function requestOf({ request, accept, userAgent, contentType, body }: GoExchange) {
  const [method = '', path = ''] = request.split(' ');
  const headers = { accept, 'user-agent': userAgent, ...(contentType === undefined ? {} : { 'content-type': contentType }) };
  const isProtobuf = body !== undefined && 'base64' in body;
  const bytes = body === undefined ? undefined : isProtobuf ? bytesOf(body) : Buffer.from(JSON.stringify(body));
  return { method, path, headers, body: bytes };
}

interface AnyObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: Metadata;
  readonly items?: readonly { readonly metadata: Metadata }[];
}

type Metadata = LeaseObject['metadata'] & { readonly continue?: string };

interface RecordedEvent {
  readonly type: string;
  readonly object: AnyObject;
}

function bytesOf(what: { readonly base64?: unknown }): Buffer {
  return Buffer.from(String(what.base64), 'base64');
}

function decode(bytes: Buffer): AnyObject {
  const { apiVersion, kind, raw } = openEnvelope(bytes);
  return { apiVersion, kind, ...readMessage(protobufShapes.get(kind)!, raw) };
}

/** The whole events of a watch. Each stands behind its length; the type and the object in it behind a tag and a length. */
function eventsIn(bytes: Buffer): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  for (let at = 0; at + 4 <= bytes.length && at + 4 + bytes.readUInt32BE(at) <= bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at);
    const event = bytes.subarray(at + 4, end);
    events.push({ type: event.subarray(2, 2 + event[1]!).toString(), object: decode(event.subarray(event.indexOf('k8s\0'))) });
    at = end;
  }
  return events;
}

function metadataOf({ metadata = {} }: AnyObject): Metadata {
  return metadata;
}

/** Without what this server says in annotations of its own, and with one word for what continues a list. */
function comparable(object: AnyObject): AnyObject {
  const { metadata, items } = object;
  return {
    ...object,
    ...(metadata === undefined ? {} : { metadata: comparableMetadata(metadata) }),
    ...(items === undefined ? {} : { items: items.map((item) => ({ ...item, metadata: comparableMetadata(item.metadata) })) }),
  };
}

function comparableMetadata({ annotations = {}, continue: token, ...rest }: Metadata): Metadata {
  const ofClients = Object.entries(annotations).filter(([key]) => !key.startsWith('leasehold.dev/'));
  return {
    ...rest,
    ...(ofClients.length === 0 ? {} : { annotations: Object.fromEntries(ofClients) }),
    ...(token === undefined ? {} : { continue: '<continue>' }),
  };
}

/** The bytes that an object was, or would have been without what is this server's own. */
function bytesAgain(object: AnyObject): string {
  return Buffer.from(encode(comparable(object), { format: 'protobuf', pretty: false }).body).toString('hex');
}
