-- an attribute of a role => rolcreaterole
ALTER ROLE hf_group NOCREATEROLE;

-- a password => rolpassword
ALTER ROLE hf_reader PASSWORD 'another';

-- an end of a role => rolvaliduntil
ALTER ROLE hf_reader VALID UNTIL 'infinity';

-- a setting of a role => settings
ALTER ROLE hf_reader RESET work_mem;

-- a name of a role => role hf.dots
ALTER ROLE "Hf.Dots" RENAME TO "hf.dots";

-- a comment on a role => comment
COMMENT ON ROLE "-dash" IS NULL;

-- an option of a membership => admin_option
REVOKE ADMIN OPTION FOR hf_group FROM "it's ""quoted"" $(id)";

-- a membership => membership hf_reader in hf_group
REVOKE hf_group FROM hf_reader;

-- an option of a tablespace => options
ALTER TABLESPACE "hf ""space""" SET (seq_page_cost = 3);

-- an owner of a tablespace => owner
ALTER TABLESPACE "hf ""space""" OWNER TO hf_reader;

-- a privilege on a tablespace => privileges
REVOKE CREATE ON TABLESPACE "hf ""space""" FROM hf_writer;
