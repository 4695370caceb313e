import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { mysqlName, mysqlQuery, openMysqlClient } from '../mysql/client.ts'
import { waitUntilGone } from '../processes.ts'
import { makeTemporaryDirectory } from '../temporary-directory.ts'
import type { MariadbServer } from './mariadb.ts'
import { startMariadb } from './mariadb.ts'
import { findMariadbPrograms, findMariadbProgramsIn } from './mariadb-programs.ts'

describe('a private MariaDB', () => {
  let server: MariadbServer

  beforeAll(async () => {
    server = await startMariadb({
      binlog: true,
      settings: { 'max-connections': 20 },
      tlsHosts: ['127.0.0.1', 'localhost'],
    })
  })
  afterAll(() => server.stop())

  it('takes the settings that it is given', async () => {
    const rows = await server.sql(
      null,
      'SELECT @@max_connections AS most, @@log_bin AS binlog, @@have_ssl AS tls',
    )
    assert.deepEqual(rows, [{ most: 20, binlog: 1, tls: 'YES' }])
  })

  it('lets nobody in without a password', async () => {
    for (const name of ['root', 'holdfast', 'mariadb.sys', ''])
      await assert.rejects(mysqlQuery(server.urlOf(null, { name, password: '' }), 'SELECT 1'), /denied/)
  })

  it('makes schemas and accounts of any name', async () => {
    const name = `-x "d"='x' \`ü/?#$(id)`
    const password = `p@:/#%'" \\`
    const account = await server.createAccount({ name, password, grants: [`SELECT ON ${mysqlName(name)}.*`] })
    const url = await server.createDatabase(name, 'CHARACTER SET latin1')
    assert.equal(url, server.urlOf(name))
    const rows = await mysqlQuery(
      server.urlOf(name, account),
      'SELECT DATABASE() AS db, CURRENT_USER() AS account, @@character_set_database AS charset',
    )
    assert.deepEqual(rows, [{ db: name, account: `${name}@%`, charset: 'latin1' }])
  })

  it('listens on a socket, and proves its name over TLS', async () => {
    const { name, password } = server.administrator
    const ask = async (...where: readonly string[]) => {
      const args = ['--no-defaults', `--user=${name}`, ...where, '-Ne', `SHOW STATUS LIKE 'Ssl_cipher'`]
      const env = { ...process.env, MYSQL_PWD: password }
      return (await promisify(execFile)(server.programs.client, args, { env })).stdout.trim()
    }
    assert.equal(await ask(`--socket=${server.socket}`, '--skip-ssl'), 'Ssl_cipher')
    const verify = [`--ssl-ca=${server.tls?.rootCertificate}`, '--ssl-verify-server-cert']
    assert.match(await ask('--host=127.0.0.1', `--port=${server.port}`, ...verify), /TLS|AES/)
  })

  it('holds the locks of a session until they are released', async () => {
    const url = await server.createDatabase()
    await mysqlQuery(url, 'CREATE TABLE held (a INT)')
    const held = await server.hold(new URL(url).pathname.slice(1), 'LOCK TABLES held WRITE')
    const waiting = mysqlQuery(url, 'SET lock_wait_timeout = 0; SELECT * FROM held')
    await assert.rejects(waiting, { errno: 1205 })
    await held.release()
    assert.deepEqual(await mysqlQuery(url, 'SET lock_wait_timeout = 0; SELECT * FROM held'), [])
  })

  it('releases a session that the server has ended', async () => {
    const held = await server.hold(null, 'SELECT 1')
    await server.sql(null, `KILL ${held.id}`)
    await held.release()
  })

  it.each(['halt', 'kill'] as const)('keeps its data after a %s', async (end) => {
    const url = await server.createDatabase()
    await mysqlQuery(url, 'CREATE TABLE t AS SELECT 1 AS a')
    const client = await openMysqlClient(url)
    const pids = await server.processes()
    assert.ok(pids.length > 0)
    await server[end]()
    assert.deepEqual(await waitUntilGone(pids), [])
    await client.end()
    await assert.rejects(server.sql(null, 'SELECT 1'), { code: 'ECONNREFUSED' })
    await server.resume()
    assert.deepEqual(await mysqlQuery(url, 'SELECT a FROM t'), [{ a: 1 }])
  })

  it('neither answers nor refuses while it is frozen, and goes on afterwards', async () => {
    await server.freeze()
    const asked = server.sql(null, 'SELECT 1 AS a')
    assert.equal(await Promise.race([asked, delay(300, 'silence')]), 'silence')
    await server.thaw()
    assert.deepEqual(await asked, [{ a: 1 }])
  })

  it('leaves nothing when it is stopped while it is frozen', async () => {
    const pids = await server.processes()
    await server.freeze()
    await server.stop()
    assert.deepEqual(await waitUntilGone(pids), [])
    assert.ok(!existsSync(server.directory))
  })
})

describe('a private MariaDB that cannot start', () => {
  it('says why, and leaves nothing', async () => {
    const directory = await makeTemporaryDirectory('mariadb')
    // servers do not run as root
    await chmod(directory.path, 0o711)
    const { TMPDIR } = process.env
    process.env.TMPDIR = directory.path
    try {
      await assert.rejects(startMariadb({ settings: { 'no-such-thing': 1 } }), /no-such-thing/)
      assert.deepEqual(await readdir(directory.path), [])
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
      await directory.remove()
    }
  })
})

describe('the programs of MariaDB', () => {
  it('are named with the command that installs them where they are missing', async () => {
    assert.deepEqual(Object.keys(await findMariadbPrograms()), ['server', 'install', 'client', 'dump'])
    await assert.rejects(
      findMariadbProgramsIn(['/nowhere', import.meta.dirname]),
      /mariadbd.*mariadb-dump.*npm run setup -- --tests.*apt-get install mariadb-server-core mariadb-client/,
    )
  })
})
