import { throwsWith } from '@holdfast/testing'
import { describe, expect, it } from 'vitest'
import { flavourOf, serverFacts, versionName, versionNumber } from './flavours.ts'

describe('a server', () => {
  // recorded answers to SELECT VERSION()
  it.each([
    ['8.0.36', 'MySQL', 80_036],
    ['8.4.3', 'MySQL', 80_403],
    ['9.1.0', 'MySQL', 90_100],
    ['5.7.44-log', 'MySQL', 50_744],
    ['8.0.39-0ubuntu0.22.04.1', 'MySQL', 80_039],
    ['8.0.36-28', 'MySQL', 80_036], // Percona Server
    ['8.0.35-27.1', 'MySQL', 80_035], // Percona XtraDB Cluster
    ['8.0.28', 'MySQL', 80_028], // Aurora 3
    ['8.0.mysql_aurora.3.05.2', 'MySQL', 80_000],
    ['8.0.31-google', 'MySQL', 80_031],
    ['8.0.37-azure', 'MySQL', 80_037],
    ['10.11.19-MariaDB-0+deb12u1', 'MariaDB', 101_119],
    ['11.4.2-MariaDB-ubu2404', 'MariaDB', 110_402],
    ['5.5.5-10.6.12-MariaDB', 'MariaDB', 100_612],
    ['5.5.5-10.5.22-MariaDB-log', 'MariaDB', 100_522],
    ['10.6.18-14-MariaDB-enterprise', 'MariaDB', 100_618],
    ['12.0.2-MariaDB', 'MariaDB', 120_002],
  ])('that says %s is %s of version %i', (text, name, version) => {
    const server = serverFacts(text)
    expect([server.flavour.name, server.version, server.versionText]).toEqual([name, version, text])
    expect(flavourOf(text)).toBe(server.flavour)
  })

  it.each(['5.6.51-log', '5.5.62', '10.4.34-MariaDB', '5.5.68-MariaDB', '5.5.5-10.1.48-MariaDB'])(
    'that says %s is too old, and is told from when on',
    (text) => {
      const error = throwsWith('UNSUPPORTED_ENGINE', () => serverFacts(text))
      expect(error.message).toMatch(/too old$/)
      expect(error.hint).toBe('supported from MariaDB 10.5.0 and MySQL 5.7.0 on')
    },
  )

  it.each(['8.0.11-TiDB-v7.5.1', '8.0.30-Vitess', '5.7.25-OceanBase-v4.2.1', '8.0.31-Dolt', '', 'Postgres'])(
    'that says %j is neither',
    (text) => {
      expect(throwsWith('UNSUPPORTED_ENGINE', () => serverFacts(text)).message).toMatch(/neither/)
    },
  )
})

describe('what differs', () => {
  it.each([
    ['8.0.36', 80_036, true],
    ['8.0.29', 80_029, false],
    ['10.5.3-MariaDB', 100_503, true],
  ])('tells where %s has its log position', (text, version, isThere) => {
    const { flavour } = serverFacts(text)
    expect(flavour.logPosition.some(({ since }) => version >= since)).toBe(isThere)
  })

  it('knows versions by number and by name', () => {
    expect([versionName(101_119), versionName(80_403), versionName(50_744)]).toEqual([
      '10.11.19',
      '8.4.3',
      '5.7.44',
    ])
    expect([versionNumber('10.11'), versionNumber('x')]).toEqual([101_100, null])
  })
})
