import { AppError } from '@holdfast/core'

/** For what no dump of one schema holds. */
export function foreign(): AppError {
  return corrupt('it holds a statement that no dump of one schema has')
}

/** For a dump that cannot be loaded, with the reason in words. */
export function corrupt(problem: string): AppError {
  return new AppError('ARTIFACT_CORRUPT', `the dump cannot be loaded: ${problem}`)
}
