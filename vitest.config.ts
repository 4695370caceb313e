import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/**/*.test.ts', 'apps/**/*.test.ts', 'tests/**/*.test.ts', 'scripts/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    // tests start real servers and worker processes: more forks than this only makes them wait for each other
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    allowOnly: false,
    // tests with leases of a second meet machines that stand still for two: in CI a failure has to repeat itself
    retry: process.env.CI ? 1 : 0,
    passWithNoTests: false,
  },
})
