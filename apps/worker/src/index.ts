export type { RunningWorker } from './compose.ts'
export { compose } from './compose.ts'
