-- a row more => rows app.no_rows: count
INSERT INTO app.no_rows VALUES (1, 'x');

-- a row less => rows app.no_columns_left
DELETE FROM app.no_columns_left WHERE ctid = (SELECT min(ctid) FROM app.no_columns_left);

-- a row without columns more => rows app.no_columns
INSERT INTO app.no_columns DEFAULT VALUES;

-- two rows that swap a value => rows app.by_default
UPDATE app.by_default SET note = CASE id WHEN 40 THEN $$by hand$$ ELSE $$set$$ END;

-- an empty text instead of null => rows app.texts
UPDATE app.texts SET content = '' WHERE id = 8;

-- a blank at the end => rows app.texts
UPDATE app.texts SET content = content || ' ' WHERE id = 2;

-- one character of a long text => rows app.texts
UPDATE app.texts SET content = overlay(content PLACING 'x' FROM 160000) WHERE id = 21;

-- a composed character => rows app.texts
UPDATE app.texts SET content = E'\u00e9' WHERE id = 14;

-- a carriage return => rows app.texts
UPDATE app.texts SET content = E'cr\nlf' WHERE id = 5;

-- 0 instead of -0 => rows app.numbers
UPDATE app.numbers SET f8 = 0 WHERE id = 1;

-- 0 instead of -0, single => rows app.numbers
UPDATE app.numbers SET f4 = 0 WHERE id = 1;

-- the last bit of a float => rows app.numbers
UPDATE app.numbers SET f8 = 0.1::float8 + 2e-17::float8 WHERE id = 7;

-- infinity => rows app.numbers
UPDATE app.numbers SET f8 = '-Infinity' WHERE id = 3;

-- the scale of a number => rows app.numbers
UPDATE app.numbers SET num = 1.50 WHERE id = 3;

-- a cent => rows app.numbers
UPDATE app.numbers SET price = price + '0.01' WHERE id = 2;

-- a date before Christ => rows app.times
UPDATE app.times SET day = '4713-01-02 BC' WHERE id = 1;

-- a microsecond => rows app.times
UPDATE app.times SET at = at - interval '1 microsecond' WHERE id = 2;

-- a time zone => rows app.times
UPDATE app.times SET clock_zone = '23:00-13' WHERE id = 2;

-- 24 hours instead of a day => rows app.times
UPDATE app.times SET span = '1 mon -23:59:58.999999' WHERE id = 3;

-- a byte => rows app.bytes
UPDATE app.bytes SET content = set_byte(content, 5000, 0) WHERE id = 4;

-- a bit => rows app.bytes
UPDATE app.bytes SET bits = B'10100' WHERE id = 1;

-- a blank in json => rows app.documents
UPDATE app.documents SET j = 'null' WHERE id = 2;

-- a number in jsonb => rows app.documents
UPDATE app.documents SET jb = '-0.1' WHERE id = 3;

-- a weight in a text search vector => rows app.documents
UPDATE app.documents SET search = setweight(search, 'B') WHERE id = 1;

-- a null in hstore => rows app.documents
UPDATE app.documents SET pairs = '"a b"=>"it''s \"x\"", nothing=>""' WHERE id = 1;

-- upper case in citext => rows app.documents
UPDATE app.documents SET soft = 'mixed' WHERE id = 1;

-- a netmask => rows app.networks
UPDATE app.networks SET ip = '192.168.0.1' WHERE id = 1;

-- a shape => rows app.shapes
UPDATE app.shapes SET o = pclose(o) WHERE id = 1;

-- a field of a composite => rows app.made_up
UPDATE app.made_up SET home = ROW('', '', '{}') WHERE id = 2;

-- a bound of a range => rows app.made_up
UPDATE app.made_up SET span = '[1.5,2.5]' WHERE id = 1;

-- an enum => rows app.made_up
UPDATE app.made_up SET feeling = 'sad' WHERE id = 1;

-- the bounds of an array => rows app.arrays
UPDATE app.arrays SET numbers = '{1,NULL,3}' WHERE id = 2;

-- the dimensions of an array => rows app.arrays
UPDATE app.arrays SET texts = '{a,b,c,d}' WHERE id = 3;

-- a null in an array => rows app.arrays
UPDATE app.arrays SET texts[2] = 'NULL' WHERE id = 1;

-- a comment in xml => rows app.xml
UPDATE app.xml SET doc = '<a b="&lt;">é</a>' WHERE id = 1;

-- a reference to a table => rows app.references_to_catalog
UPDATE app.references_to_catalog SET class = 'app.bytes' WHERE id = 1;

-- the last of 1000 columns => rows app.wide
UPDATE app.wide SET c1000 = 0 WHERE c1 = 2;

-- a row in a partition => rows app.events
UPDATE app.events SET note = 'x' WHERE id = 40;

-- a row in a hash partition => rows app.by_mood
UPDATE app.by_mood SET n = 0 WHERE n = 20;

-- a row of a child => rows app.eagle
UPDATE app.eagle SET eyes = 1;

-- a row that moves from child to parent => rows app.animal
WITH x AS (DELETE FROM app.bird WHERE id = 2 RETURNING id, name) INSERT INTO app.animal SELECT * FROM x;

-- a row of an unlogged table => rows app.unlogged
DELETE FROM app.unlogged;

-- a materialised view with older rows => rows app.filled
UPDATE app.indexed SET "na me" = 'new' WHERE id = 1;
REFRESH MATERIALIZED VIEW app.filled;

-- the value of an identity => value app."identity ""sequence"""
ALTER TABLE app.identities ALTER always RESTART WITH 500;

-- a byte of a large object => large object 4003
SELECT lo_put(4003, 10000, '\000'::bytea);

-- a large object less => large object 4002
SELECT lo_unlink(4002);

-- the number of a large object => large object 4999
SELECT lo_unlink(4002), lo_create(4999);
