/** SQL for a list of privileges in words, whatever their order in the list. */
export function privilegeList(acl: string): string {
  return `(SELECT string_agg(format('%s may %s%s by %s', coalesce(ee.rolname, 'PUBLIC'), e.privilege_type,
      CASE WHEN e.is_grantable THEN ' and grant' END, er.rolname), '; '
      ORDER BY ee.rolname, e.privilege_type, er.rolname)
    FROM aclexplode(${acl}) e LEFT JOIN pg_catalog.pg_roles ee ON ee.oid = e.grantee
    LEFT JOIN pg_catalog.pg_roles er ON er.oid = e.grantor)`
}
