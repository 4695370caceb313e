import assert from 'node:assert/strict'
import { seededRandom, throwsWith } from '@holdfast/testing'
import { describe, it } from 'vitest'
import type { Program } from '../schema/schema-objects.ts'
import type { LoadPlan } from './load-filter.ts'
import { LoadFilter } from './load-filter.ts'

const TRIGGER =
  "CREATE DEFINER=`root`@`%` trigger if not exists shop . tr before insert on shop.`t` for each row begin -- it's; here\nset new.v = 'a\\';;'; end"
const ROUTINE = 'CREATE DEFINER=`root`@`%` FUNCTION `f`(a int) RETURNS int\n    DETERMINISTIC\nreturn a+1'

const PLAN: LoadPlan = {
  source: 'shop',
  schema: 'holdfast_new_x',
  asOwn: false,
  keepsSandbox: false,
  programs: [
    program('trigger', 'tr', TRIGGER),
    program('function', 'f', ROUTINE),
    program('view', 'v', ''),
    program('event', 'e', ''),
  ],
}

const HEAD =
  '/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB\n--\n'
const TAIL = '\n-- Dump completed on 2026-11-21  1:38:51\n'
const TABLE =
  'CREATE TABLE `t` (\n  `a` int(11) DEFAULT nextval(`shop`.`s`),\n  `shop` int\n) ENGINE=InnoDB;\n'
const ROWS =
  "INSERT INTO `t` VALUES\n(1,'a\\'b;''c',0x00FF,NULL,-1.5e-07,_binary 'x'),\n(2,'`',b'1',NULL,+3,'');\n"
const VIEW = [
  '/*!50001 CREATE ALGORITHM=UNDEFINED */',
  '/*!50013 DEFINER=`app`@`%` SQL SECURITY DEFINER */',
  "/*!50001 VIEW `v` AS select `shop`.`f`(`shop`.`a`) AS `x`,'`shop`.`f`(' AS `y` from `t` `shop` */;\n",
].join('\n')
const WRAPPED = TRIGGER.replace(
  'CREATE DEFINER=`root`@`%` ',
  '/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 ',
)
const PROGRAMS = [
  `DELIMITER ;;\n${WRAPPED} \n*/;;\nDELIMITER ;\n`,
  `DELIMITER ;;\n${ROUTINE}\n;;\nDELIMITER ;\n`,
  VIEW,
].join('')
const EVENT = [
  '/*!50106 DROP EVENT IF EXISTS `e` */;',
  'DELIMITER ;;',
  "/*!50003 SET time_zone             = 'SYSTEM' */ ;;",
  '/*!50106 CREATE*/ /*!50117 DEFINER=`root`@`%`*/ /*!50106 EVENT `e` ON SCHEDULE EVERY 1 SECOND DO begin delete from shop.t; delete from shop.u; end ',
  '*/ ;;',
  // before all but the first event it keeps its delimiter
  '/*!50106 DROP EVENT IF EXISTS `e` */;;',
  'DELIMITER ;\n',
].join('\n')

function program(kind: Program['kind'], name: string, createSql: string): Program {
  const plain = { charset: 'utf8mb4', collation: 'utf8mb4_general_ci', sqlMode: '', databaseCollation: null }
  const none = { timeZone: null, createdAt: null, table: null, orderedAfter: null, grants: [] }
  return { kind, name, createSql, encoding: 'utf8', definer: 'root@%', ...plain, ...none }
}

function filtered(
  dump: string | Buffer,
  change: Partial<LoadPlan> = {},
  sizes: () => number = () => 1 << 20,
): string {
  const filter = new LoadFilter({ ...PLAN, ...change })
  const bytes = Buffer.from(dump)
  const kept: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = sizes()
    kept.push(...filter.take(bytes.subarray(at, at + size)))
    at += size
  }
  filter.end()
  return Buffer.concat(kept).toString()
}

function around(body: string): string {
  return `${HEAD}${body}${TAIL}`
}

describe('the filter before a client that loads', () => {
  it('lets rows through as they are, and the sandbox line only to those who know it', () => {
    const dump = around(TABLE.replace('`shop`.', '') + ROWS)
    assert.equal(filtered(dump, { keepsSandbox: true }), dump)
    assert.equal(filtered(dump), dump.slice(dump.indexOf('\n') + 1))
  })

  it('moves what names its own schema, and neither texts nor what only has the same name', () => {
    const moved = filtered(around(TABLE + VIEW))
    assert.ok(moved.includes('nextval(`holdfast_new_x`.`s`)'), moved)
    assert.ok(moved.includes('select `holdfast_new_x`.`f`(`shop`.`a`) AS `x`'), moved)
    assert.ok(moved.includes("'`shop`.`f`(' AS `y` from `t` `shop`"), moved)
    assert.ok(moved.includes('`shop` int'), moved)
  })

  it('makes triggers of any schema, which may name their own', () => {
    const moved = filtered(around(PROGRAMS))
    assert.match(
      moved,
      /trigger if not exists `holdfast_new_x` . tr before insert on `holdfast_new_x`.`t` for each row/,
    )
  })

  it('leaves out events with all their statements', () => {
    const moved = filtered(around(TABLE + EVENT))
    assert.ok(!/EVENT|delete/i.test(moved), moved)
  })

  it('keeps definers, or makes whoever loads that of everything', () => {
    assert.equal(filtered(around(PROGRAMS)).match(/DEFINER=`(?:root`@`%|app`@`%)`/g)?.length, 3)
    const replaced = filtered(around(PROGRAMS), { asOwn: true })
    assert.equal(replaced.match(/DEFINER=CURRENT_USER(?!`)/g)?.length, 3)
    assert.ok(!/`root`|`app`/.test(replaced))
  })

  it('gives the same whatever the pieces are that a dump comes in', () => {
    const dump = around(TABLE + ROWS + EVENT + PROGRAMS + ROWS.replace('(1', '(3'))
    const whole = filtered(dump)
    const random = seededRandom(1)
    for (let round = 0; round < 50; round += 1) {
      assert.equal(
        filtered(dump, {}, () => 1 + Math.floor(random() * 40)),
        whole,
      )
    }
  })

  it('moves the schema that is altered around a program of another collation', () => {
    const moved = filtered(around('ALTER DATABASE `shop` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;\n'))
    assert.ok(moved.includes('ALTER DATABASE `holdfast_new_x` CHARACTER SET latin1'), moved)
  })

  it('knows the object of each line that the client complains about', () => {
    const filter = new LoadFilter(PLAN)
    const out = Buffer.concat([...filter.take(Buffer.from(around(TABLE + ROWS + PROGRAMS)))])
    const lineOf = (text: string) =>
      out
        .toString()
        .split('\n')
        .findIndex((line) => line.includes(text)) + 1
    assert.equal(filter.objectAt(lineOf('CREATE TABLE')), 'table t')
    assert.equal(filter.objectAt(lineOf("(2,'`'")), 'the rows of t')
    assert.equal(filter.objectAt(lineOf('CREATE*/')), 'trigger tr')
    assert.equal(filter.objectAt(lineOf('VIEW `v`')), 'view v')
    assert.equal(filter.objectAt(1), null)
  })
})

describe('what no dump of one schema holds', () => {
  const foreign: readonly (readonly [what: string, sql: string])[] = [
    ['USE', 'USE live;'],
    ['another case of it', '/*!50000 uSe `live`*/;'],
    ['a schema', 'CREATE DATABASE `live`;'],
    ['rows of another schema', 'INSERT INTO `live`.`t` VALUES (1);'],
    ['rows that are read', 'INSERT INTO `t` SELECT * FROM `live`.`t`;'],
    ['rows that are computed', 'INSERT INTO `t` VALUES (`live`.`f`());'],
    ['a word among rows', 'INSERT INTO `t` VALUES (1,DEFAULT);'],
    ['a second statement behind rows', 'INSERT INTO `t` VALUES (1);DELETE FROM `live`.`t`;'],
    ['rows that replace others', 'INSERT INTO `t` VALUES (1) ON DUPLICATE KEY UPDATE `a`=1;'],
    ['a table of another schema', 'CREATE TABLE `live`.`t` (`a` int);'],
    ['a table that reads another', 'CREATE TABLE `t` (`a` int) SELECT * FROM `live`.`t`;'],
    ['a table that is dropped elsewhere', 'DROP TABLE IF EXISTS `live`.`t`;'],
    ['a second table that is dropped', 'DROP TABLE IF EXISTS `a`, `live`.`t`;'],
    ['a statement behind one', 'DROP TABLE IF EXISTS `a`; DROP TABLE `live`.`t`;'],
    ['changes', 'UPDATE `live`.`t` SET a = 1;'],
    ['a global setting', 'SET GLOBAL event_scheduler=ON;'],
    ['one of them in a session', '/*!50000 SET @@GLOBAL.gtid_purged=1*/;'],
    ['a setting that is computed', 'SET sql_mode=(SELECT `live`.`f`());'],
    ['a password', "SET PASSWORD='x';"],
    ['an account', "CREATE USER x@y IDENTIFIED BY 'z';"],
    ['a prepared statement', "PREPARE s FROM 'DROP TABLE x';"],
    ['another schema altered', 'ALTER DATABASE `live` CHARACTER SET latin1 COLLATE latin1_bin;'],
    ['a command of the client', '\\! rm x'],
    ['its character set', '\\C gbk'],
    ['a delimiter', 'DELIMITER //'],
    ['a file', "LOAD DATA INFILE '/etc/passwd' INTO TABLE `t`;"],
    ['a call', 'CALL `live`.`p`();'],
    ['a comment that is no comment', '/*! DELETE FROM live.t */;'],
    ['a view of another schema', '/*!50001 CREATE VIEW `live`.`v` AS SELECT 1 */;'],
    ['a sequence set elsewhere', 'DO SETVAL(`live`.`s`, 1, 0);'],
  ]

  it.each(foreign)('is refused: %s', (_what, sql) => {
    const filter = new LoadFilter(PLAN)
    throwsWith('ARTIFACT_CORRUPT', () => {
      const kept = filter.take(Buffer.from(around(`${sql}\n`)))
      assert.ok(
        !Buffer.concat([...kept])
          .toString()
          .includes('live'),
        'it went on',
      )
      filter.end()
    })
  })

  const hidden: readonly (readonly [what: string, body: string])[] = [
    ['a program of another schema', 'CREATE DEFINER=`a`@`b` FUNCTION `live`.`f`() RETURNS int RETURN 1'],
    ['a statement behind a program', `${ROUTINE}; DELETE FROM live.t`],
    ['a program that the source had not', ROUTINE.replace('`f`', '`g`')],
    ['another program of its name', ROUTINE.replace('a+1', 'a+2')],
    ['a trigger of another schema', TRIGGER.replaceAll('shop', 'live')],
    ['a trigger on a table of another schema', TRIGGER.replace('on shop', 'on live')],
    ['a statement of rows', 'INSERT INTO t VALUES (1)'],
  ]

  it.each(hidden)('is refused among programs: %s', (_what, body) => {
    throwsWith('ARTIFACT_CORRUPT', () => filtered(around(`DELIMITER ;;\n${body}\n;;\nDELIMITER ;\n`)))
  })

  it('is refused also behind a name or a comment with a line break', () => {
    for (const hostile of ['a\nUSE live;\n', 'a`;\nUSE live;\n--', "a';\nUSE live;\n-- "]) {
      const quoted = `\`${hostile.replaceAll('`', '``')}\``
      const dump = around(
        `CREATE TABLE ${quoted} (\n  \`a\` int COMMENT 'x;\\nUSE live;'\n) ENGINE=InnoDB;\n`,
      )
      assert.ok(filtered(dump).includes(quoted), 'names may hold what they like')
      throwsWith('ARTIFACT_CORRUPT', () => filtered(around(`--\n-- Table structure for table ${hostile}\n`)))
    }
  })

  it('is refused: rows of a table whose rows lie elsewhere', () => {
    const table = TABLE.replace('InnoDB', "FEDERATED CONNECTION='mysql://live'")
    throwsWith('ARTIFACT_CORRUPT', () => filtered(around(table + ROWS)))
  })
})

describe('a dump that is not whole', () => {
  const dump = around(TABLE + ROWS + EVENT + PROGRAMS)

  it('is refused wherever it ends', () => {
    for (let size = 0; size < dump.length - 1; size += 1) {
      throwsWith('ARTIFACT_CORRUPT', () => filtered(dump.slice(0, size)))
    }
    filtered(dump)
  })

  it('is refused with something behind its end', () => {
    for (const more of [ROWS, 'SET NAMES utf8mb4;\n', '-- more']) {
      throwsWith('ARTIFACT_CORRUPT', () => filtered(dump + more))
    }
  })

  it('is refused if it never was one', () => {
    for (const other of ['', 'PGDMP', '\x1f\x8b\x08', ROWS, TABLE]) {
      throwsWith('ARTIFACT_CORRUPT', () => filtered(other))
    }
  })
})
