import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

/** What the command needs of the process it runs in. */
export interface KubeconfigHost {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const usage = `Usage: leasehold kubeconfig [options]

Prints a kubeconfig for a running server, for kubectl and every other client of Kubernetes:
  leasehold kubeconfig > leasehold.yaml
  kubectl --kubeconfig leasehold.yaml get leases

Options:
  --server URL   where the Kubernetes API is served: http://HOST:PORT or https://HOST:PORT
                 default http://127.0.0.1:7401
  --ca FILE      the certificate that signed the server's, PEM; for https
  -h, --help     print this
`;

/**
 * `leasehold kubeconfig`: prints a kubeconfig.
 *
 * @returns the exit code: 0 printed, 2 an option is wrong.
 */
export async function kubeconfig(args: readonly string[], host: KubeconfigHost): Promise<number> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { server: { type: 'string' }, ca: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    const text = values.help === true ? usage : await describe(values.server ?? 'http://127.0.0.1:7401', values.ca);
    host.stdout.write(text);
    return 0;
  } catch (error) {
    host.stderr.write(`leasehold kubeconfig: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

async function describe(server: string, ca: string | undefined): Promise<string> {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new Error(`Invalid --server: must be http://HOST:PORT or https://HOST:PORT, got ${JSON.stringify(server)}`);
  }
  if (ca !== undefined && url.protocol === 'http:') {
    throw new Error('Invalid --ca: must be given with a --server of https only');
  }
  const authority = ca === undefined ? '' : `    certificate-authority-data: ${await readCertificate(ca)}\n`;
  const trust = url.protocol === 'http:' ? plain : authority;
  return `apiVersion: v1
kind: Config
clusters:
- name: leasehold
  cluster:
    server: ${url.href.replace(/\/$/, '')}
${trust}users:
- name: leasehold
  user: ${url.protocol === 'https:' ? placeholder : '{}'}
contexts:
- name: leasehold
  context:
    cluster: leasehold
    user: leasehold
current-context: leasehold
`;
}

/** @kubernetes/client-node speaks plain HTTP only to a server that it need not verify; the others pay no attention. */
const plain = '    insecure-skip-tls-verify: true\n';

/** Over TLS, kubectl asks for a user name unless it has credentials of some kind. The server looks at none. */
const placeholder = '{ token: anonymous }';

/** A certificate in base64, so that the kubeconfig can be carried elsewhere. */
async function readCertificate(path: string): Promise<string> {
  const refuse = (rule: string): Error => new Error(`Invalid --ca: must be ${rule}, got ${JSON.stringify(path)}`);
  const pem = await readFile(path).catch((error: unknown) => {
    throw refuse(`a file that can be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`);
  });
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw refuse('a file with a certificate in PEM');
  }
  return pem.toString('base64');
}
