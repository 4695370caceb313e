import type { Filling } from './swap-bench.ts'

const ACCOUNT = `'clerk'@'%'`

/** Everything that an exchange must care for, as it was. Rows are of the year 1. */
export const OLD: Filling = {
  options: `CHARACTER SET latin1 COLLATE latin1_german1_ci COMMENT 'it''s \\\\ old'`,
  sql: `
    CREATE SEQUENCE numbers START WITH 500 INCREMENT BY 5 NOCACHE;
    CREATE TABLE orders (id INT NOT NULL PRIMARY KEY DEFAULT NEXTVAL(numbers), year INT NOT NULL);
    CREATE TABLE parents (id INT PRIMARY KEY AUTO_INCREMENT, year INT) AUTO_INCREMENT = 40;
    CREATE TABLE children (id INT PRIMARY KEY, parent INT NOT NULL, year INT,
      FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE RESTRICT);
    CREATE TABLE history (id INT, year INT) WITH SYSTEM VERSIONING;
    CREATE TABLE log (entry INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20));
    CREATE TABLE vanishing (a INT); CREATE TABLE turning_view (year INT);
    INSERT INTO orders (year) VALUES (1), (1); INSERT INTO parents (year) VALUES (1), (1), (1);
    INSERT INTO children VALUES (1, 40, 1), (2, 41, 1); SET timestamp = 1700000000; INSERT INTO history VALUES (1, 0);
    SET timestamp = 1700000100; UPDATE history SET year = 1; SET timestamp = DEFAULT; DELETE FROM parents WHERE id = 42; INSERT INTO turning_view VALUES (1);
    CREATE FUNCTION steady (a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 1;
    CREATE FUNCTION changing () RETURNS INT DETERMINISTIC NO SQL RETURN 1;
    CREATE PROCEDURE vanishing () SELECT year FROM parents;
    CREATE TRIGGER logged BEFORE INSERT ON parents FOR EACH ROW INSERT INTO log (what) VALUES ('old');
    CREATE TRIGGER logged_too BEFORE INSERT ON parents FOR EACH ROW FOLLOWS logged SET NEW.year = NEW.year;
    CREATE VIEW steady_view AS SELECT year FROM parents;
    CREATE VIEW changing_view AS SELECT year, changing() AS one FROM steady_view;
    CREATE VIEW above AS SELECT year FROM changing_view;
    CREATE VIEW turning_table AS SELECT 1 AS year;`,
  events: `CREATE EVENT ticking ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO INSERT INTO log (what) VALUES ('tick');
    CREATE EVENT vanishing ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DISABLE DO DELETE FROM log;`,
}

/** What is to come in its place. Rows are of the year 2. */
export const NEW: Filling = {
  options: `CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci COMMENT 'new'`,
  sql: `
    CREATE SEQUENCE numbers START WITH 9000 INCREMENT BY 7;
    CREATE TABLE orders (id INT NOT NULL PRIMARY KEY DEFAULT NEXTVAL(numbers), year INT NOT NULL);
    CREATE TABLE parents (id INT PRIMARY KEY AUTO_INCREMENT, year INT) AUTO_INCREMENT = 80;
    CREATE TABLE children (id INT PRIMARY KEY, parent INT NOT NULL, year INT,
      FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE RESTRICT);
    CREATE TABLE history (id INT, year INT) WITH SYSTEM VERSIONING;
    CREATE TABLE log (entry INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20));
    CREATE TABLE coming (a INT); CREATE TABLE turning_table (year INT);
    INSERT INTO orders (year) VALUES (2); INSERT INTO parents (year) VALUES (2), (2);
    INSERT INTO children VALUES (1, 80, 2); SET timestamp = 1700000000; INSERT INTO history VALUES (1, 1);
    SET timestamp = 1700000200; UPDATE history SET year = 2; SET timestamp = DEFAULT;
    INSERT INTO turning_table VALUES (2);
    CREATE FUNCTION steady (a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 1;
    CREATE FUNCTION changing () RETURNS INT DETERMINISTIC NO SQL RETURN 2;
    CREATE PROCEDURE coming () SELECT year FROM parents;
    CREATE TRIGGER logged BEFORE INSERT ON parents FOR EACH ROW INSERT INTO log (what) VALUES ('new');
    CREATE TRIGGER coming AFTER INSERT ON children FOR EACH ROW INSERT INTO log (what) VALUES ('child');
    CREATE VIEW steady_view AS SELECT year FROM parents;
    CREATE VIEW changing_view AS SELECT year, changing() AS two FROM steady_view;
    CREATE VIEW above AS SELECT year, two FROM changing_view;
    CREATE VIEW turning_view AS SELECT 2 AS year;`,
  events: `CREATE EVENT ticking ON SCHEDULE EVERY 2 YEAR STARTS '2037-01-01' DO INSERT INTO log (what) VALUES ('tock')`,
}

/** Privileges on what is in {@link OLD}; the account is made if it is not there. */
export function grantsOn(schema: string): string {
  return `CREATE USER IF NOT EXISTS ${ACCOUNT};
    GRANT EXECUTE ON FUNCTION ${schema}.steady TO ${ACCOUNT};
    GRANT EXECUTE, ALTER ROUTINE ON FUNCTION ${schema}.changing TO ${ACCOUNT} WITH GRANT OPTION;
    GRANT EXECUTE ON PROCEDURE ${schema}.vanishing TO ${ACCOUNT};
    GRANT SELECT, INSERT (year) ON ${schema}.parents TO ${ACCOUNT};
    GRANT SELECT ON ${schema}.changing_view TO ${ACCOUNT};`
}
