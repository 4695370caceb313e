import { DEFAULT_PATIENCE } from '../../client-server/patience.ts'
import { Toolbox } from '../client-tools.ts'
import type { MysqlParts } from '../mysql-parts.ts'
import { parseMysqlUrl } from '../mysql-url.ts'

/** What a driver for this URL would work with. */
export function partsFor(url: string): MysqlParts {
  const context = { pathRoots: [], scratchDir: '/nonexistent', now: () => Date.now() }
  return {
    connection: parseMysqlUrl(url),
    context,
    patience: DEFAULT_PATIENCE,
    toolbox: new Toolbox({ configuredDirectory: null, path: '' }),
  }
}
