-- the owner of the database => owner
ALTER DATABASE $DATABASE OWNER TO hf_reader;

-- a privilege on the database => privileges
GRANT CONNECT ON DATABASE $DATABASE TO PUBLIC;

-- a privilege on the database that may be given on => privileges
REVOKE GRANT OPTION FOR CONNECT ON DATABASE $DATABASE FROM hf_reader;

-- the comment on the database => comment
COMMENT ON DATABASE $DATABASE IS NULL;

-- the connection limit => datconnlimit
ALTER DATABASE $DATABASE CONNECTION LIMIT -1;

-- a setting of the database => settings of everybody
ALTER DATABASE $DATABASE SET work_mem = '7MB';

-- a custom setting of the database => settings of everybody
ALTER DATABASE $DATABASE RESET "hf.custom";

-- a setting of a role in the database => settings of hf_reader
ALTER ROLE hf_reader IN DATABASE $DATABASE RESET search_path;

-- the tablespace of the database => tablespace
ALTER DATABASE $DATABASE SET TABLESPACE other;
