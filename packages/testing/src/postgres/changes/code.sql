-- an enum value => pg_enum app.no_moods
ALTER TYPE app.no_moods ADD VALUE 'x';

-- the order of enum values => position
ALTER TYPE app.mood ADD VALUE 'between' BEFORE 'sad';

-- a name of an enum value => pg_enum app.mood
ALTER TYPE app.mood RENAME VALUE 'first' TO 'First';

-- an attribute of a composite => pg_attribute app.nothing.something
ALTER TYPE app.nothing ADD ATTRIBUTE something int;

-- a default of a domain => typdefault
ALTER DOMAIN app.short_text DROP DEFAULT;

-- NOT NULL of a domain => typnotnull
ALTER DOMAIN app.short_text DROP NOT NULL;

-- a check of a domain => not too long
ALTER DOMAIN app.short_text DROP CONSTRAINT "not too long";

-- a valid check of a domain => convalidated
ALTER DOMAIN app.short_name VALIDATE CONSTRAINT later;

-- a shell type => pg_type app.shell
DROP TYPE app.shell;

-- a range => pg_range app.int_range
CREATE TYPE app.int_range AS RANGE (subtype = int4);

-- a collation => collisdeterministic
DROP COLLATION app.icu_no_case CASCADE;
CREATE COLLATION app.icu_no_case (provider = icu, locale = 'und-u-ks-level2');

-- an operator => pg_operator app.!?
DROP OPERATOR app.!? (NONE, int4);

-- an estimator of an operator => oprrest
ALTER OPERATOR app.<=%=> (int4, int4) SET (RESTRICT = NONE);

-- an operator of a family => pg_amproc
ALTER OPERATOR FAMILY app.absolute_family USING btree ADD FUNCTION 2 (int4, int4) btint4sortsupport(internal);

-- an operator family => pg_opfamily
DROP OPERATOR FAMILY app.empty_family USING gist;

-- an aggregate => agginitval
CREATE OR REPLACE AGGREGATE app.half_sum(int4) (SFUNC = app.add_to, STYPE = numeric, INITCOND = '1', FINALFUNC = app.halved);

-- the context of a cast => castcontext
DROP CAST (app.address AS text);
CREATE CAST (app.address AS text) WITH FUNCTION app.text_of(app.address);

-- a conversion => pg_conversion
DROP CONVERSION app.latin_to_utf;

-- an access method => pg_am heap3
CREATE ACCESS METHOD heap3 TYPE TABLE HANDLER heap_tableam_handler;

-- a language => pg_language pl_third
ALTER LANGUAGE pl_other RENAME TO pl_third;

-- a transform => pg_transform
DROP TRANSFORM FOR int4 LANGUAGE pl_other CASCADE;

-- an option of a dictionary => pg_ts_dict
ALTER TEXT SEARCH DICTIONARY app.plain (Accept = true);

-- a mapping of a text search => pg_ts_config_map
ALTER TEXT SEARCH CONFIGURATION app.search DROP MAPPING FOR int;

-- a parser => pg_ts_parser
ALTER TEXT SEARCH PARSER app.words RENAME TO words2;

-- a template => pg_ts_template
ALTER TEXT SEARCH TEMPLATE app.simple_copy RENAME TO copy2;

-- the body of a function => prosrc
CREATE OR REPLACE FUNCTION app.with_crlf() RETURNS text LANGUAGE sql AS E'SELECT \n ''a''::text \r\n';

-- a body of statements => body
CREATE OR REPLACE FUNCTION app.atomic(a int, b int = 2) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a - b;
END;

-- a default of an argument => arguments
CREATE OR REPLACE FUNCTION app.atomic(a int, b int = 3) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a + b;
SELECT count(*)::int FROM app.indexed WHERE id > a;
END;

-- the cost of a function => procost
ALTER FUNCTION app.quoted(text, int[]) COST 78;

-- the volatility of a function => provolatile
ALTER FUNCTION app.quoted(text, int[]) VOLATILE;

-- whose rights a function has => prosecdef
ALTER FUNCTION app.careful() SECURITY INVOKER;

-- a setting of a function => proconfig
ALTER FUNCTION app.careful() RESET search_path;

-- a dependence on an extension => dependency function
ALTER FUNCTION app.needs_extension() NO DEPENDS ON EXTENSION hstore;

-- a procedure => pg_proc app.proceed()
DROP PROCEDURE app.proceed();

-- a view => pg_rewrite
CREATE OR REPLACE VIEW app.no_columns_view AS SELECT FROM app.no_columns_left;

-- options of a view => reloptions
ALTER VIEW app."it's a ""view""" RESET (security_barrier);

-- the check of a view => reloptions
ALTER VIEW app."it's a ""view""" RESET (check_option);

-- a default of a view => pg_attrdef
ALTER VIEW app.writable ALTER content DROP DEFAULT;

-- a name of a column of a view => pg_attribute app.writable.text
ALTER VIEW app.writable RENAME content TO text;

-- whether a materialised view is filled => relispopulated
REFRESH MATERIALIZED VIEW app.not_filled;

-- whether a materialised view is not filled => relispopulated
REFRESH MATERIALIZED VIEW app.filled_again WITH NO DATA;

-- a trigger => pg_trigger instead
DROP TRIGGER instead ON app.writable;

-- a trigger that is on => tgenabled
ALTER TABLE app.watched ENABLE TRIGGER b_disabled;

-- a trigger that is off => tgenabled
ALTER TABLE app.watched DISABLE TRIGGER a_origin;

-- a trigger of replicas => tgenabled
ALTER TABLE app.watched ENABLE TRIGGER "c replica";

-- a trigger for always => tgenabled
ALTER TABLE app.watched ENABLE TRIGGER d_always;

-- a trigger of one partition => tgenabled
ALTER TABLE app.events_2023 ENABLE TRIGGER on_all;

-- the condition of a trigger => definition
CREATE OR REPLACE TRIGGER a_origin BEFORE INSERT OR UPDATE OF note, "at" ON app.watched FOR EACH ROW EXECUTE FUNCTION app.watch('it''s', E'a\\b\n', '', '"q"');

-- an argument of a trigger => tgargs
CREATE OR REPLACE TRIGGER a_origin BEFORE INSERT OR UPDATE OF note, "at" ON app.watched FOR EACH ROW WHEN (NEW.note IS DISTINCT FROM 'x') EXECUTE FUNCTION app.watch('it''s', E'a\\b', '', '"q"');

-- an event trigger => pg_event_trigger
DROP EVENT TRIGGER hf_rewrite;

-- an event trigger that is on => evtenabled
ALTER EVENT TRIGGER hf_start ENABLE;

-- a rule => pg_rewrite
DROP RULE instead ON app.two;

-- a rule that is on => ev_enabled
ALTER TABLE app.ruled ENABLE RULE "also";
