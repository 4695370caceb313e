/** Where events of the shops note in which schema they ran. */
export const WATCH = `
  CREATE DATABASE watch;
  CREATE TABLE watch.ran (place VARCHAR(64), at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)`

const EVENT = `
  CREATE EVENT ticking ON SCHEDULE EVERY 3 SECOND STARTS '2020-01-01' DO INSERT INTO watch.ran (place) VALUES (DATABASE())`

/** So many rows of items, and everything that an exchange must care for. */
export const newShop = (items: number) => `
  CREATE SEQUENCE numbers START WITH 9000 INCREMENT BY 7;
  CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY DEFAULT NEXTVAL(numbers), note TEXT);
  CREATE TABLE parents (id INT PRIMARY KEY AUTO_INCREMENT, year INT) AUTO_INCREMENT = 80;
  CREATE TABLE children (id INT PRIMARY KEY, parent INT NOT NULL,
    CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parents (id));
  CREATE TABLE prices (id INT PRIMARY KEY, price INT) WITH SYSTEM VERSIONING;
  CREATE TABLE log (entry INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20));
  CREATE TABLE items (id INT PRIMARY KEY, item TEXT, KEY by_item (item(20)));
  CREATE FUNCTION steady (a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 1;
  CREATE FUNCTION changing () RETURNS INT DETERMINISTIC NO SQL RETURN 2;
  CREATE PROCEDURE coming () SELECT year FROM parents;
  CREATE TRIGGER logged BEFORE INSERT ON parents FOR EACH ROW INSERT INTO log (what) VALUES ('new');
  CREATE TRIGGER coming AFTER INSERT ON children FOR EACH ROW INSERT INTO log (what) VALUES ('child');
  CREATE VIEW steady_view AS SELECT id FROM parents;
  CREATE VIEW changing_view AS SELECT id, changing() AS two FROM steady_view;
  CREATE VIEW a_view_over AS SELECT two FROM changing_view;
  INSERT INTO orders (note) VALUES ('one'), ('two');
  INSERT INTO parents (year) VALUES (2), (2);
  INSERT INTO children VALUES (1, 80), (2, 81);
  SET timestamp = 1700000000;
  INSERT INTO prices VALUES (1, 9), (2, 99);
  SET timestamp = 1700000200;
  UPDATE prices SET price = price + 1;
  SET timestamp = DEFAULT;
  INSERT INTO items SELECT seq, CONCAT(MD5(seq), MD5(-seq)) FROM seq_1_to_${items};
  ${EVENT}`

/** What is replaced by it: little is the same. */
export const OLD_SHOP = `
  CREATE SEQUENCE numbers START WITH 500 INCREMENT BY 5;
  CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY DEFAULT NEXTVAL(numbers), note TEXT, more TEXT);
  CREATE TABLE parents (id INT PRIMARY KEY AUTO_INCREMENT, year INT) AUTO_INCREMENT = 40;
  CREATE TABLE children (id INT PRIMARY KEY, parent INT NOT NULL,
    CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parents (id));
  CREATE TABLE prices (id INT PRIMARY KEY, price INT) WITH SYSTEM VERSIONING;
  CREATE TABLE log (entry INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20));
  CREATE TABLE vanishing (a INT);
  CREATE FUNCTION steady (a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 1;
  CREATE FUNCTION changing () RETURNS INT DETERMINISTIC NO SQL RETURN 1;
  CREATE PROCEDURE vanishing () SELECT year FROM parents;
  CREATE TRIGGER logged BEFORE INSERT ON parents FOR EACH ROW INSERT INTO log (what) VALUES ('old');
  CREATE TRIGGER logged_too BEFORE INSERT ON parents FOR EACH ROW FOLLOWS logged SET NEW.year = NEW.year;
  CREATE VIEW steady_view AS SELECT id FROM parents;
  CREATE VIEW changing_view AS SELECT id, changing() AS one FROM steady_view;
  INSERT INTO orders (note) VALUES ('old');
  INSERT INTO parents (year) VALUES (1), (1), (1);
  INSERT INTO children VALUES (7, 40);
  SET timestamp = 1700000000;
  INSERT INTO prices VALUES (1, 5);
  SET timestamp = 1700000100;
  UPDATE prices SET price = 6;
  SET timestamp = DEFAULT;
  ${EVENT}`
