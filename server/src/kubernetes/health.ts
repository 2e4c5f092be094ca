import { LeaseError, type LeaseCoordinator } from '@leasehold/core';
import type { ApiAnswer } from './request.js';
import { anyMethod, type Call, type Endpoint, type Route } from './router.js';

/** Where the coordinator is found, which is another one after the store has failed. */
export interface CoordinatorHolder {
  /** @throws {LeaseError} there is none to talk to: `STORE_UNAVAILABLE`, `DRAINING`. */
  current(): LeaseCoordinator;
}

/**
 * Health, as kube-apiserver tells of it: `/livez` whether the process lives, `/readyz` whether it serves, `/healthz` whether its store
 * works; each of their checks below them, and all of them with `?verbose`. Not for gRPC, which has a health service of its own.
 */
export function healthRoutes(engine: CoordinatorHolder): readonly Route[] {
  const checks: Readonly<Record<string, Check>> = {
    ping: () => true,
    store: () => !isRefused(engine, 'STORE_UNAVAILABLE'),
    shutdown: () => !isRefused(engine, 'DRAINING'),
  };
  return Object.entries(endpoints).flatMap(([name, names]) => {
    const own = Object.fromEntries(names.map((check) => [check, checks[check] ?? ((): boolean => false)]));
    const all: Endpoint = { answer: ({ request }) => checkAll(name, own, request.query) };
    const one: Endpoint = { answer: (call) => checkOne(call, own) };
    return [
      { pattern: `/${name}`, methods: { [anyMethod]: all } },
      { pattern: `/${name}/:check`, methods: { [anyMethod]: one } },
    ];
  });
}

type Check = () => boolean;

const endpoints = { healthz: ['ping', 'store'], livez: ['ping'], readyz: ['ping', 'store', 'shutdown'] } as const;

function isRefused(engine: CoordinatorHolder, reason: LeaseError['reason']): boolean {
  try {
    engine.current();
    return false;
  } catch (error) {
    return error instanceof LeaseError && error.reason === reason;
  }
}

function checkAll(name: string, checks: Readonly<Record<string, Check>>, query: URLSearchParams): ApiAnswer {
  const excluded = query.getAll('exclude');
  const lines = Object.entries(checks).map(([check, passes]) => {
    if (excluded.includes(check)) {
      return `[+]${check} excluded: ok\n`;
    }
    return passes() ? `[+]${check} ok\n` : `[-]${check} failed: reason withheld\n`;
  });
  if (lines.some((line) => line.startsWith('[-]'))) {
    return text(500, `${lines.join('')}${name} check failed\n`);
  }
  return text(200, query.has('verbose') ? `${lines.join('')}${name} check passed\n` : 'ok');
}

function checkOne({ parameters }: Call, checks: Readonly<Record<string, Check>>): ApiAnswer {
  const name = parameters['check'] ?? '';
  const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
  if (check === undefined) {
    return text(404, '404 page not found\n');
  }
  return check() ? text(200, 'ok') : text(500, `internal server error: ${name} failed\n`);
}

function text(code: number, body: string): ApiAnswer {
  return { code, headers: { 'x-content-type-options': 'nosniff' }, contentType: 'text/plain; charset=utf-8', body };
}
