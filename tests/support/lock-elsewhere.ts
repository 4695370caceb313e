import { spawn } from 'node:child_process'
import { once } from 'node:events'

const LOCKER = `
const { DatabaseSync } = require('node:sqlite')
const database = new DatabaseSync(process.argv[1], { timeout: 10_000 })
database.exec('BEGIN EXCLUSIVE')
process.stdout.write('locked')
process.stdin.resume().on('end', () => process.exit())
`

/** Locks a database as another process does; a lock of this process would not count for itself. Returns the key. */
export async function lockElsewhere(file: string): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, ['--no-warnings', '-e', LOCKER, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const locked = once(child.stdout, 'data')
  await Promise.race([locked, gone.then(() => Promise.reject(new Error(`${file} could not be locked`)))])
  return async () => {
    child.stdin.end()
    await gone
  }
}
