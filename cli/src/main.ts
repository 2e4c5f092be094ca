#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { kubeconfig } from './kubeconfig.js';

/** What `leasehold --help` prints. */
const usage = `Usage: leasehold <command>

Commands:
  serve          serve leases over gRPC and the Kubernetes API; see leasehold serve --help
  migrate        copy all leases from one store into another; see leasehold migrate --help
  servers        list the servers that live; see leasehold servers --help
  kubeconfig     print a kubeconfig for a running server; see leasehold kubeconfig --help

Options:
  -h, --help     print this
  --version      print the version
`;

process.exitCode = await run(process.argv.slice(2));
// Timers and connections of a server that was told to end at once would keep the process alive.
process.exit();

async function run([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case 'serve': {
      // Loaded only here, so that other commands need no native module.
      const { serve } = await import('@leasehold/server');
      return serve(args, process);
    }
    case 'migrate': {
      const { migrate } = await import('@leasehold/server');
      return migrate(args, process);
    }
    case 'servers': {
      const { servers } = await import('./servers.js');
      return servers(args, process);
    }
    case 'kubeconfig':
      return kubeconfig(args, process);
    case '--version':
      process.stdout.write(`${version()}\n`);
      return 0;
    case '-h':
    case '--help':
      process.stdout.write(usage);
      return 0;
    default:
      process.stderr.write(command === undefined ? usage : `leasehold: unknown command ${JSON.stringify(command)}\n\n${usage}`);
      return 2;
  }
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
}
