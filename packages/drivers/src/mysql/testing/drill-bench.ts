import type { CheckReport, CheckRequest } from '@holdfast/core'
import type { MariadbServer } from '@holdfast/testing'
import { never } from '@holdfast/testing'
import type { Patience } from '../../client-server/patience.ts'
import { checkDump } from '../check/check-dump.ts'
import type { Contents } from '../contents/contents-file.ts'
import type { Taken } from './dump-bench.ts'
import { DumpBench } from './dump-bench.ts'
import { describe, RestoreBench } from './restore-bench.ts'

/** Other than what a test would ask for. */
export interface CheckChange extends Partial<Omit<CheckRequest, 'dump'>> {
  readonly contents?: Partial<Contents>
  readonly patience?: Partial<Patience>
  readonly signal?: AbortSignal
}

/** Dumps and checks, with drills on the server of the dumps unless another one is named. */
export class DrillBench extends RestoreBench {
  static override async make(server: MariadbServer): Promise<DrillBench> {
    return new DrillBench(await DumpBench.make(server))
  }

  check(taken: Taken, change: CheckChange = {}): Promise<CheckReport> {
    const { patience, contents, signal = never, ...asked } = change
    const { connection: _, ...parts } = this.dumps.parts(this.server.url, patience)
    const request: CheckRequest = {
      operationId: this.dumps.newOperationId(),
      file: taken.file,
      depth: 'full',
      scratchUrl: this.server.url,
      onProgress: () => {},
      ...asked,
      dump: describe(taken, contents),
    }
    return checkDump(parts, request, signal)
  }
}
