import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findLayerViolations } from './layers.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-layers-'))
  await manifest('.', {}, ['vitest', '@holdfast/catalog'])
  for (const name of ['core', 'catalog', 'drivers', 'queue', 'client']) {
    await manifest(
      `packages/${name}`,
      ['@holdfast/core', '@holdfast/queue', 'typebox', 'pg'],
      ['@holdfast/testing'],
    )
  }
  const ofApp = ['@holdfast/core', '@holdfast/catalog', '@holdfast/client', '@holdfast/api-app', 'fastify']
  await manifest('apps/api', ofApp)
  await manifest('apps/cli', ofApp)
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function manifest(
  home: string,
  dependencies: readonly string[] | object,
  devDependencies: readonly string[] = [],
): Promise<void> {
  const versions = (names: readonly string[] | object): object =>
    Array.isArray(names) ? Object.fromEntries(names.map((name) => [name, '1.0.0'])) : names
  const text = { dependencies: versions(dependencies), devDependencies: versions(devDependencies) }
  await write(join(home, 'package.json'), JSON.stringify(text))
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}

/** The violations of a tree that consists of this one file. */
async function violations(path: string, text: string): Promise<readonly string[]> {
  await write(path, text)
  return findLayerViolations(root)
}

describe('the layer rules', () => {
  it.each([
    ['packages/core/src/a.ts', `import { Pool } from 'pg'`, 'core imports node:*'],
    ['packages/core/src/a.ts', `import type { X } from '@holdfast/queue'`, 'core imports node:*'],
    ['packages/catalog/src/a.ts', `import { q } from '@holdfast/queue'`, 'adapters import core only'],
    ['packages/catalog/src/a.ts', `export { q } from '@holdfast/queue'`, 'adapters import core only'],
    ['packages/catalog/src/a.ts', `export * from '@holdfast/queue'`, 'adapters import core only'],
    ['packages/catalog/src/a.ts', `await import('@holdfast/queue')`, 'adapters import core only'],
    ['packages/catalog/src/a.ts', `import '@holdfast/queue/part'`, 'adapters import core only'],
    ['packages/catalog/src/a.ts', `import { q } from '../../queue/src/q.ts'`, 'imported by name'],
    ['packages/catalog/src/a.test.ts', `import { q } from '../../queue/src/q.ts'`, 'imported by name'],
    ['packages/client/src/a.ts', `import { x } from '@holdfast/core'`, 'may import its types only'],
    [
      'packages/drivers/src/mysql/a.ts',
      `import { x } from '../sqlite/x.ts'`,
      'does not import another engine',
    ],
    [
      'packages/drivers/src/client-server/a.ts',
      `import { x } from '../mysql/x.ts'`,
      'does not import another engine',
    ],
    [
      'packages/catalog/src/a.ts',
      `import { x } from './testing/fake.ts'`,
      'only tests import what is for tests',
    ],
    [
      'packages/catalog/src/a.ts',
      `import { x } from '@holdfast/core/testing'`,
      'only tests import what is for',
    ],
    ['apps/api/src/routes/a.ts', `import { x } from '@holdfast/catalog'`, 'only compose.ts and main.ts'],
    ['apps/api/src/routes/a.ts', `import type { X } from '@holdfast/catalog'`, 'only compose.ts and main.ts'],
    [
      'apps/api/src/routes/compose.ts',
      `import { x } from '@holdfast/catalog'`,
      'only compose.ts and main.ts',
    ],
    ['apps/cli/src/main.ts', `import { x } from '@holdfast/api-app'`, 'an app does not import api-app'],
    ['apps/api/src/main.ts', `import { x } from '@holdfast/client'`, 'an app does not import client'],
    [
      'packages/catalog/src/a.ts',
      `import { sql } from 'kysely'`,
      'packages/catalog/package.json does not declare it',
    ],
    [
      'packages/catalog/src/a.ts',
      `import { it } from 'vitest'`,
      'packages/catalog/package.json does not declare it',
    ],
    ['scripts/a.ts', `import { x } from 'fastify'`, 'package.json does not declare it'],
  ])('refuse in %s: %s', async (path, text, why) => {
    const found = await violations(path, text)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`${path} imports `)
    expect(found[0]).toContain(why)
  })

  it.each([
    ['packages/core/src/a.ts', `import { join } from 'node:path'; import { Type } from 'typebox/type'`],
    [
      'packages/catalog/src/sql/a.ts',
      `import { AppError } from '@holdfast/core'; import { x } from '../x.ts'`,
    ],
    ['packages/catalog/src/a.test.ts', `import { it } from 'vitest'; import { x } from '@holdfast/testing'`],
    ['packages/catalog/src/testing/a.ts', `import { x } from '@holdfast/testing'`],
    ['packages/catalog/src/a.test.ts', `import { x } from '../fixtures/x.ts'`],
    [
      'packages/catalog/fixtures/x.ts',
      `import { x } from '@holdfast/testing'; import y from '../package.json'`,
    ],
    ['packages/client/src/a.ts', `import type { X } from '@holdfast/core'`],
    ['packages/drivers/src/mysql/a.ts', `import { x } from '../tool/x.ts'`],
    ['packages/drivers/src/mysql/a.ts', `import { x } from '../client-server/x.ts'`],
    ['packages/drivers/src/index.ts', `import { x } from './sqlite/x.ts'`],
    ['apps/api/src/compose.ts', `import { x } from '@holdfast/catalog'`],
    ['apps/api/src/routes/a.ts', `import { x } from '@holdfast/core'; import { fastify } from 'fastify'`],
    ['apps/cli/src/commands/a.ts', `import { x } from '@holdfast/client'`],
    ['tests/a.test.ts', `import { x } from '@holdfast/catalog'`],
    [
      'packages/catalog/src/a.ts',
      `// import { x } from '@holdfast/queue'\nexport const text = "import 'pg2'"`,
    ],
  ])('allow in %s: %s', async (path, text) => {
    expect(await violations(path, text)).toEqual([])
  })

  it('refuse what they cannot read', async () => {
    await expect(violations('packages/core/src/a.ts', 'import {')).rejects.toThrow(
      /packages\/core\/src\/a\.ts/,
    )
  })
})
