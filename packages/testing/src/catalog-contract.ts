import { describe } from 'vitest'
import { describeAccepting } from './catalog/accept-contract.ts'
import { describeAccess } from './catalog/access-contract.ts'
import { describeBackups } from './catalog/backups-contract.ts'
import { describeChaos } from './catalog/chaos-contract.ts'
import { describeDeleting } from './catalog/deleting-contract.ts'
import { describeEnds } from './catalog/ends-contract.ts'
import { describeGroups } from './catalog/groups-contract.ts'
import { describeLeaving } from './catalog/leaving-contract.ts'
import { describeLine } from './catalog/line-contract.ts'
import { describeLocks } from './catalog/locks-contract.ts'
import type { CatalogSubject } from './catalog/subject.ts'
import { describeTargets } from './catalog/targets-contract.ts'

/** The behaviour that every catalog owes its callers. A database is supported once this passes on it. */
export function describeCatalogContract(name: string, subject: CatalogSubject): void {
  describe(`${name} catalog contract`, () => {
    describeTargets(subject)
    describeBackups(subject)
    describeDeleting(subject)
    describeAccepting(subject)
    describeLocks(subject)
    describeLine(subject)
    describeLeaving(subject)
    describeEnds(subject)
    describeGroups(subject)
    describeAccess(subject)
    describeChaos(subject)
  })
}
