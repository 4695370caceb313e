-- Accounts whose balances always add up to the same sum, transfers between them that a ledger counts, and a little of
-- everything else that a database is made of.
CREATE SCHEMA shop;
CREATE TABLE shop.accounts (
  id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL, received bigint NOT NULL DEFAULT 0
);
INSERT INTO shop.accounts SELECT n, 'owner ' || n, 1000 FROM generate_series(1, 100) n;
CREATE TABLE shop.transfers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sender int NOT NULL REFERENCES shop.accounts, receiver int NOT NULL REFERENCES shop.accounts,
  amount int NOT NULL CHECK (amount > 0), note text
);
CREATE INDEX transfers_by_sender ON shop.transfers (sender);
CREATE TABLE shop.ledger (id int PRIMARY KEY CHECK (id = 1), transfers bigint NOT NULL);
INSERT INTO shop.ledger VALUES (1, 0);

CREATE TYPE shop.kind AS ENUM ('small', 'it''s "large"');
CREATE TABLE shop.records (id int PRIMARY KEY, name text NOT NULL, kind shop.kind, content text NOT NULL) WITH (fillfactor = 90);
ALTER TABLE shop.records ALTER content SET STORAGE EXTERNAL;
CREATE INDEX records_by_name ON shop.records (lower(name)) WHERE kind = 'small';
CREATE TABLE public."Va""lues" (
  id int PRIMARY KEY, t text, n numeric, f float8, b bytea, at timestamptz, j jsonb, a int[], r tstzrange, g int GENERATED ALWAYS AS (id * 2) STORED
);
INSERT INTO public."Va""lues" VALUES
  (1, E'\\.', 'NaN', '-0', '\x00ff', '4713-01-01 BC', '{"a": null}', '[0:1]={1,NULL}', 'empty'),
  (2, E'line\n\\N\ttab', 1.500, 'Infinity', '', 'infinity', '"x"', '{}', '(,)'), (3, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE shop.events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE shop.events_old PARTITION OF shop.events FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE shop.events_new PARTITION OF shop.events DEFAULT;
INSERT INTO shop.events SELECT date '2023-12-01' + n, 'event ' || n FROM generate_series(1, 60) n;
CREATE TABLE shop.nothing ();
INSERT INTO shop.nothing DEFAULT VALUES;
CREATE SEQUENCE shop.numbers START 10;
SELECT nextval('shop.numbers');

CREATE VIEW shop.rich AS SELECT owner FROM shop.accounts WHERE balance > 1000;
CREATE MATERIALIZED VIEW shop.owners AS SELECT count(*) AS n FROM shop.records;
CREATE FUNCTION shop.checked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := coalesce(NEW.note, ''); RETURN NEW; END $$;
CREATE TRIGGER checked BEFORE INSERT ON shop.transfers FOR EACH ROW EXECUTE FUNCTION shop.checked();
COMMENT ON TABLE shop.accounts IS 'it''s a comment';
GRANT SELECT ON shop.accounts TO PUBLIC;
SELECT lo_from_bytea(5001, '\x00ff5c2e0a');
