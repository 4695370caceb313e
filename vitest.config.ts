import { readFile } from 'node:fs/promises'
import { defineConfig } from 'vitest/config'
import type { TestSpecification } from 'vitest/node'
import { BaseSequencer } from 'vitest/node'

/**
 * The largest files first, as always, but before them those that run a whole contract: they are short and take longest,
 * and the last of them would run alone.
 */
class ContractsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const contents = await Promise.all(sorted.map(({ moduleId }) => readFile(moduleId, 'utf8')))
    const runsContract = sorted.map((_, index) => /^ *describe\w+Contract\(/m.test(contents[index] ?? ''))
    return [
      ...sorted.filter((_, index) => runsContract[index]),
      ...sorted.filter((_, index) => !runsContract[index]),
    ]
  }
}

export default defineConfig({
  test: {
    include: ['packages/**/*.test.ts', 'apps/**/*.test.ts', 'tests/**/*.test.ts', 'scripts/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    // tests start real servers and worker processes: more forks than this only makes them wait for each other
    maxWorkers: 2,
    sequence: { sequencer: ContractsFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    allowOnly: false,
    // tests with leases of a second meet machines that stand still for two: in CI a failure has to repeat itself
    retry: process.env.CI ? 1 : 0,
    passWithNoTests: false,
  },
})
