import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createClient, InvalidError, type Client, type Lease } from '@leasehold/sdk';

/** What the command needs of the process it runs in. */
export interface ServersHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const usage = `Usage: leasehold servers [options]

Lists the servers that live on the store of a running one: those whose identity lease is held. One that was killed is listed until its
lease expires (--identity-duration of the server, by default an hour), without being renewed.

Options:
  --endpoint HOST:PORT   a server's gRPC address; several are separated by commas
                         default 127.0.0.1:7400, variable LEASEHOLD_ENDPOINT
  --tls                  encrypt the connection
  --ca FILE              certificates that sign the server's, PEM; none: those that Node trusts
  --cert FILE            certificate to show to the server, PEM
  --key FILE             private key of that certificate, PEM
  -o, --output FORMAT    table or json; default table
  -h, --help             print this

Exit codes: 0 listed, 1 no server answers, 2 an option is wrong.
`;

/** A server as its identity lease tells of it. */
interface Server {
  /** Where it serves gRPC; empty: its version does not say. */
  readonly address: string;
  /** The name of its identity lease; the same after a restart. */
  readonly identity: string;
  /** Who holds that lease: another one after each restart. */
  readonly holder: string;
  readonly host: string;
  /** Empty: it does not say. */
  readonly version: string;
  /** When it took its identity lease, in RFC 3339. */
  readonly since: string;
  /** Since when it has not renewed that lease. */
  readonly silentMs: number;
  /** Until that lease expires, if it renews it no more. */
  readonly remainingMs: number;
}

interface Request {
  readonly client: Client;
  readonly isJson: boolean;
}

/**
 * `leasehold servers`: lists the servers that live.
 *
 * @returns the exit code: 0 listed, 1 no server answers, 2 an option is wrong.
 */
export async function servers(args: readonly string[], host: ServersHost): Promise<number> {
  const complain = (error: unknown): unknown =>
    host.stderr.write(`leasehold servers: ${error instanceof Error ? error.message : String(error)}\n`);
  let request: Request | 'help';
  try {
    request = await read(args, host.env);
  } catch (error) {
    complain(error);
    return 2;
  }
  if (request === 'help') {
    host.stdout.write(usage);
    return 0;
  }
  try {
    const found = await list(request.client);
    host.stdout.write(request.isJson ? `${JSON.stringify(found, undefined, 2)}\n` : table(found));
    return 0;
  } catch (error) {
    complain(error);
    return 1;
  }
}

async function read(args: readonly string[], env: ServersHost['env']): Promise<Request | 'help'> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ endpoint: text, ca: text, cert: text, key: text, tls: { type: 'boolean' } },
      ...{ output: { type: 'string', short: 'o' }, help: { type: 'boolean', short: 'h' } },
    },
  });
  const { endpoint, ca, cert, key, tls = false, output = 'table', help } = values;
  if (help === true) return 'help';
  if (output !== 'table' && output !== 'json') {
    throw new Error(`Invalid --output: must be table or json, got ${JSON.stringify(output)}`);
  }
  const files = { ca: await readPem('--ca', ca), cert: await readPem('--cert', cert), key: await readPem('--key', key) };
  const endpoints = (endpoint ?? env['LEASEHOLD_ENDPOINT'] ?? '127.0.0.1:7400').split(',');
  const isPem = Object.values(files).some((file) => file !== undefined);
  try {
    return { client: createClient({ endpoints, tls: isPem ? files : tls }), isJson: output === 'json' };
  } catch (error) {
    throw error instanceof InvalidError ? new Error(inFlags(error.message), { cause: error }) : error;
  }
}

/** What is wrong with an option of the SDK, by the names of the flags. */
function inFlags(message: string): string {
  return message.replace('Invalid endpoints', 'Invalid --endpoint').replaceAll(/\btls\.(ca|cert|key)\b/g, '--$1');
}

async function readPem(flag: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return readFile(path, 'utf8').catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new Error(`Invalid ${flag}: must be a file that can be read (${code}), got ${JSON.stringify(path)}`);
  });
}

async function list(client: Client): Promise<Server[]> {
  try {
    const found: Server[] = [];
    const labelSelector = 'apiserver.kubernetes.io/identity=leasehold';
    for await (const lease of client.list({ namespace: 'kube-system', labelSelector, timeoutMs: 5000 })) {
      if (lease.state === 'HELD') found.push(serverOf(lease));
    }
    return found.sort((left, right) => (left.address < right.address ? -1 : 1));
  } finally {
    await client.close();
  }
}

function serverOf({ name, holder, durationMs, acquireTime, remainingMs = 0, labels, annotations }: Lease): Server {
  return {
    address: annotations['server.leasehold.dev/address'] ?? '',
    identity: name,
    holder,
    host: labels['kubernetes.io/hostname'] ?? '',
    version: annotations['server.leasehold.dev/version'] ?? '',
    since: acquireTime?.toISOString() ?? '',
    // By the server's clock alone: what it has left was counted from its last renewal.
    silentMs: Math.max(0, Math.round(durationMs - remainingMs)),
    remainingMs: Math.round(remainingMs),
  };
}

function table(found: readonly Server[]): string {
  const rows = found.map(({ address, identity, version, since, silentMs, remainingMs }) => [
    ...[address || '<unknown>', identity, version || '<unknown>', since.replace(/\.\d+/, '')],
    ...[`${span(silentMs)} ago`, span(remainingMs)],
  ]);
  const lines = [['ADDRESS', 'IDENTITY', 'VERSION', 'SINCE', 'RENEWED', 'LEFT'], ...rows];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** A length of time in its two largest units. */
function span(valueMs: number): string {
  const seconds = Math.floor(valueMs / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours}h${minutes}m`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
