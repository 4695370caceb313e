/** What a test run amounts to. */
export interface TestTotals {
  readonly passed: number
  /** Failed tests; files that could not be loaded or set up; and one more if the run failed for no other reason. */
  readonly failed: number
  /** Their full names: a test that cannot run must not go unnoticed. */
  readonly skipped: readonly string[]
}

/**
 * Counts what Vitest's JSON report says. A file that fails without a failing test in it counts as one failure: it
 * could not be loaded, or its set-up failed and its tests never ran. A missing report, an error outside of any test and
 * a run without a single test are failures, too.
 */
export function countTests(report: unknown, exitCode: number | null): TestTotals {
  const files = listOf(report, 'testResults')
  const tests = files.flatMap((file) => listOf(file, 'assertionResults'))
  const passed = tests.filter((test) => textOf(test, 'status') === 'passed').length
  const failedTests = tests.filter((test) => textOf(test, 'status') === 'failed').length
  const skipped = tests
    .filter((test) => !['passed', 'failed'].includes(textOf(test, 'status')))
    .map((test) => textOf(test, 'fullName'))
  const failedFiles = files.filter(
    (file) =>
      textOf(file, 'status') === 'failed' &&
      !listOf(file, 'assertionResults').some((test) => textOf(test, 'status') === 'failed'),
  ).length
  const failed = failedTests + failedFiles
  const isUnexplained = failed === 0 && (exitCode !== 0 || passed === 0)
  return { passed, failed: isUnexplained ? 1 : failed, skipped }
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const field = fieldOf(value, key)
  return Array.isArray(field) ? field : []
}

function textOf(value: unknown, key: string): string {
  const field = fieldOf(value, key)
  return typeof field === 'string' ? field : ''
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}
