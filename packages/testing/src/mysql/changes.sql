-- a sum by its last digit => rows numbers
UPDATE numbers SET de = de + 0.00000000000000000000000000000000000001 WHERE id = 2
-- a bit => rows numbers
UPDATE numbers SET b64 = b64 ^ 1 WHERE id = 2
-- nothing instead of a zero => rows numbers
UPDATE numbers SET bi = NULL WHERE id = 1
-- a row that is gone => rows numbers
DELETE FROM numbers WHERE id = 3
-- the next number => table numbers: auto_increment
ALTER TABLE numbers AUTO_INCREMENT = 4000000001
-- a zero date => rows moments
UPDATE IGNORE moments SET d = NULL, touched = touched WHERE id = 1
-- an hour => rows moments
UPDATE moments SET ts6 = ts6 + INTERVAL 1 HOUR, touched = touched WHERE id = 2
-- a millionth of a second => rows moments
UPDATE moments SET t6 = '00:00:00.000002', touched = touched WHERE id = 2
-- a letter's case => rows texts
UPDATE texts SET v = UPPER(v) WHERE id = 1
-- a space at the end => rows texts
UPDATE texts SET v = CONCAT(v, ' ') WHERE id = 3
-- an emoji that became a question mark => rows texts
UPDATE texts SET l = REPLACE(l, _utf8mb4 X'F09F9880', '?') WHERE id = 1
-- the middle of a long text => rows texts
UPDATE texts SET m = CONCAT(LEFT(m, 50000), 'X', SUBSTR(m, 50002)) WHERE id = 2
-- an empty member that stands for an error => rows texts
UPDATE IGNORE texts SET e = 'no such member' WHERE id = 1
-- the spacing of a JSON text => rows texts
UPDATE texts SET j = JSON_COMPACT(j) WHERE id = 1
-- the bytes of a text => rows texts
UPDATE texts SET latin = CONVERT(CONVERT(latin USING binary) USING latin1), latin = CONCAT(latin, '') , ascii = 'plaim' WHERE id = 1
-- a byte of many => rows bytes
UPDATE bytes SET lb = INSERT(lb, 1000, 1, CHAR(ASCII(SUBSTR(lb, 1000)) ^ 1)) WHERE id = 2
-- an empty value instead of nothing => rows bytes
UPDATE bytes SET lb = '' WHERE id = 1
-- a byte in compressed bytes => rows bytes
UPDATE bytes SET zipped = INSERT(zipped, 9, 1, 'Z') WHERE id = 1
-- where a point belongs => rows places
UPDATE places SET g = ST_GeomFromText('POINT(1.5 -2.25)', 4326) WHERE id = 1
-- two rows that have exchanged a value => rows computed
UPDATE computed SET hidden = 17 - hidden WHERE id < 3
-- an invisible value => rows computed
UPDATE computed SET hidden = 99 WHERE id = 3
-- one row twice => rows by_both
INSERT INTO by_both VALUES (1991, 1)
-- where a sequence is => sequence ids
SELECT NEXTVAL(ids) FROM seq_1_to_4
-- the step of a sequence => sequence ids
ALTER SEQUENCE ids INCREMENT BY -1
-- a former version of a row => rows versioned
DELETE HISTORY FROM versioned BEFORE SYSTEM_TIME '2023-11-14 22:15:30'
-- when a row was replaced => rows versioned_by_columns
SET system_versioning_insert_history = 1; INSERT INTO versioned_by_columns (id, what, since, until) VALUES (7, 'then', '2001-01-01', '2002-01-01'); SET system_versioning_insert_history = 0
-- a table more => table extra
CREATE TABLE extra (a INT)
-- a table less => only in the first: table empty_one
DROP TABLE empty_one
-- tables that have exchanged their names => rows aA
RENAME TABLE `Aa` TO swapping, `aA` TO `Aa`, swapping TO `aA`
-- the comment of a table => table numbers: table_comment
ALTER TABLE numbers COMMENT 'one line'
-- the comment of a column => table numbers: definition
ALTER TABLE numbers MODIFY ti TINYINT COMMENT 'x'
-- the collation of a column => table texts: definition
ALTER TABLE texts MODIFY v VARCHAR(200) COLLATE utf8mb4_general_ci
-- the collation of a table => table a_children: table_collation
ALTER TABLE a_children COLLATE latin1_bin
-- a visible column => table computed: definition
ALTER TABLE computed MODIFY hidden INT DEFAULT 7
-- a default => table computed: definition
ALTER TABLE computed ALTER word SET DEFAULT 'its'
-- a stored value that is computed otherwise => rows computed
ALTER TABLE computed MODIFY stored INT AS (a * 3) STORED
-- a check => table computed: definition
ALTER TABLE computed DROP CONSTRAINT `odd "check"`
-- the order of columns => table booked: definition
ALTER TABLE booked MODIFY room INT AFTER until
-- a row format => table computed: row_format
ALTER TABLE computed PAGE_COMPRESSED = 0 ROW_FORMAT = COMPACT
-- an index => table places: definition
ALTER TABLE places DROP KEY where_it_is
-- an ignored index => table texts: definition
ALTER TABLE texts ALTER INDEX unused NOT IGNORED
-- the direction of an index => table texts: definition
ALTER TABLE texts DROP KEY prefix, ADD KEY prefix (l (20), v)
-- what a foreign key does => table a_children: definition
ALTER TABLE a_children DROP FOREIGN KEY by_id, ADD CONSTRAINT by_ids FOREIGN KEY (parent) REFERENCES parents (id) ON UPDATE CASCADE
-- a partition more => table by_hash: definition
ALTER TABLE by_hash ADD PARTITION PARTITIONS 1
-- the comment of a partition => table by_range: definition
ALTER TABLE by_range REORGANIZE PARTITION old INTO (PARTITION old VALUES LESS THAN ('2000-01-01'))
-- versions of rows => rows versioned_in_parts
ALTER TABLE versioned_in_parts REMOVE PARTITIONING; ALTER TABLE versioned_in_parts DROP SYSTEM VERSIONING
-- the engine of a table => table in_aria: engine
ALTER TABLE in_aria ENGINE = MyISAM
-- a view => view a_over: definition
CREATE OR REPLACE VIEW a_over AS SELECT id FROM z_first
-- whose rights a view has => view z_first: security_type
CREATE OR REPLACE SQL SECURITY DEFINER VIEW z_first AS SELECT id, twice(a) AS double_a, 'it''s;' AS `a "b``` FROM b_base
-- a view's owner => view checked: definer
CREATE OR REPLACE ALGORITHM = MERGE DEFINER = 'definer'@'localhost' VIEW checked AS SELECT id, code FROM parents WHERE code <> 'x' WITH CASCADED CHECK OPTION
-- what a view checks => view b_base: check_option
CREATE OR REPLACE VIEW b_base AS SELECT id, a, hidden FROM computed WHERE a > 0 WITH CASCADED CHECK OPTION
-- a trigger less => only in the first: trigger gone
DROP TRIGGER gone
-- the order of triggers => trigger two: action_order
CREATE OR REPLACE TRIGGER two BEFORE INSERT ON parents FOR EACH ROW FOLLOWS three SET @two = "it's `two`"
-- the mode of a trigger => trigger one: sql_mode
SET sql_mode = 'ANSI'; CREATE OR REPLACE TRIGGER one BEFORE INSERT ON parents FOR EACH ROW SET NEW.code = COALESCE(NEW.code, 'a'); SET sql_mode = ''
-- a comment in a procedure => procedure in_latin: body
CREATE OR REPLACE PROCEDURE in_latin() SELECT 'plain' /* text */ AS a
-- the character set of a procedure => procedure ansi: character_set_client
SET NAMES latin1; SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'; CREATE OR REPLACE PROCEDURE ansi() COMMENT 'it''s ansi' SELECT "id" || '\' AS "x""y" FROM "parents"; SET sql_mode = ''; SET NAMES utf8mb4
-- whose rights a function has => function picked: security_type
ALTER FUNCTION picked SQL SECURITY DEFINER
-- the comment of a function => function twice: comment
ALTER FUNCTION twice COMMENT 'it''s "twice"\r\nas much'
-- whether a function repeats itself => function latin: is_deterministic
CREATE OR REPLACE FUNCTION latin(t VARCHAR(20) CHARACTER SET latin1) RETURNS VARCHAR(20) CHARSET latin1 RETURN CONCAT(t, 'é')
-- who may run a function => routine grant
REVOKE EXECUTE ON FUNCTION twice FROM 'definer'@'localhost'
-- the body of a package => only in the first: package body prices
SET sql_mode = 'ORACLE'; DROP PACKAGE BODY prices; SET sql_mode = ''
-- an event that is enabled => event disabled_one: status
ALTER EVENT disabled_one ENABLE
-- the time zone of an event => event once_later: time_zone
SET time_zone = '+01:00'; ALTER EVENT once_later ON SCHEDULE AT '2037-06-01 07:30:00'; SET time_zone = '+00:00'
-- what an event does => event once_later: body
ALTER EVENT once_later DO DELETE FROM computed WHERE id < 0
-- the character set of the schema => schema : charset
ALTER DATABASE everything CHARACTER SET utf8mb4
-- the collation of the schema => schema : collation
ALTER DATABASE everything COLLATE utf8mb4_bin
-- the comment of the schema => schema : comment
ALTER DATABASE everything COMMENT ''
