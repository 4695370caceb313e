import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import type { System } from '../tests/support/system.ts'
import { inTurn, report } from './measure.ts'
import { backUp, registerTarget, restoreTo, watchMemory, workerOf } from './service.ts'

/** Backups against what people pipe `pg_dump` into, restores against `pg_restore -j2`. */
export async function measurePostgres(system: System, megabytes: readonly number[]): Promise<void> {
  const server = await startPostgres({ settings: { shared_buffers: '256MB', max_wal_size: '4GB' } })
  try {
    for (const size of megabytes) await measureSized(system, server, size)
  } finally {
    await server.stop()
  }
}

async function measureSized(system: System, server: PostgresServer, megabytes: number): Promise<void> {
  const database = `sized_${megabytes}`
  await makeSample(server, database, megabytes)
  const [row] = await server.sql(database, 'select pg_database_size(current_database()) / 1000000 as mb')
  await registerTarget(system, `sized-${megabytes}`, server.urlOf(database))
  await compareBackups(system, server, database, `${row?.mb} MB`)
  await compareRestores(system, server, database, `${row?.mb} MB`)
}

async function compareBackups(
  system: System,
  server: PostgresServer,
  database: string,
  title: string,
): Promise<void> {
  const target = database.replace('_', '-')
  const out = join(system.directory, 'bench-dump')
  const dump = `pg_dump -d "$URL"`
  const ways = {
    'pg_dump | zstd -3 -T0': () =>
      shell(server, database, `${dump} | zstd -3 -T0 -q -f -o ${out} && sync ${out}`),
    'backup, counted and digested': () => backUp(system, { target }),
    'backup, not counted': () => backUp(system, { target, counting: 'off' }),
    'pg_dump -Fc': () => shell(server, database, `${dump} -Fc -f ${out} && sync ${out}`),
    'pg_dump | gzip -9': () => shell(server, database, `${dump} | gzip -9 > ${out} && sync ${out}`),
  }
  const memory = watchMemory(workerOf(system))
  report(`backup of ${title}`, await inTurn(ways), 'ms')
  memory.report()
  await rm(out, { force: true })
}

async function compareRestores(
  system: System,
  server: PostgresServer,
  database: string,
  title: string,
): Promise<void> {
  const backupId = await backUp(system, { target: database.replace('_', '-') })
  const archive = join(system.directory, 'bench-archive')
  await shell(server, database, `pg_dump -d "$URL" -Fc -f ${archive}`)
  const drop = () => server.sql('postgres', 'drop database if exists restored with (force)')
  const ways = {
    'pg_restore -j2': async () => {
      await drop()
      await server.createDatabase('restored', 'template template0')
      await shell(server, 'restored', `pg_restore -j2 --exit-on-error -d "$URL" ${archive}`)
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

async function shell(server: PostgresServer, database: string, command: string): Promise<void> {
  const bin = join(server.programs.postgres, '..')
  const env = { PATH: `${bin}:${process.env.PATH}`, URL: server.urlOf(database) }
  await promisify(execFile)('bash', ['-o', 'pipefail', '-c', command], { env })
}

/** Orders, documents and random pictures, about half, a third and a sixth of the size. */
async function makeSample(server: PostgresServer, database: string, megabytes: number): Promise<void> {
  await server.createDatabase(database)
  await server.sql(
    database,
    `create extension if not exists pgcrypto;
    create table customers (id int primary key, name text not null, mail text unique);
    insert into customers select g, 'customer ' || md5(g::text), md5(g::text) || '@example.org'
      from generate_series(1, 20000) g;
    create table orders (id bigint generated always as identity primary key, customer int references customers,
      amount numeric(12, 2), weight float8, paid boolean, at timestamptz, status text, note text);
    insert into orders (customer, amount, weight, paid, at, status, note)
      select 1 + g % 20000, g * 1.37 % 10000, sqrt(g), g % 3 = 0, timestamptz '2020-01-01' + g * interval '1 minute',
        (array['open', 'sent', 'paid', 'returned'])[1 + g % 4], repeat(md5(g::text), 1 + g % 3)
      from generate_series(1, ${megabytes * 2700}) g;
    create index on orders (customer, at);
    create table documents (id int primary key, content jsonb);
    insert into documents select g, jsonb_build_object('id', g, 'tags', jsonb_build_array(md5(g::text), g % 10),
        'text', repeat(md5((g * 7)::text) || ' ', 1 + g % 20))
      from generate_series(1, ${megabytes * 600}) g;
    create table pictures (id int primary key, bytes bytea);
    insert into pictures select g, (select string_agg(gen_random_bytes(1000), '') from generate_series(1, 20 + g - g))
      from generate_series(1, ${Math.round(megabytes * 8)}) g;`,
  )
  await server.sql(database, 'vacuum analyze')
}
