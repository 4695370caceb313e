export type { RecordingLog } from './recording-log.ts'
export { recordingLog } from './recording-log.ts'
export type { TestRedis } from './test-redis.ts'
export { startTestRedis } from './test-redis.ts'
