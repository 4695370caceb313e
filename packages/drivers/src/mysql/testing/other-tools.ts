import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Toolbox } from '../client-tools.ts'
import type { DumpBench } from './dump-bench.ts'

/**
 * Programs of which the dump program does what a shell script says, in which `$real` is the installed one. Asked for
 * its version it answers like that.
 */
export async function otherTools(bench: DumpBench, script: string): Promise<Toolbox> {
  const directory = await bench.makeDirectory('tools')
  const { dump, client } = bench.server.programs
  const asked = `case "$1" in --version|-V) exec "$real" --version;; esac`
  await write(join(directory, 'mariadb-dump'), [`real='${dump}'`, asked, script])
  await write(join(directory, 'mariadb'), [`exec '${client}' "$@"`])
  return new Toolbox({ configuredDirectory: directory, path: process.env.PATH ?? '' }, [])
}

async function write(file: string, lines: readonly string[]): Promise<void> {
  await writeFile(file, `#!/bin/sh\n${lines.join('\n')}\n`)
  await chmod(file, 0o755)
}
