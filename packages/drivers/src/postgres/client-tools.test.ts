import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, startTool } from '@holdfast/core'
import { makeTemporaryDirectory } from '@holdfast/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClientTools } from './client-tools.ts'
import { chooseTools, findClientTools, Toolbox, versionText } from './client-tools.ts'

const PROGRAMS = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql']

let place: Awaited<ReturnType<typeof makeTemporaryDirectory>>
beforeEach(async () => {
  place = await makeTemporaryDirectory()
})
afterEach(() => place.remove())

/** A directory of programs that say they are of this version. */
async function install(directory: string, version: string, programs = PROGRAMS): Promise<string> {
  const path = join(place.path, directory)
  await mkdir(path, { recursive: true })
  for (const program of programs) {
    const file = join(path, program)
    await writeFile(file, `#!/bin/sh\necho "${program} (PostgreSQL) ${version}"\n`)
    await chmod(file, 0o755)
  }
  return path
}

async function find(path = '', configuredDirectory: string | null = null): Promise<readonly ClientTools[]> {
  return await findClientTools({ configuredDirectory, path }, [join(place.path, 'usr/*/bin')])
}

function refusal(found: readonly ClientTools[], version: number): AppError {
  try {
    chooseTools(found, version)
  } catch (error) {
    if (error instanceof AppError) return error
  }
  throw new Error('it was not refused')
}

describe('findClientTools', () => {
  it('finds every version in the usual places, with absolute paths', async () => {
    await install('usr/14/bin', '14.11 (Debian 14.11-1.pgdg120+1)')
    const newer = await install('usr/16/bin', '16.2')
    const found = await find()
    expect(found.map((tools) => tools.versionText).sort()).toEqual(['14.11', '16.2'])
    expect(found.find((tools) => tools.version === 160_002)).toEqual({
      directory: newer,
      pgDump: join(newer, 'pg_dump'),
      pgDumpall: join(newer, 'pg_dumpall'),
      pgRestore: join(newer, 'pg_restore'),
      psql: join(newer, 'psql'),
      version: 160_002,
      versionText: '16.2',
    })
  })

  it('looks in the configured directory first and on PATH last, each directory once', async () => {
    const configured = await install('own', '15.1')
    const onPath = await install('elsewhere', '15.3')
    const usual = await install('usr/15/bin', '15.2')
    await symlink(usual, join(place.path, 'link'))
    const found = await find(
      `relative:${onPath}:${join(place.path, 'link')}:${usual}:/no/such/place:`,
      configured,
    )
    expect(found.map((tools) => tools.versionText)).toEqual(['15.1', '15.2', '15.3'])
  })

  it('reads versions before a release', async () => {
    await install('usr/18/bin', '18beta1')
    expect((await find())[0]).toMatchObject({ version: 180_000, versionText: '18.0' })
  })

  it('passes over what is not complete, too old, broken or silent', async () => {
    await install('usr/a/bin', '15.2', PROGRAMS.slice(1))
    await install('usr/b/bin', '11.22')
    await install('usr/c/bin', '9.6.24')
    await install('usr/d/bin', 'unknown')
    const notExecutable = await install('usr/e/bin', '15.2')
    await chmod(join(notExecutable, 'psql'), 0o644)
    const failing = await install('usr/f/bin', '15.2')
    await writeFile(join(failing, 'pg_dump'), '#!/bin/sh\nexit 3\n')
    expect(await find()).toEqual([])
  })

  it("does not take Debian's wrapper, which runs whichever version it likes", async () => {
    const wrapper = join(await install('share', '15.2', ['pg_wrapper']), 'pg_wrapper')
    const directory = join(place.path, 'usr-bin')
    await mkdir(directory)
    for (const program of PROGRAMS) await symlink(wrapper, join(directory, program))
    expect(await find(directory)).toEqual([])
  })

  it('finds what is installed on this machine, which runs', async () => {
    const [tools] = await findClientTools({ configuredDirectory: null, path: process.env.PATH ?? '' })
    if (tools === undefined) throw new Error('no client of PostgreSQL is installed')
    const request = { args: ['--version'], stdin: 'ignore', stdout: 'ignore' } as const
    for (const program of [tools.pgDump, tools.pgDumpall, tools.pgRestore, tools.psql]) {
      await (await startTool({ ...request, program }, new AbortController().signal)).done
    }
  })
})

describe('chooseTools', () => {
  it.each([
    ['the same major version', 150_004, '15.1'],
    ['the next newer one', 130_004, '14.2'],
    ['the smallest newer one of several', 90_624, '14.2'],
    ['an older minor version of the same major one', 170_009, '17.0'],
  ])('takes %s for server %d', async (_, server, expected) => {
    await install('usr/b/bin', '17.0')
    await install('usr/a/bin', '14.2')
    await install('usr/c/bin', '15.1')
    expect(chooseTools(await find(), server).versionText).toBe(expected)
  })

  it('prefers the configured directory among equals, never an older client in it', async () => {
    const configured = await install('own', '15.1')
    await install('usr/15/bin', '15.9')
    await install('usr/16/bin', '16.1')
    const found = await find('', configured)
    expect(chooseTools(found, 150_010).directory).toBe(configured)
    expect(chooseTools(found, 160_000).versionText).toBe('16.1')
  })

  it('refuses older clients with both versions and the packages', async () => {
    await install('usr/14/bin', '14.2')
    await install('usr/15/bin', '15.20')
    const { code, message, hint, retryable } = refusal(await find(), 160_003)
    expect(code).toBe('TOOL_TOO_OLD')
    expect(retryable).toBe(false)
    expect(message).toBe('the server is PostgreSQL 16.3, the newest client installed is 15.20')
    for (const name of [
      'postgresql-client-16',
      'postgresql16',
      'postgresql@16',
      'HOLDFAST_POSTGRES_BIN_DIR',
    ]) {
      expect(hint).toContain(name)
    }
  })

  it('says what to install where there is nothing', () => {
    const { code, hint, retryable } = refusal([], 150_003)
    expect(code).toBe('TOOL_MISSING')
    expect(retryable).toBe(false)
    expect(hint).toContain('postgresql-client-15')
  })
})

describe('Toolbox', () => {
  const own = () => new Toolbox({ configuredDirectory: join(place.path, 'own'), path: '' }, [])

  it('looks once for what stays there', async () => {
    const directory = await install('own', '14.2')
    const asked = join(place.path, 'asked')
    await writeFile(
      join(directory, 'pg_dump'),
      `#!/bin/sh\necho >>${asked}\necho "pg_dump (PostgreSQL) 14.2"\n`,
    )
    const toolbox = own()
    await Promise.all([toolbox.toolsFor(140_000), toolbox.toolsFor(130_000)])
    await toolbox.toolsFor(140_000)
    expect(await readFile(asked, 'utf8')).toBe('\n')
  })

  it('looks again when nothing fits', async () => {
    await install('own', '14.2')
    const toolbox = own()
    await toolbox.toolsFor(140_000)
    await expect(toolbox.toolsFor(150_000)).rejects.toMatchObject({ code: 'TOOL_TOO_OLD' })
    await install('own', '15.7')
    expect((await toolbox.toolsFor(150_000)).versionText).toBe('15.7')
  })

  it('looks again when what it knew is gone', async () => {
    const directory = await install('own', '14.2')
    const toolbox = own()
    await toolbox.toolsFor(140_000)
    await rm(directory, { recursive: true })
    await expect(toolbox.toolsFor(140_000)).rejects.toMatchObject({ code: 'TOOL_MISSING' })
    await install('own', '14.3')
    expect((await toolbox.toolsFor(140_000)).versionText).toBe('14.3')
  })
})

describe('versionText', () => {
  it.each([
    [150_020, '15.20'],
    [120_000, '12.0'],
  ])('of %d is %s', (version, text) => expect(versionText(version)).toBe(text))
})
