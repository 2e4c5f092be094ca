import { parseOptions, startServer, type RunningServer } from '@leasehold/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../server/dist/clock.js';
import { recordedCommands } from '../recordings.js';
import { ExchangeReplay, newestTime } from './exchange-replay.js';

/** Answers as kube-apiserver 1.36 gave them, to all that kubectl asked for in 28 commands. No kubectl is needed for that. */

const commands = recordedCommands();
/** The calendar, turned to when the answers were recorded. */
let wallMs = Math.min(...commands.flatMap(({ exchanges }) => exchanges.map(({ answer }) => newestTime(answer))).filter(Boolean));
let server: RunningServer;

beforeAll(async () => {
  const request = parseOptions(['--listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0', '--store', 'memory:'], {});
  if (request.kind !== 'serve') throw new Error('asked for help');
  server = await startServer(request.options, { clock: { ...systemClock, wallMs: () => wallMs } });
});

afterAll(() => server.drain());

test('kubectl is answered as it was by kube-apiserver', async () => {
  const replay = new ExchangeReplay(server.http?.port ?? 0);
  const deviations = new Set<string>();
  for (const { command, exchanges } of commands) {
    // Pages of a list of namespaces that are not here are asked for with the other server's token.
    for (const exchange of exchanges.filter(({ request }) => !request.includes('continue='))) {
      wallMs = Math.max(wallMs, newestTime(exchange.answer));
      const where = exchange.request.split('?')[0] ?? '';
      for (const { path, recorded, came } of await replay.send(exchange)) {
        const is = differsKnowingly.has(where) ? '' : `: ${JSON.stringify(recorded)} is ${JSON.stringify(came)} to ${command}`;
        deviations.add(`${where} ${path}${is}`);
      }
    }
  }
  expect([...deviations]).toEqual([
    ...['gitVersion', 'gitCommit', 'goVersion', 'compiler', 'platform'].map((field) => `GET /version .${field}`),
    // JSON that kube-apiserver calls text, and a list of nothing that kubectl takes in JSON too.
    'GET /openapi/v3 .contentType',
    'GET /api/v1/namespaces/default/events .contentType',
    ...['username', 'uid', 'groups.0', 'groups.1'].map((field) => `${whoAmI} .status.userInfo.${field}`),
  ]);
});

const whoAmI = 'POST /apis/authentication.k8s.io/v1/selfsubjectreviews';

/** Where a server tells of itself and of its callers, or that its answer is of another type. */
const differsKnowingly = new Set(['GET /version', whoAmI, 'GET /openapi/v3', 'GET /api/v1/namespaces/default/events']);
