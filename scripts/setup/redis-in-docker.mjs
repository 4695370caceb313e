import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lastLines, runCommand } from './command.mjs'
import { findProgram } from './paths.mjs'

const IMAGE = 'redis:7.4-bookworm'

/**
 * Stands in for the program: runs Redis in the foreground in a container that is gone when it ends. It shares the
 * host's network, so that Redis listens on the loopback address that its configuration names, and sees only the
 * directory of that configuration, as the user who started it. Signals are passed on by `docker run`.
 */
const WRAPPER = `#!/bin/sh
# Written by scripts/setup: this machine has Docker but no redis-server. Usage: redis-server CONFIGURATION-FILE
directory=$(cd "$(dirname "$1")" && pwd) || exit 1
exec docker run --rm --init --network host --user "$(id -u):$(id -g)" \\
  --volume "$directory:$directory" --workdir "$directory" --entrypoint redis-server \\
  ${IMAGE} "$directory/$(basename "$1")"
`

/**
 * Puts a stand-in for redis-server into the tools directory if Docker works here.
 *
 * @param {{ path: string, say: (line: string) => void, tools: string }} options
 * @returns {Promise<string[]>} why there is none, or nothing
 */
export async function installRedisWrapper({ path, say, tools }) {
  // elsewhere the host's network is that of a virtual machine, where the loopback address is another one
  if (process.platform !== 'linux') return []
  const docker = findProgram(['docker'], path)
  if (docker === null) return ['Docker, which could run it instead, was not found']
  const info = await runCommand(docker, ['info'], { timeoutMs: 20_000 })
  if (info.code !== 0)
    return ['Docker, which could run it instead, does not work here', ...lastLines(info.output, 1)]
  const present = await runCommand(docker, ['image', 'inspect', IMAGE], { timeoutMs: 60_000 })
  if (present.code !== 0) {
    say(`fetching Redis as a Docker image (${IMAGE})`)
    const pulled = await runCommand(docker, ['pull', '--quiet', IMAGE])
    if (pulled.code !== 0) return [`docker pull ${IMAGE} failed`, ...lastLines(pulled.output, 2)]
  }
  const directory = join(tools, 'bin')
  mkdirSync(directory, { recursive: true })
  const temporary = join(directory, `.redis-server.${process.pid}`)
  writeFileSync(temporary, WRAPPER)
  chmodSync(temporary, 0o755)
  renameSync(temporary, join(directory, 'redis-server'))
  return []
}
