import type { FileAccess, InspectOutput } from '../protocol.ts'
import { Descriptors } from './descriptors.ts'
import { factsOfHeader, readFacts } from './facts.ts'
import { explain } from './failure.ts'
import type { JobLink } from './link.ts'
import { locateExisting } from './locate-file.ts'
import { openUnlessHot, pin } from './open-source.ts'

/** Opens the database as a backup would and says what it is. */
export function inspect(input: FileAccess, link: JobLink): InspectOutput {
  const source = openUnlessHot(input)
  link.opened()
  if (source === null) return inspectUnopened(input)
  using opened = source
  pin(opened.connection)
  const facts = readFacts(opened.connection)
  const { realPath } = opened
  if (facts.journalMode === 'wal') return { realPath, facts, warnings: [] }
  const warning = `the database uses a rollback journal (${facts.journalMode}): its writers wait while a backup reads it; 'PRAGMA journal_mode = WAL' spares them that`
  return { realPath, facts, warnings: [warning] }
}

function inspectUnopened(input: FileAccess): InspectOutput {
  const { realPath, stat } = locateExisting(input)
  const descriptors = new Descriptors()
  try {
    const facts = factsOfHeader(descriptors.open(realPath), Number(stat.size))
    const warning =
      'a crash left the database in the middle of a transaction: whoever opens it next for writing rolls it back'
    return { realPath, facts, warnings: [warning] }
  } catch (error) {
    throw explain(error, realPath)
  } finally {
    descriptors.closeAll()
  }
}
