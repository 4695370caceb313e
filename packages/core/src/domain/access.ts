export type Role = 'viewer' | 'operator' | 'admin'
export const ROLES = ['viewer', 'operator', 'admin'] as const satisfies readonly Role[]

/** True if a key of role `held` may do what needs role `needed`. */
export function allows(held: Role, needed: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(needed)
}

/** A named API key; the key itself exists only at its owner's, here is its SHA-256. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly createdAt: string
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
}

/** One line of the audit trail: who did what to what, through which request. */
export interface AuditEntry {
  readonly id: string
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly requestId: string | null
  readonly outcome: string
}

/** When a target is backed up by itself. Driven by the schedulers of a later release. */
export interface Schedule {
  readonly id: string
  readonly target: string
  readonly cron: string
  readonly timezone: string
  readonly mode: string
  readonly enabled: boolean
  readonly createdAt: string
  readonly updatedAt: string
}
