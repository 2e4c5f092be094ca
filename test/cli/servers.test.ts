import { execFile } from 'node:child_process';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient } from '@leasehold/sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { identityName, labelValue } from '../../server/dist/identity-lease.js';
import { ServerProcess } from '../support/server-process.js';

const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
const kubeSystem = { namespace: 'kube-system' };
const patience = { timeout: 30_000, interval: 100 };

describe('leasehold servers', () => {
  it('lists a server that lives: where it is, who, of which version, since when and for how long', async () => {
    const server = await ServerProcess.start({ env: { LEASEHOLD_IDENTITY_LEASE: 'on' } });
    const json = (): Promise<string> => leasehold('--endpoint', server.address, '-o', 'json');
    await expect.poll(async () => JSON.parse(await json()) as unknown[], patience).toHaveLength(1);
    const identity = identityName(hostname(), '127.0.0.1:0');
    const listed: unknown = JSON.parse(await json());
    expect(listed).toEqual([
      {
        address: server.address,
        identity,
        holder: expect.stringContaining(`${identity}_`) as string,
        host: labelValue(hostname()),
        version: (await leasehold('--version')).trim(),
        since: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        silentMs: expect.any(Number) as number,
        remainingMs: expect.any(Number) as number,
      },
    ]);
    const [{ silentMs, remainingMs }] = listed as [{ silentMs: number; remainingMs: number }];
    expect(silentMs + remainingMs).toBe(3_600_000);
    const [head, row, ...rest] = (await leasehold('--endpoint', server.address)).split('\n');
    expect(head).toMatch(/^ADDRESS +IDENTITY +VERSION +SINCE +RENEWED +LEFT$/);
    expect(row).toMatch(new RegExp(`^${server.address} +${identity} +\\d\\S+ +\\d\\S+Z +\\d+m?\\d*s ago +(1h0m|59m\\d+s)$`));
    expect(rest).toEqual(['']);
  });

  it('lists several by their addresses, and no lease that is free or is no server’s', async () => {
    const server = await ServerProcess.start();
    const client = createClient({ endpoints: [server.address] });
    onTestFinished(() => client.close());
    const labels = { 'apiserver.kubernetes.io/identity': 'leasehold' };
    const annotations = { 'server.leasehold.dev/address': '10.0.0.1:7400', 'server.leasehold.dev/version': '9.8.7' };
    const durationMs = 600_000;
    await client.acquire('leasehold-b', { ...kubeSystem, labels, durationMs });
    await client.acquire('leasehold-a', { ...kubeSystem, labels, annotations, durationMs });
    await client.create('leasehold-gone', { ...kubeSystem, labels });
    await client.acquire('kube-apiserver', { ...kubeSystem, durationMs });
    const rows = (await leasehold('--endpoint', server.address)).split('\n').slice(1, -1);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 3))).toEqual([
      ['<unknown>', 'leasehold-b', '<unknown>'],
      ['10.0.0.1:7400', 'leasehold-a', '9.8.7'],
    ]);
  });

  it('takes the endpoint from the variable, and another one if the first does not answer', async () => {
    const server = await ServerProcess.start();
    const env = { LEASEHOLD_ENDPOINT: `127.0.0.1:1,${server.address}` };
    const { stdout } = await promisify(execFile)(process.execPath, [main, 'servers', '-o', 'json'], { timeout: 30_000, env });
    expect(stdout).toBe('[]\n');
  });

  it.each([
    [['-o', 'yaml'], 'Invalid --output: must be table or json, got "yaml"'],
    [['--endpoint', 'foo'], 'Invalid --endpoint: must be host:port'],
    [['--endpoint', ''], 'Invalid --endpoint: must be host:port'],
    [['--ca', main], 'Invalid --ca: must be a certificate in PEM'],
    [['--cert', main], 'Invalid --key: must be given together with --cert, got none'],
    [['--ca', '/none'], 'Invalid --ca: must be a file that can be read (ENOENT), got "/none"'],
    [['--wat'], `Unknown option '--wat'`],
    [['more'], `Unexpected argument 'more'`],
  ])('%j is refused', async (args, message) => {
    await expect(leasehold(...args)).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining(message) as string });
  });

  it('says that no server answers', async () => {
    await expect(leasehold('--endpoint', '127.0.0.1:1')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^leasehold servers: .*127\.0\.0\.1:1/) as string,
    });
  });

  it('has help', async () => {
    expect(await leasehold('--help')).toMatch(/^Usage: leasehold servers \[options\]\n/);
  });
});

async function leasehold(...args: string[]): Promise<string> {
  const command = args[0] === '--version' ? args : ['servers', ...args];
  return (await promisify(execFile)(process.execPath, [main, ...command], { timeout: 30_000 })).stdout;
}
