import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    retry: 0,
    // The packages under test are loaded as their users load them: built, by Node itself.
    server: { deps: { external: [/\/dist\//] } },
  },
});
