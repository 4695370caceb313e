-- Every character of an encoding of single bytes; in SQL_ASCII also bytes that are text in no encoding.
CREATE SCHEMA encoded;
CREATE TABLE encoded.characters (code int PRIMARY KEY, content text NOT NULL);
INSERT INTO encoded.characters
  SELECT n, convert_from(set_byte('\x00', 0, n), current_setting('server_encoding')) FROM generate_series(1, 255) n;
CREATE INDEX characters_upper ON encoded.characters (upper(content));
CREATE TABLE encoded.words (id int PRIMARY KEY, content text);
INSERT INTO encoded.words SELECT n, convert_from(b, current_setting('server_encoding'))
  FROM unnest(ARRAY['\x63616666e9', '\x63616666c3a9', '\xe98080ff', '\xedb2a9', '\x5ce95c2e', '\xa3310a32']::bytea[]) WITH ORDINALITY w (b, n);
DO $do$
DECLARE
  word text := (SELECT content FROM encoded.words WHERE id = 1);
BEGIN
  EXECUTE format('COMMENT ON TABLE encoded.words IS %L', word);
  EXECUTE format('CREATE VIEW encoded.found AS SELECT id FROM encoded.words WHERE content = %L', word);
  EXECUTE format('ALTER TABLE encoded.words ALTER content SET DEFAULT %L', word);
END
$do$;
