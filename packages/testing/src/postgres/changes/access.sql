-- an owner of a table => relowner
ALTER TABLE app.texts OWNER TO hf_reader;

-- an owner of a schema => nspowner
ALTER SCHEMA "select" OWNER TO hf_reader;

-- an owner of a function => proowner
ALTER FUNCTION app.careful() OWNER TO hf_reader;

-- an owner of a type => typowner
ALTER TYPE app.mood OWNER TO hf_reader;

-- an owner of a large object => lomowner
ALTER LARGE OBJECT 4001 OWNER TO hf_reader;

-- a privilege on a table => relacl
GRANT DELETE ON app.texts TO hf_group;

-- a privilege that may be given on => relacl
REVOKE GRANT OPTION FOR SELECT ON app.texts FROM hf_reader CASCADE;

-- a privilege of everybody => relacl
REVOKE ALL ON "-dash schema"."-Fc" FROM PUBLIC;

-- a privilege on a column => attacl
REVOKE UPDATE (content) ON app.texts FROM "Hf.Dots";

-- a privilege on a sequence => relacl
REVOKE USAGE ON SEQUENCE app.called FROM hf_reader;

-- a privilege on a schema => nspacl
REVOKE USAGE ON SCHEMA "ünï ☃" FROM "select";

-- a privilege on schema public => pg_namespace public
GRANT CREATE ON SCHEMA public TO PUBLIC;

-- a privilege on a function => proacl
GRANT EXECUTE ON FUNCTION app.careful() TO PUBLIC;

-- a privilege on a type => typacl
GRANT USAGE ON TYPE app.mood TO PUBLIC;

-- a privilege on a language => lanacl
GRANT USAGE ON LANGUAGE pl_other TO PUBLIC;

-- a privilege on a large object => lomacl
REVOKE SELECT ON LARGE OBJECT 4003 FROM PUBLIC;

-- a privilege on a wrapper => fdwacl
REVOKE USAGE ON FOREIGN DATA WRAPPER hf_wrapper FROM hf_reader;

-- a privilege on a server => srvacl
REVOKE USAGE ON FOREIGN SERVER files FROM hf_reader;

-- a privilege on the system's function => system pg_proc pg_catalog.pg_sleep
GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) TO PUBLIC;

-- a privilege on the system's table => system pg_class pg_catalog.pg_authid
REVOKE SELECT ON pg_catalog.pg_authid FROM hf_group;

-- a privilege on an extension's function => proacl
REVOKE EXECUTE ON FUNCTION ext.akeys(ext.hstore) FROM hf_reader;

-- a default privilege => pg_default_acl
ALTER DEFAULT PRIVILEGES FOR ROLE hf_writer IN SCHEMA app REVOKE SELECT ON TABLES FROM hf_reader;

-- whether rows are secured => relrowsecurity
ALTER TABLE app.closed DISABLE ROW LEVEL SECURITY;

-- whether rows are secured from their owner => relforcerowsecurity
ALTER TABLE app.secured NO FORCE ROW LEVEL SECURITY;

-- a policy => pg_policy
DROP POLICY waiting ON app.policies_off;

-- the roles of a policy => polroles
ALTER POLICY "it's ""restrictive""" ON app.secured TO hf_reader;

-- the condition of a policy => using
ALTER POLICY own_rows ON app.secured USING (true);

-- the check of a policy => check
ALTER POLICY only_new ON app.secured WITH CHECK (true);

-- an extension => pg_extension pg_trgm
DROP EXTENSION pg_trgm CASCADE;

-- the schema of an extension => extnamespace
ALTER EXTENSION btree_gist SET SCHEMA ext;

-- a member of an extension => dependency function
ALTER EXTENSION citext DROP FUNCTION ext.replace(ext.citext, ext.citext, ext.citext);

-- an option of a wrapper => fdwoptions
ALTER FOREIGN DATA WRAPPER hf_wrapper OPTIONS (SET anything 'else');

-- an option of a server => srvoptions
ALTER SERVER "it's a ""server""" OPTIONS (SET port '2');

-- the version of a server => srvversion
ALTER SERVER "it's a ""server""" VERSION '2';

-- a user mapping => pg_user_mapping
DROP USER MAPPING FOR PUBLIC SERVER "it's a ""server""";

-- a password of a user mapping => umoptions
ALTER USER MAPPING FOR PUBLIC SERVER "it's a ""server""" OPTIONS (SET password 'x');

-- an option of a foreign table => ftoptions
ALTER FOREIGN TABLE app.from_file OPTIONS (SET filename '/dev/zero');

-- an option of a foreign column => attfdwoptions
ALTER FOREIGN TABLE app.far_away ALTER id OPTIONS (SET column_name 'id');

-- a publication => pg_publication nothing
DROP PUBLICATION nothing;

-- what is published => pubtruncate
ALTER PUBLICATION everything SET (publish = 'insert');

-- a table of a publication => pg_publication_rel
ALTER PUBLICATION "it's ""some""" DROP TABLE app.events;

-- the columns of a publication => columns
ALTER PUBLICATION chosen SET TABLE app.texts (id) WHERE (id > 1);

-- the filter of a publication => filter
ALTER PUBLICATION chosen SET TABLE app.texts (id, content) WHERE (id > 2);

-- a schema of a publication => pg_publication_namespace
ALTER PUBLICATION by_schema DROP TABLES IN SCHEMA "select";

-- a subscription => pg_subscription s
CREATE SUBSCRIPTION s CONNECTION 'port=1' PUBLICATION p WITH (connect = false, slot_name = NONE);
ALTER SUBSCRIPTION s SET (slot_name = NONE);

-- a comment on a table => comment table app.texts
COMMENT ON TABLE app.texts IS 'x';

-- a comment on a column => comment table column app.texts.content
COMMENT ON COLUMN app.texts.content IS NULL;

-- a comment on a constraint => comment
COMMENT ON CONSTRAINT "both" ON app.child IS NULL;

-- a comment on a large object => comment large object 4001
COMMENT ON LARGE OBJECT 4001 IS NULL;

-- a comment on schema public => comment schema public
COMMENT ON SCHEMA public IS 'x';
