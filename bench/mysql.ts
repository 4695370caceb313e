import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { MariadbServer } from '@holdfast/testing'
import { startMariadb } from '@holdfast/testing'
import type { System } from '../tests/support/system.ts'
import { inTurn, report } from './measure.ts'
import { backUp, registerTarget, restoreTo, watchMemory, workerOf } from './service.ts'

const SETTINGS = { 'innodb-buffer-pool-size': '256M', 'innodb-log-file-size': '512M' }
const DUMP = `mariadb-dump --defaults-file="$OPTIONS" --single-transaction --quick --routines --triggers --events --hex-blob \
  --skip-add-locks --default-character-set=utf8mb4 --max-allowed-packet=1G "$DATABASE"`
const LOAD =
  'mariadb --defaults-file="$OPTIONS" --binary-mode --default-character-set=utf8mb4 --max-allowed-packet=1G'

/** Where the standard programs find what is measured. */
interface Place {
  readonly system: System
  readonly server: MariadbServer
  readonly database: string
}

/** Backups against what people pipe `mariadb-dump` into and against mydumper, restores against `zstd -d | mariadb`. */
export async function measureMysql(system: System, megabytes: readonly number[]): Promise<void> {
  const server = await startMariadb({ settings: SETTINGS })
  try {
    for (const size of megabytes) await measureSized(system, server, size)
  } finally {
    await server.stop()
  }
}

async function measureSized(system: System, server: MariadbServer, megabytes: number): Promise<void> {
  const database = `sized_${megabytes}`
  await makeSample(server, database, megabytes)
  const size = `SELECT SUM(data_length + index_length) DIV 1000000 AS mb FROM information_schema.tables
    WHERE table_schema = ?`
  const [row] = await server.sql(null, size, [database])
  await registerTarget(system, database, server.urlOf(database))
  const place = { system, server, database }
  await compareBackups(place, `${row?.mb} MB`)
  await compareRestores(place, `${row?.mb} MB`)
}

async function compareBackups(place: Place, title: string): Promise<void> {
  const { system, database } = place
  const out = join(system.directory, 'bench-dump')
  const mydumper = `rm -rf ${out} && mydumper --defaults-file="$OPTIONS" --threads=2 --compress --triggers --events \
    --routines --database="$DATABASE" --outputdir=${out} && sync ${out}/*`
  const ways = {
    'mariadb-dump | zstd -3 -T0': () =>
      shell(place, `rm -rf ${out} && ${DUMP} | zstd -3 -T0 -q -f -o ${out} && sync ${out}`),
    'backup, counted and digested': () => backUp(system, { target: database }),
    'backup, not counted': () => backUp(system, { target: database, counting: 'off' }),
    'mariadb-dump | gzip': () => shell(place, `rm -rf ${out} && ${DUMP} | gzip > ${out} && sync ${out}`),
    ...((await isInstalled('mydumper')) ? { 'mydumper, 2 threads': () => shell(place, mydumper) } : {}),
  }
  const memory = watchMemory(workerOf(system))
  report(`backup of ${title}`, await inTurn(ways), 'ms')
  memory.report()
  await rm(out, { recursive: true, force: true })
}

async function compareRestores(place: Place, title: string): Promise<void> {
  const { system, server, database } = place
  const backupId = await backUp(system, { target: database })
  const archive = join(system.directory, 'bench-archive')
  await shell(place, `${DUMP} | zstd -3 -T0 -q -f -o ${archive}`)
  const drop = () => server.sql(null, 'DROP DATABASE IF EXISTS restored')
  const ways = {
    'zstd -d | mariadb': async () => {
      await drop()
      await server.createDatabase('restored')
      await shell({ ...place, database: 'restored' }, `zstd -d -q -c ${archive} | ${LOAD} "$DATABASE"`)
    },
    'restore, verified and swapped in': async () => {
      await drop()
      await restoreTo(system, backupId, { url: server.urlOf('restored') })
    },
  }
  const memory = watchMemory(workerOf(system))
  report(`restore of ${title}`, await inTurn(ways), 'ms')
  memory.report()
  await drop()
  await rm(archive, { force: true })
}

async function shell({ system, server, database }: Place, command: string): Promise<void> {
  const options = join(system.directory, 'bench-options.cnf')
  const { name, password } = server.administrator
  const lines = ['[client]', 'host=127.0.0.1', `port=${server.port}`, `user=${name}`, `password=${password}`]
  await writeFile(options, `${lines.join('\n')}\n`, { mode: 0o600 })
  const env = {
    PATH: `${dirname(server.programs.dump)}:${process.env.PATH}`,
    OPTIONS: options,
    DATABASE: database,
  }
  await promisify(execFile)('bash', ['-o', 'pipefail', '-c', command], { env })
}

async function isInstalled(program: string): Promise<boolean> {
  try {
    await promisify(execFile)('sh', ['-c', `command -v ${program}`])
    return true
  } catch {
    console.log(`\n${program} is not installed, and left out`)
    return false
  }
}

/** Orders, documents and random pictures, about half, a third and a sixth of the size; a view, a trigger, a routine. */
async function makeSample(server: MariadbServer, database: string, megabytes: number): Promise<void> {
  await server.createDatabase(database, 'CHARACTER SET utf8mb4')
  const statements = [
    'CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, mail varchar(100) UNIQUE)',
    `INSERT INTO customers SELECT seq, CONCAT('customer ', MD5(seq)), CONCAT(MD5(seq), '@example.org')
       FROM seq_1_to_20000`,
    `CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, customer int, amount decimal(12, 2), weight double,
       paid boolean, at datetime, status enum('open', 'sent', 'paid', 'returned'), note text, KEY (customer, at),
       FOREIGN KEY (customer) REFERENCES customers (id))`,
    `INSERT INTO orders (customer, amount, weight, paid, at, status, note)
       SELECT 1 + seq % 20000, seq * 1.37 % 10000, SQRT(seq), seq % 3 = 0, '2020-01-01' + INTERVAL seq MINUTE,
         1 + seq % 4, REPEAT(MD5(seq), 1 + seq % 3)
       FROM seq_1_to_${megabytes * 2700}`,
    'CREATE TABLE documents (id int PRIMARY KEY, content json)',
    `INSERT INTO documents SELECT seq, JSON_OBJECT('id', seq, 'tags', JSON_ARRAY(MD5(seq), seq % 10),
       'text', REPEAT(CONCAT(MD5(seq * 7), ' '), 1 + seq % 20)) FROM seq_1_to_${megabytes * 600}`,
    'CREATE TABLE pictures (id int PRIMARY KEY, bytes mediumblob)',
    `INSERT INTO pictures SELECT picture.seq, (SELECT GROUP_CONCAT(RANDOM_BYTES(1000 + 0 * (part.seq + picture.seq))
       SEPARATOR '') FROM seq_1_to_20 AS part) FROM seq_1_to_${Math.round(megabytes * 8)} AS picture`,
    'CREATE VIEW open_orders AS SELECT * FROM orders WHERE status = 1',
    'CREATE TRIGGER shout BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = UPPER(NEW.note)',
    'CREATE FUNCTION total(c int) RETURNS decimal(12, 2) READS SQL DATA RETURN (SELECT SUM(amount) FROM orders WHERE customer = c)',
    'ANALYZE TABLE customers, orders, documents, pictures',
  ]
  for (const statement of statements) await server.sql(database, statement)
}
