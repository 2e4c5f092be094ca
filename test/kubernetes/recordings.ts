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

/** More of them: each field with each kind of value in each way to write it, and queries, types and bodies of all kinds. */
export function moreRecordedCases(): readonly RecordedCase[] {
  return (readJson('more-leases.json') as { readonly cases: readonly RecordedCase[] }).cases;
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

/** All recorded bodies of protobuf that client-go sent and got. Watches are answered with many messages. */
export function recordedMessages(): readonly RecordedMessage[] {
  return readdirSync(new URL('exchanges/', fixtures))
    .filter((file) => file.startsWith('go-'))
    .sort()
    .flatMap((file) => readJson(`exchanges/${file}`) as readonly Exchange[])
    .flatMap(({ request, body, answer }) =>
      [body, answer].flatMap((side) => (side?.base64 === undefined ? [] : [{ what: request, base64: side.base64 }])),
    )
    .map(({ what, base64 }) => ({ what, bytes: Buffer.from(base64, 'base64') }));
}

/** A request that client-go sent, and what kube-apiserver answered. */
export interface GoExchange {
  /** Method, path and query. */
  readonly request: string;
  readonly accept: string;
  readonly userAgent: string;
  readonly contentType?: string;
  /** Bytes of protobuf, or the value of JSON. */
  readonly body?: { readonly base64: string } | Readonly<Record<string, unknown>> | readonly unknown[];
  readonly status: number;
  readonly answerType: string;
  /** Of a watch, all that came of it. */
  readonly answer: { readonly base64: string };
  /** Of a watch: who ended it, `end` for the server. */
  readonly ended?: 'end' | 'error';
}

/** What client-go 0.32 did in one run, in the order in which it was done: `election`, `kubelet`, `informer` or `conformance-protobuf`. */
export function recordedRun(name: string): readonly GoExchange[] {
  return readJson(`exchanges/go-${name}.json`) as readonly GoExchange[];
}

/** A request that kubectl sent, and what kube-apiserver answered. */
export interface KubectlExchange {
  /** Method, path and query. */
  readonly request: string;
  readonly accept: string;
  readonly userAgent: string;
  readonly contentType?: string;
  /** The value of JSON, or bytes of protobuf. */
  readonly body?: unknown;
  readonly status: number;
  readonly answerType?: string;
  /** As `body`; a text in brackets where it was too long to be kept; none of a watch. */
  readonly answer?: unknown;
}

/** A command, what it printed (its first lines), and what it asked for meanwhile. */
export interface KubectlCommand {
  readonly command: string;
  readonly prints: readonly string[];
  readonly exchanges: readonly KubectlExchange[];
}

/** What kubectl 1.32 does, in the order in which it was done, to one cluster. */
export function recordedCommands(): readonly KubectlCommand[] {
  return readJson('exchanges/kubectl-1.32.json') as readonly KubectlCommand[];
}

interface Exchange {
  readonly request: string;
  readonly body?: { readonly base64?: string };
  readonly answer?: { readonly base64?: string };
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, fixtures), 'utf8'));
}
