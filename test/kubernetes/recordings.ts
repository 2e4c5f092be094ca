import { readdirSync, readFileSync } from 'node:fs';
import type { Status } from '../../server/dist/kubernetes/status.js';

/** A request, and what kube-apiserver answered. */
export interface Step {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly expect: {
    readonly status: number;
    readonly contentType: string;
    readonly warning?: string;
    readonly retryAfter?: string;
    readonly body: unknown;
  };
  /** Of a watch: how many events are waited for, */
  readonly events?: number;
  /** how long at most, */
  readonly waitMs?: number;
  /** and what is done while it is open. */
  readonly during?: readonly Step[];
}

/** Requests that belong together. */
export interface RecordedCase {
  readonly name: string;
  readonly steps: readonly Step[];
}

const fixtures = new URL('fixtures/', import.meta.url);

/** The recorded cases, in the order in which they were made. */
export function recordedCases(): readonly RecordedCase[] {
  return (readJson('leases.json') as { readonly cases: readonly RecordedCase[] }).cases;
}

/** The body of a recorded request as it was sent, in the namespace `ns`. */
export function bodyOf({ body }: Step): Buffer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return Buffer.from(
    text.replace(/\{\{repeat\.(\d+)\}\}/g, (_, count: string) => 'v'.repeat(Number(count))).replaceAll('{{ns}}', 'ns'),
  );
}

/** The Status that a step was answered with. */
export function statusOf({ expect }: Step): Status {
  return expect.body as Status;
}

/** A message of protobuf that went over the wire. */
export interface RecordedMessage {
  readonly what: string;
  readonly bytes: Buffer;
}

/** All recorded bodies of protobuf, requests and answers. Watches are answered with many messages. */
export function recordedMessages(): readonly RecordedMessage[] {
  return readdirSync(new URL('exchanges/', fixtures))
    .sort()
    .flatMap((file) => readJson(`exchanges/${file}`) as readonly Exchange[])
    .flatMap(({ request, body, answer }) =>
      [body, answer].flatMap((side) => (side?.base64 === undefined ? [] : [{ what: request, base64: side.base64 }])),
    )
    .map(({ what, base64 }) => ({ what, bytes: Buffer.from(base64, 'base64') }));
}

interface Exchange {
  readonly request: string;
  readonly body?: { readonly base64?: string };
  readonly answer?: { readonly base64?: string };
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, fixtures), 'utf8'));
}
