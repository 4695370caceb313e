import type { Target } from '@holdfast/client'
import { labelsText } from '../text/table.ts'
import { momentText } from '../text/units.ts'

/** A target, line by line. */
export function targetDetails(target: Target): readonly (readonly [string, string | null])[] {
  const { include, compression, verify } = target.options
  return [
    ['name', target.name],
    ['engine', target.engine],
    ['url', target.url],
    ['environment', target.environment],
    ['labels', labelsText(target.labels)],
    ['include', include?.join(', ') ?? null],
    ['compression', compression ?? null],
    ['verify', verify ?? null],
    ['created', momentText(target.createdAt)],
  ]
}
