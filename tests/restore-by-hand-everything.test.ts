import { createWriteStream, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Attachment, UnsignedManifest } from '@holdfast/core'
import { restoreNotes } from '@holdfast/core'
import { createDriverRegistry } from '@holdfast/drivers'
import type { PostgresServer, TemporaryDirectory } from '@holdfast/testing'
import {
  fingerprintDifferences,
  makeTemporaryDirectory,
  never,
  postgresFingerprintOf,
  postgresServerFingerprintOf,
  seedEverything,
  startPostgres,
} from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { follow, storeByHand } from '../packages/core/fixtures/by-hand.ts'
import { makeManifest } from '../packages/core/fixtures/manifest.ts'

const SOURCE = `every "thing" é`
const FORMATS = ['custom', 'plain', 'directory', 'tar'] as const
type Format = (typeof FORMATS)[number]

const postgres = createDriverRegistry().byEngine('postgres')
let directory: TemporaryDirectory
let here: PostgresServer
let there: PostgresServer
let original: readonly string[]
let originalServer: readonly string[]

beforeAll(async () => {
  const start = () => startPostgres({ settings: { wal_level: 'logical' } })
  ;[directory, here, there] = await Promise.all([makeTemporaryDirectory('by-hand'), start(), start()])
  await seedEverything(
    await here.createDatabase(SOURCE, `TEMPLATE template0 ENCODING 'UTF8' LC_CTYPE 'C.UTF-8'`),
  )
  // globals bring passwords, also that of the superuser, who has one name on both
  await there.sql('postgres', `ALTER ROLE ${here.superuser.name} PASSWORD '${here.superuser.password}'`)
  original = await postgresFingerprintOf(here.urlOf(SOURCE))
  originalServer = await postgresServerFingerprintOf(here.url)
})
afterAll(async () => {
  await postgres.close()
  await Promise.all([here?.stop(), there?.stop(), directory?.remove()])
})

describe('a PostgreSQL database of everything', () => {
  it.each(FORMATS)(
    'is restored by hand from format %s, on a server that knows nothing of it',
    async (format) => {
      const database = `copy of ${format}`
      const { okLines, blocks, errors } = await readNotes(format, database)
      expect(errors.split('\n').filter((line) => !isExpected(line))).toEqual([''])
      expect(okLines).toBe(blocks)
      const restored = await postgresFingerprintOf(there.urlOf(database, here.superuser))
      expect(fingerprintDifferences(original, restored)).toEqual([])
      const server = await postgresServerFingerprintOf(there.urlOf('postgres', here.superuser))
      expect(fingerprintDifferences(originalServer, server)).toEqual([])
    },
  )
})

/** What psql says of roles that an earlier restore has made. */
function isExpected(line: string): boolean {
  return /ERROR: {2}role ".*" already exists$|NOTICE: {2}role ".*" is already a member of role ".*"$/.test(
    line,
  )
}

/** Backs the source up with the driver, and follows the notes but for the swap. */
async function readNotes(format: Format, database: string) {
  const folder = join(directory.path, format)
  mkdirSync(folder)
  const manifest = await storeBackup(format, folder)
  const passwordFile = join(folder, 'pgpass')
  const { name, password } = here.superuser
  writeFileSync(passwordFile, `*:*:*:${name}:${password}\n`, { mode: 0o600 })
  const env = { PGHOST: '127.0.0.1', PGPORT: String(there.port), PGUSER: name, PGPASSFILE: passwordFile }
  return follow(restoreNotes(manifest, postgres.restoreSteps), {
    ...{ folder, tools: directory.path, programs: dirname(there.programs.psql), to: -1 },
    env: { ...env, WORK: join(folder, 'work'), DATABASE: database },
  })
}

async function storeBackup(format: Format, folder: string): Promise<UnsignedManifest> {
  const [dumped, scratchDir] = [join(folder, 'dumped'), join(folder, 'scratch')]
  mkdirSync(scratchDir)
  const context = { pathRoots: [], scratchDir: directory.path, now: Date.now }
  const summary = await postgres.create(here.urlOf(SOURCE), context).dump(
    {
      ...{ operationId: '0195507a-1c00-7000-8000-0123456789ab', mode: 'full', format, scratchDir },
      ...{ counting: 'off', globals: 'with-passwords', filter: null },
      sink: { stream: () => createWriteStream(dumped), file: () => dumped },
      onProgress: () => {},
    },
    never,
  )
  const { extension = '' } = postgres.formats.find(({ name }) => name === format) ?? {}
  const { attachments, details, serverVersion, toolVersion } = summary
  const store = (attached: Attachment) =>
    storeByHand(folder, attached.role, attached.format, Buffer.from(attached.content), 'zstd')
  const artifacts = [
    await storeByHand(folder, 'data', extension, { file: dumped, sizeBytes: statSync(dumped).size }, 'zstd'),
    ...(await Promise.all(attachments.map(store))),
  ]
  const about = { serverVersion, toolVersion, engineDetails: details }
  return makeManifest({ engine: 'postgres', format, artifacts, compression: 'zstd', ...about })
}
