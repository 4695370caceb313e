-- Accounts whose balances always add up to the same sum, transfers between them that a ledger counts, and a little of
-- everything else that a schema is made of. All of it can be dumped and loaded without any difference.
CREATE TABLE accounts (
  id INT PRIMARY KEY, owner VARCHAR(60) NOT NULL, balance INT NOT NULL, received BIGINT NOT NULL DEFAULT 0
) COMMENT 'it''s a "comment"\nof two lines';
INSERT INTO accounts SELECT seq, CONCAT('owner ', seq), 1000, 0 FROM seq_1_to_100;
CREATE TABLE transfers (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,
  sender INT NOT NULL, receiver INT NOT NULL, amount INT NOT NULL CHECK (amount > 0), note TEXT,
  CONSTRAINT transfers_sender FOREIGN KEY (sender) REFERENCES accounts (id),
  CONSTRAINT transfers_receiver FOREIGN KEY (receiver) REFERENCES accounts (id) ON UPDATE CASCADE
);
CREATE TABLE ledger (id INT PRIMARY KEY CHECK (id = 1), transfers BIGINT NOT NULL);
INSERT INTO ledger VALUES (1, 0);

CREATE TABLE records (
  id INT PRIMARY KEY, name VARCHAR(60) NOT NULL, kind ENUM ('small', 'it''s "large"'), content LONGTEXT NOT NULL,
  KEY records_by_name (name DESC)
) DEFAULT CHARSET = utf8mb4;
CREATE TABLE `Va``lues "1"` (
  id INT AUTO_INCREMENT PRIMARY KEY, t TEXT, n DECIMAL(65, 30), f DOUBLE, b LONGBLOB, at TIMESTAMP(6) NULL, d DATETIME,
  j JSON, bits BIT(33), place GEOMETRY, y YEAR, l VARCHAR(20) CHARACTER SET latin1, s SET ('a', 'b'), u UUID,
  g INT AS (bits * 2) STORED, hidden INT INVISIBLE DEFAULT 7
) AUTO_INCREMENT = 90;
SET sql_mode = '';
INSERT INTO `Va``lues "1"` (t, n, f, b, at, d, j, bits, place, y, l, s, u) VALUES
  ('\\N\n\\.\t''"\0 x', 1.5, -1e-300, X'00ff5c2e0a0d1a', '2038-01-19 03:14:07.999999', '0000-00-00', '{"a": null}', b'101',
    ST_GeomFromText('POINT(1 2)', 4326), 2155, 'é€', 'a,b', '00112233-4455-6677-8899-aabbccddeeff'),
  ('😀 line\r\n-- Dump completed', -99999999999999999999999999999999999.000000000000000000000000000001, 1.7976931348623157e308,
    '', NULL, '2024-02-00', '"x"', 0, NULL, 0, '', '', NULL),
  ('', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SET sql_mode = DEFAULT;
CREATE TABLE visits (at DATE NOT NULL, what VARCHAR(20)) PARTITION BY RANGE COLUMNS (at) (
  PARTITION old VALUES LESS THAN ('2024-01-01'), PARTITION new VALUES LESS THAN (MAXVALUE)
);
INSERT INTO visits SELECT DATE '2023-12-01' + INTERVAL seq DAY, CONCAT('visit ', seq) FROM seq_1_to_60;
CREATE TABLE nothing (a INT);
CREATE SEQUENCE numbers START WITH 10 CACHE 5;
CREATE TABLE numbered (n BIGINT DEFAULT NEXTVAL(numbers) PRIMARY KEY, what TEXT);
INSERT INTO numbered (what) VALUES ('one'), ('two');
CREATE TABLE prices (id INT PRIMARY KEY, price DECIMAL(9, 2)) WITH SYSTEM VERSIONING;
INSERT INTO prices VALUES (1, 9.99);
UPDATE prices SET price = 19.99;

CREATE FUNCTION doubled(n INT) RETURNS INT DETERMINISTIC COMMENT 'twice' RETURN 2 * n;
CREATE PROCEDURE pay(IN who INT, IN amount INT) BEGIN
  -- Dumping events
  UPDATE accounts SET balance = balance + amount WHERE id = who;
END;
CREATE VIEW wealth AS SELECT SUM(balance) AS total FROM accounts;
CREATE VIEW a_view_over_rich AS SELECT 1 AS owner, 1 AS twice;
CREATE VIEW rich AS SELECT owner, doubled(balance) AS twice FROM accounts WHERE balance > 1000;
CREATE OR REPLACE VIEW a_view_over_rich AS SELECT owner, twice FROM rich;
CREATE TRIGGER checked BEFORE INSERT ON transfers FOR EACH ROW SET NEW.note = COALESCE(NEW.note, '');
CREATE TRIGGER shortened BEFORE INSERT ON transfers FOR EACH ROW FOLLOWS checked BEGIN
  IF LENGTH(NEW.note) > 1000 THEN SET NEW.note = LEFT(NEW.note, 1000); END IF;
END;
CREATE EVENT never_yet ON SCHEDULE AT '2037-12-31 00:00:00' DO DELETE FROM transfers WHERE note = ';;';
