import { runStatement } from '../schema/create-program.ts'
import type { Session } from '../session.ts'

/** A program, and how the session was set that made it. */
interface Made {
  readonly sql: string
  /** Each character is a byte. */
  readonly bytes?: boolean
  readonly settings?: string
}

const LATIN1 = 'character_set_client = latin1, collation_connection = latin1_swedish_ci'
const ORACLE = "sql_mode = 'ORACLE'"
const SJIS = 'character_set_client = sjis, collation_connection = sjis_bin'

const TABLES = [
  "CREATE TABLE t (a INT PRIMARY KEY, v VARCHAR(40), b VARBINARY(9) DEFAULT X'ff41')",
  'CREATE TABLE `on` (`before` INT, `for each row` INT)',
  'CREATE TABLE log (at INT AUTO_INCREMENT PRIMARY KEY, said VARCHAR(40))',
  'CREATE SEQUENCE s',
  "CREATE TABLE numbered (a INT DEFAULT NEXTVAL(s), b VARCHAR(20) DEFAULT 'nextval(`s`)')",
]

/** Programs of every kind, made in all the ways that matter to how they are kept. */
const PROGRAMS: readonly Made[] = [
  { sql: "CREATE FUNCTION one(x INT) RETURNS INT DETERMINISTIC COMMENT 'it''s `x`.`y`' RETURN x + 1" },
  {
    sql: 'CREATE FUNCTION greet() RETURNS VARCHAR(20) CHARSET utf8mb4 NO SQL RETURN "gr\xfc\xdf"',
    bytes: true,
    settings: LATIN1,
  },
  // the second byte of the first character is a backslash, the one of the second a backtick
  {
    sql: 'CREATE PROCEDURE kanji() SELECT "\x95\x5c", "\x83\x60" /* \x95\x5c */',
    bytes: true,
    settings: SJIS,
  },
  { sql: "CREATE FUNCTION no_text() RETURNS VARBINARY(9) NO SQL RETURN _binary '\xff\xfe'", bytes: true },
  { sql: "CREATE FUNCTION emoji() RETURNS TEXT CHARSET utf8mb4 NO SQL RETURN '🐘' -- 数" },
  { sql: 'CREATE FUNCTION "o ra"(x INT) RETURN INT AS BEGIN RETURN x || 1; END', settings: ORACLE },
  { sql: 'CREATE PACKAGE pack AS FUNCTION f RETURN INT; END', settings: ORACLE },
  {
    sql: "CREATE PACKAGE BODY pack AS FUNCTION f RETURN INT AS BEGIN RETURN '\\'; END; END",
    settings: "sql_mode = 'ORACLE,NO_BACKSLASH_ESCAPES'",
  },
  {
    sql: 'CREATE AGGREGATE FUNCTION total(x INT) RETURNS INT BEGIN DECLARE s INT DEFAULT 0; DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN s; LOOP FETCH GROUP NEXT ROW; SET s = s + x; END LOOP; END',
  },
  { sql: 'CREATE TRIGGER late BEFORE INSERT ON t FOR EACH ROW SET NEW.v = CONCAT(NEW.v, 1)' },
  { sql: 'CREATE TRIGGER early BEFORE INSERT ON t FOR EACH ROW PRECEDES late SET NEW.v = CONCAT(NEW.v, 0)' },
  {
    sql: 'CREATE TRIGGER `mid` BEFORE INSERT ON `t` FOR EACH ROW FOLLOWS `early` SET NEW.v = "\xfc"',
    bytes: true,
    settings: LATIN1,
  },
  {
    sql: 'CREATE /* TRIGGER ON x */ DEFINER=`nobody`@\'%\' TRIGGER IF NOT EXISTS src.`on`AFTER UPDATE ON `src`.`on`FOR EACH ROW INSERT INTO log (said) VALUES ("on")',
  },
  { sql: 'CREATE TRIGGER "an si" AFTER DELETE ON "t" FOR EACH ROW BEGIN NULL; END', settings: ORACLE },
  { sql: "CREATE VIEW z_first AS SELECT a, one(a) b, '`src`.`one`(' c FROM t" },
  {
    sql: 'CREATE DEFINER=nobody@`%` SQL SECURITY INVOKER VIEW a_second AS SELECT * FROM z_first WHERE b > 1 WITH CASCADED CHECK OPTION',
  },
  {
    sql: 'CREATE ALGORITHM=TEMPTABLE VIEW latin AS SELECT "gr\xfc\xdf" AS `n\xe4me`, X\'ff\' AS x, one(1) AS f',
    bytes: true,
    settings: LATIN1,
  },
  { sql: 'CREATE VIEW src_alias AS SELECT `src`.a, one(`src`.a) f FROM t AS src' },
  {
    sql: 'CREATE VIEW abroad AS SELECT t.a, o.a AS b FROM t JOIN other.o ON o.a = t.a WHERE EXTRACT(YEAR FROM t.v) > 1',
  },
  {
    sql: "CREATE EVENT hourly ON SCHEDULE EVERY 1 HOUR STARTS '2020-01-01 10:00:00' ENDS '2037-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'c''c' DO SELECT '🐘'",
    settings: "time_zone = '+05:30'",
  },
  {
    sql: "CREATE EVENT over_long_ago ON SCHEDULE AT '2021-01-01 00:00:00' DO DELETE FROM t",
    settings: 'timestamp = 1577836800',
  },
  {
    sql: "CREATE EVENT named ON SCHEDULE EVERY 3 DAY STARTS '2021-03-28 02:30:00' DISABLE ON SLAVE DO BEGIN END",
  },
]

const RESET =
  "SET SESSION sql_mode = '', SESSION time_zone = '+00:00', SESSION timestamp = DEFAULT, SESSION character_set_client = utf8mb4, SESSION collation_connection = utf8mb4_bin"

/** Fills the session's schema, which must be `src` and empty; there must be a table `other`.`o`. */
export async function makePrograms(session: Session): Promise<void> {
  for (const sql of TABLES) await session.query(sql)
  for (const { sql, bytes, settings } of PROGRAMS) {
    await session.query(RESET)
    if (settings !== undefined) await session.query(`SET ${settings}`)
    await runStatement(session, { sql, encoding: bytes ? 'binary' : 'utf8' })
  }
  await session.query(RESET)
}
