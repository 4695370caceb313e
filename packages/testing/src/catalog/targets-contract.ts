import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { rejectsWith } from '../rejects-with.ts'
import { targetCalled, unused, useBench } from './bench.ts'
import { FAILED } from './endings.ts'
import type { CatalogSubject } from './subject.ts'

/** Targets: their names, what is told of them, and when they may go. */
export function describeTargets(subject: CatalogSubject): void {
  describe('targets', () => {
    const bench = useBench(subject)
    describeKeeping(bench)
    describeListing(bench)
    describeRemoving(bench)
  })
}

type Bench = ReturnType<typeof useBench>

function describeKeeping(bench: Bench): void {
  it('gives back a target as it was added, without its sealed URL', async () => {
    const { catalog, clock } = bench()
    const name = unused('target')
    const asked = {
      ...targetCalled(name),
      environment: 'production',
      labels: { team: 'shop', empty: '' },
      options: { include: ['/srv/files'], compression: 'gzip' as const },
    }
    const added = await catalog.targets.add(asked)
    const { sealedUrl, ...shown } = asked
    const { id, ...rest } = added
    assert.deepEqual(rest, { ...shown, createdAt: clock.iso(), updatedAt: clock.iso() })
    assert.match(id, /^[0-9a-f-]{36}$/)
    assert.deepEqual(await catalog.targets.get(name), added)
    assert.equal(await catalog.targets.sealedUrl(name), sealedUrl)
    assert.ok(!JSON.stringify(added).includes(sealedUrl))
  })

  it('changes only what it is told to', async () => {
    const { catalog, clock } = bench()
    const name = await bench().target({ environment: 'test', labels: { a: '1' } })
    const before = await catalog.targets.get(name)
    clock.advance(1000)
    const relabelled = await catalog.targets.change(name, { labels: { b: '2' } })
    assert.deepEqual(relabelled, { ...before, labels: { b: '2' }, updatedAt: clock.iso() })
    const moved = await catalog.targets.change(name, {
      environment: null,
      connection: { sealedUrl: 'new', displayUrl: 'sqlite:///new.db', lockKey: 'new' },
      options: { verify: 'restore' },
    })
    const expected = { displayUrl: 'sqlite:///new.db', lockKey: 'new', options: { verify: 'restore' } }
    assert.deepEqual(moved, { ...relabelled, environment: null, ...expected })
    assert.equal(await catalog.targets.sealedUrl(name), 'new')
  })

  it('knows no target that was never added', async () => {
    const { targets } = bench().catalog
    await rejectsWith('TARGET_NOT_FOUND', targets.get('nobody'))
    await rejectsWith('TARGET_NOT_FOUND', targets.sealedUrl('nobody'))
    await rejectsWith('TARGET_NOT_FOUND', targets.change('nobody', { labels: {} }))
    await rejectsWith('TARGET_NOT_FOUND', targets.remove('nobody'))
  })

  it('gives a name once, also when ten ask for it together', async () => {
    const openings = await bench().openings(3)
    const name = unused('target')
    const asked = Array.from({ length: 10 }, (_, index) =>
      openings[index % openings.length]?.targets.add(targetCalled(name)),
    )
    const results = await Promise.allSettled(asked)
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    await rejectsWith('TARGET_EXISTS', bench().catalog.targets.add(targetCalled(name)))
  })

  it.each(['nul\0', 'half \ud800'])('refuses a label that is no text: %j', async (text) => {
    const { targets } = bench().catalog
    await rejectsWith(
      'INVALID_REQUEST',
      targets.add({ ...targetCalled(unused('target')), labels: { a: text } }),
    )
    await rejectsWith(
      'INVALID_REQUEST',
      targets.add({ ...targetCalled(unused('target')), labels: { [text]: 'a' } }),
    )
  })
}

function describeListing(bench: Bench): void {
  it('lists an environment page by page, newest first', async () => {
    const environment = unused('environment')
    const names: string[] = []
    for (let index = 0; index < 5; index += 1) names.unshift(await bench().target({ environment }))
    await bench().target({ environment: unused('environment') })
    const { targets } = bench().catalog
    const listed: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof targets.list>> = await targets.list(
        { environment },
        { limit: 2, cursor },
      )
      assert.equal(page.total, 5)
      assert.ok(page.items.length <= 2)
      listed.push(...page.items.map((target) => target.name))
      cursor = page.nextCursor
    } while (cursor !== null)
    assert.deepEqual(listed, names)
  })

  it('ends with the last item, without an empty page after it', async () => {
    const environment = unused('environment')
    await bench().target({ environment })
    await bench().target({ environment })
    const page = await bench().catalog.targets.list({ environment }, { limit: 2, cursor: null })
    assert.equal(page.items.length, 2)
    assert.equal(page.nextCursor, null)
  })

  it('refuses a limit out of range and a cursor that it did not return', async () => {
    const { targets, audit } = bench().catalog
    for (const limit of [0, -1, 201, 1.5, Number.NaN]) {
      await rejectsWith('INVALID_REQUEST', targets.list({}, { limit, cursor: null }))
    }
    await bench().target()
    await bench().target()
    const { nextCursor } = await targets.list({}, { limit: 1, cursor: null })
    assert.ok(nextCursor !== null)
    for (const cursor of [
      '',
      'x',
      '0',
      `${nextCursor}=`,
      `${nextCursor} `,
      nextCursor.slice(1),
      '../..',
      'a'.repeat(5000),
    ]) {
      await rejectsWith('INVALID_REQUEST', targets.list({}, { limit: 1, cursor }))
    }
    await rejectsWith('INVALID_REQUEST', audit.list({ limit: 1, cursor: nextCursor }))
  })
}

function describeRemoving(bench: Bench): void {
  it('removes a target for good: its name is never used again, its backups stay', async () => {
    const { catalog } = bench()
    const environment = unused('environment')
    const name = await bench().target({ environment })
    const backup = await bench().completedBackup(name)
    await catalog.targets.remove(name)
    await rejectsWith('TARGET_NOT_FOUND', catalog.targets.get(name))
    await rejectsWith('TARGET_NOT_FOUND', catalog.targets.sealedUrl(name))
    await rejectsWith('TARGET_NOT_FOUND', catalog.targets.change(name, { labels: {} }))
    await rejectsWith('TARGET_NOT_FOUND', catalog.targets.remove(name))
    await rejectsWith('TARGET_EXISTS', catalog.targets.add(targetCalled(name)))
    assert.equal((await catalog.targets.list({ environment }, { limit: 10, cursor: null })).total, 0)
    assert.deepEqual(await catalog.backups.get(backup.id), backup)
    assert.deepEqual(await catalog.backups.latest(name, null), backup)
  })

  it('is busy until every operation on it is finished', async () => {
    const { catalog } = bench()
    const name = await bench().target()
    const operation = await bench().acceptBackup(name)
    await rejectsWith('TARGET_BUSY', catalog.targets.remove(name))
    const { held } = await bench().start(operation)
    await rejectsWith('TARGET_BUSY', catalog.targets.remove(name))
    await catalog.operations.end(held, FAILED)
    await catalog.targets.remove(name)
  })

  it('is either removed or backed up when both are asked for together', async () => {
    const [one, other] = await bench().openings(2)
    for (let round = 0; round < 10; round += 1) {
      const name = await bench().target()
      const [removed, accepted] = await Promise.allSettled([
        one?.targets.remove(name),
        other?.operations.accept(bench().askBackup(name)),
      ])
      assert.notEqual(removed.status, accepted.status)
    }
  })
}
