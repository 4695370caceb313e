// What PostgreSQL's catalogs need beyond the generic treatment. Columns of any catalog: `c` is its row.

/** Catalogs without an oid: the column that says whose row it is. */
export const OWNING_COLUMNS: Readonly<Record<string, string>> = {
  pg_aggregate: 'aggfnoid',
  pg_attribute: 'attrelid',
  pg_foreign_table: 'ftrelid',
  pg_index: 'indexrelid',
  pg_inherits: 'inhrelid',
  pg_partitioned_table: 'partrelid',
  pg_range: 'rngtypid',
  pg_sequence: 'seqrelid',
  pg_ts_config_map: 'mapcfg',
}

/** Shared by all databases, or statistics, or looked at by other means. */
export const OTHER_CATALOGS = [
  'pg_auth_members',
  'pg_authid',
  'pg_database',
  'pg_db_role_setting',
  'pg_depend',
  'pg_description',
  // what extensions granted when they were made: every restore makes them anew
  'pg_init_privs',
  'pg_largeobject',
  'pg_parameter_acl',
  'pg_replication_origin',
  // no provider of labels comes with the server
  'pg_seclabel',
  'pg_shdepend',
  'pg_shdescription',
  'pg_shseclabel',
  'pg_statistic',
  'pg_statistic_ext_data',
  'pg_subscription_rel',
  'pg_tablespace',
]

/** Physical facts, hints that may be stale, numbers that a restore counts anew. */
export const IGNORED_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  pg_attribute: ['attnum', 'attcacheoff', 'atthasmissing', 'attmissingval', 'attndims', 'attisdropped'],
  pg_class: [
    'relfilenode',
    'relpages',
    'reltuples',
    'relallvisible',
    'relallfrozen',
    'reltoastrelid',
    'relhasindex',
    'relhasrules',
    'relhastriggers',
    'relhassubclass',
    'relnatts',
    'relrewrite',
    'relfrozenxid',
    'relminmxid',
  ],
  // a copy of a collation of all encodings is restored as one of this encoding
  pg_collation: ['collversion', 'collencoding'],
  // of checks it is part of the definition; of keys of partitions it depends on how they came to be partitions
  pg_constraint: ['connoinherit'],
  pg_enum: ['enumsortorder'],
  pg_index: ['indcheckxmin'],
  pg_subscription: ['subdbid', 'subskiplsn'],
}

/** Which rows, beyond those of objects that people have made. */
export const FILTERS: Readonly<Record<string, string>> = {
  pg_attribute: `c.attrelid >= 16384 AND c.attnum > 0 AND NOT c.attisdropped
    AND c.attrelid NOT IN (SELECT seqrelid FROM pg_catalog.pg_sequence)`,
  // a foreign key to a partitioned table has one for each partition, numbered as they came
  pg_constraint: `c.oid >= 16384 AND (c.contype <> 'f' OR c.conparentid = 0)`,
  pg_extension: 'true',
  pg_largeobject_metadata: 'true',
  pg_namespace: `(c.oid >= 16384 OR c.nspname = 'public') AND c.nspname !~ '^pg_(toast_)?temp_'`,
  pg_subscription: `c.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`,
  // those of foreign keys carry an oid in their name, and what they do is said by the constraint
  pg_trigger: 'c.oid >= 16384 AND NOT c.tgisinternal',
}

/** Where the name that PostgreSQL gives an object does not say which one it is. */
export const IDENTITIES: Readonly<Record<string, string>> = {
  pg_attribute: `(pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, c.attrelid, c.attnum)).identity`,
  pg_enum: `format('%s %L', c.enumtypid::regtype, c.enumlabel)`,
  pg_inherits: `format('%s of %s', c.inhrelid::regclass, c.inhparent::regclass)`,
  pg_largeobject_metadata: 'c.oid::text',
  pg_subscription: 'c.subname::text',
  pg_ts_config_map: `format('%s, token %s, %s', c.mapcfg::regconfig, c.maptokentype, c.mapseqno)`,
}

/** What is stored as a tree, or as numbers of columns, in words. Left out where a column named here is not there. */
export const DEFINITIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  pg_attrdef: { definition: 'pg_get_expr(c.adbin, c.adrelid)' },
  // a dump puts inherited columns first, so only the order in tables without parents is a promise
  pg_attribute: {
    position: `CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.attrelid) THEN NULL
      ELSE (row_number() OVER (PARTITION BY c.attrelid ORDER BY c.attnum))::text END`,
  },
  pg_class: {
    bound: 'pg_get_expr(c.relpartbound, c.oid)',
    toastOptions: '(SELECT t.reloptions::text FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid)',
  },
  pg_constraint: { definition: 'pg_get_constraintdef(c.oid)' },
  pg_enum: { position: 'row_number() OVER (PARTITION BY c.enumtypid ORDER BY c.enumsortorder)::text' },
  pg_index: { definition: 'pg_get_indexdef(c.indexrelid)' },
  pg_partitioned_table: { definition: 'pg_get_partkeydef(c.partrelid)' },
  pg_policy: {
    using: 'pg_get_expr(c.polqual, c.polrelid)',
    check: 'pg_get_expr(c.polwithcheck, c.polrelid)',
  },
  pg_proc: {
    arguments: 'pg_get_function_arguments(c.oid)',
    body: 'pg_get_function_sqlbody(c.oid)',
  },
  pg_publication_rel: {
    filter: 'pg_get_expr(c.prqual, c.prrelid)',
    columns: `(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = c.prrelid AND a.attnum = ANY (c.prattrs::int2[]))`,
  },
  pg_rewrite: { definition: 'pg_get_ruledef(c.oid)' },
  pg_statistic_ext: { definition: 'pg_get_statisticsobjdef(c.oid)' },
  pg_trigger: { definition: 'pg_get_triggerdef(c.oid)' },
  pg_type: { defaultTree: 'pg_get_expr(c.typdefaultbin, 0)' },
}

/** The letter by which `acldefault` knows the objects of a catalog. */
export const DEFAULT_PRIVILEGES: Readonly<Record<string, readonly [kind: string, owner: string]>> = {
  pg_attribute: [`'c'`, '0'],
  pg_class: [`(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char"`, 'c.relowner'],
  pg_foreign_data_wrapper: [`'F'`, 'c.fdwowner'],
  pg_foreign_server: [`'S'`, 'c.srvowner'],
  pg_language: [`'l'`, 'c.lanowner'],
  pg_largeobject_metadata: [`'L'`, 'c.lomowner'],
  pg_namespace: [`'n'`, 'c.nspowner'],
  pg_proc: [`'f'`, 'c.proowner'],
  pg_type: [`'T'`, 'c.typowner'],
}
