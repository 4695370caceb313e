import type { ClientTools } from '../client-tools.ts'

/** The first release of each series of MariaDB whose client knows the line, from 10.5 on; series after them all do. */
const FIRST_KNOWING = [100_525, 100_618, 101_108, 110_006, 110_105, 110_204, 110_402]

/** Whether a client takes `/*M!999999\- enable the sandbox mode *\/` for what it is, and not for an unknown command. */
export function knowsSandbox({ flavour, version }: Pick<ClientTools, 'flavour' | 'version'>): boolean {
  if (flavour.name !== 'MariaDB') return false
  const series = (one: number) => Math.floor(one / 100)
  const first = FIRST_KNOWING.find((one) => series(one) === series(version))
  return first === undefined ? version > Math.max(...FIRST_KNOWING) : version >= first
}
