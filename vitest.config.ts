import { defineConfig } from 'vitest/config';

/** What real clients and clusters of processes do, with toolchains of their own: they take their time. */
const clients = ['test/foreign', 'test/kubernetes/{bad-input,both-at-once,clients,kubectl}', 'test/e2e/cluster'].map(
  (folder) => `${folder}/**/*.test.ts`,
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
      { extends: true, test: { name: 'default', include: ['test/**/*.test.ts'], exclude: clients } },
      { extends: true, test: { name: 'clients', include: clients } },
    ],
  },
});
