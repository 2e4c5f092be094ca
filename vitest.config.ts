import { defineConfig } from 'vitest/config';

/** Real clients, with toolchains of their own, servers that are killed, and what else takes its time. */
const endToEnd = [
  ...['test/e2e', 'test/foreign', 'test/kubernetes/{bad-input,both-at-once,clients,kubectl}'].map(
    (folder) => `${folder}/**/*.test.ts`,
  ),
  'test/cli/migrate.test.ts',
  'test/simulation/removed-rules.test.ts',
  'test/support/etcd-cluster.test.ts',
];

const withServer = ['client', 'endpoints', 'failover', 'informer-server', 'nodes/heartbeat-grpc', 'observe-leader', 'token'].map(
  (name) => `test/sdk/${name}.test.ts`,
);

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    retry: 0,
    // The packages under test are loaded as their users load them: built, by Node itself.
    server: { deps: { external: [/\/dist\//] } },
    projects: [
      { extends: true, test: { name: 'default', include: ['test/**/*.test.ts'], exclude: endToEnd } },
      { extends: true, test: { name: 'e2e', include: endToEnd } },
      // The SDK's tests that need a server, unchanged, on servers that keep their leases in etcd.
      { extends: true, test: { name: 'sdk-etcd', include: withServer, globalSetup: 'test/sdk/support/etcd-setup.ts' } },
    ],
  },
});
