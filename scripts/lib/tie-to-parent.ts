import { execFile } from 'node:child_process'

/**
 * The words before a command that make Linux send it SIGTERM when the process that started it dies, so that nothing
 * runs on unattended; none where that is not to be had.
 */
export async function tieToParent(): Promise<readonly string[]> {
  if (process.platform !== 'linux') return []
  const words = ['--pdeathsig', 'TERM']
  return await new Promise((resolve) => {
    execFile('setpriv', [...words, 'true'], (error) => resolve(error === null ? ['setpriv', ...words] : []))
  })
}
