import { afterAll, describe } from 'vitest'
import { DriverSuite } from './driver/bench.ts'
import { describeChecking } from './driver/check-contract.ts'
import { describeCrashes } from './driver/crash-contract.ts'
import { describeDumping } from './driver/dump-contract.ts'
import { describeStaging } from './driver/stage-contract.ts'
import type { DriverSubject } from './driver/subject.ts'
import { describeSwapping } from './driver/swap-contract.ts'

/** The behaviour every driver owes its callers. An engine is supported once this passes for it. */
export function describeDriverContract(engine: string, subject: DriverSubject): void {
  describe(`${engine} driver contract`, () => {
    const suite = new DriverSuite(subject)
    afterAll(() => suite.close())
    describeDumping(suite)
    describeChecking(suite)
    describeStaging(suite)
    describeSwapping(suite)
    describeCrashes(suite)
  })
}
