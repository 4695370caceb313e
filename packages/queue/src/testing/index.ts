export type { TestRedis } from './test-redis.ts'
export { startTestRedis } from './test-redis.ts'
