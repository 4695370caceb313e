import type { AuditEntry, CatalogStats } from '@holdfast/core'
import { BACKUP_TRANSITIONS, FINISHED_STATES } from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Count, Moment, orNull } from '../../http/fields.ts'

const countsOf = (names: readonly string[]) =>
  Type.Object(Object.fromEntries(names.map((name) => [name, Type.Optional(Count)])))

export const StatsView = Type.Object(
  {
    targets: Count,
    backups: countsOf(Object.keys(BACKUP_TRANSITIONS)),
    operations: countsOf(['queued', 'waiting', 'running', ...FINISHED_STATES]),
    storedBytes: Count,
    sizeBytes: Count,
    newest: Type.Array(
      Type.Object({ target: Type.String(), database: orNull(Type.String()), consistentAt: Moment }),
      {
        description:
          'When the newest usable backup of each target, and of each database of a server, is consistent at',
      },
    ),
  },
  { $id: 'Stats' },
)
export type StatsView = Static<typeof StatsView>

export function toStatsView(stats: CatalogStats): StatsView {
  return {
    targets: stats.targets,
    backups: { ...stats.backups },
    operations: { ...stats.operations },
    storedBytes: stats.storedBytes,
    sizeBytes: stats.sizeBytes,
    newest: stats.newest.map(({ target, database, consistentAt }) => ({ target, database, consistentAt })),
  }
}

export const AuditView = Type.Object(
  {
    id: Type.String(),
    at: Moment,
    actor: Type.String({ description: 'Name of the key' }),
    action: Type.String(),
    subject: Type.String(),
    requestId: orNull(Type.String()),
    outcome: Type.String(),
  },
  { $id: 'AuditEntry' },
)
export type AuditView = Static<typeof AuditView>

export function toAuditView(entry: AuditEntry): AuditView {
  const { id, at, actor, action, subject, requestId, outcome } = entry
  return { id, at, actor, action, subject, requestId, outcome }
}
