import type { Target } from '@holdfast/client'
import { labelsText } from '../text/table.ts'
import { momentText } from '../text/units.ts'

/** A target, line by line. */
export function targetDetails(target: Target): readonly (readonly [string, string | null])[] {
  const { include, compression, verify, format, counting, globals, filter, databases } = target.options
  const { parallelDatabases, drillOn } = target.options
  return [
    ['name', target.name],
    ['engine', target.engine],
    ['url', target.url],
    ['environment', target.environment],
    ['labels', labelsText(target.labels)],
    ['include', include?.join(', ') ?? null],
    ['compression', compression ?? null],
    ['verify', verify ?? null],
    ['format', format ?? null],
    ['counting', counting ?? null],
    ['globals', globals ?? null],
    ...filterDetails('filter', filter),
    ...filterDetails('databases', databases),
    ['parallel', parallelDatabases === undefined ? null : `${parallelDatabases} databases`],
    ['drills on', drillOn ?? null],
    ['created', momentText(target.createdAt)],
  ]
}

function filterDetails(
  name: string,
  filter: Target['options']['filter'],
): readonly (readonly [string, string])[] {
  return [
    ...(filter?.include ? [[name, filter.include.join(', ')] as const] : []),
    ...(filter?.exclude ? [[`${name}, except`, filter.exclude.join(', ')] as const] : []),
  ]
}
