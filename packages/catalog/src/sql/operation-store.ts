import type { OperationStore } from '@holdfast/core'
import { readNextInLine } from './line.ts'
import { acceptOperation } from './operation-accept.ts'
import { acquireLock } from './operation-acquire.ts'
import { endOperation } from './operation-end.ts'
import {
  confirmHeld,
  handBackOperation,
  pauseOperation,
  renewLease,
  setOperationJournal,
  setOperationProgress,
} from './operation-hold.ts'
import {
  getOperation,
  listMembers,
  listOperations,
  listUnfinishedOperations,
  setOperationLockKey,
} from './operation-read.ts'
import { failUnstartedOperation, requestOperationCancel } from './operation-stop.ts'
import type { Session } from './session.ts'

/** Operations and the locks of databases: each rule stands in the file of the call that enforces it. */
export function createOperationStore(session: Session): OperationStore {
  return {
    accept: (operation) => acceptOperation(session, operation),
    get: (id) => getOperation(session, id),
    listMembers: (groupId) => listMembers(session, groupId),
    list: (filter, page) => listOperations(session, filter, page),
    listUnfinished: () => listUnfinishedOperations(session),
    setLockKey: (id, lockKey) => setOperationLockKey(session, id, lockKey),
    acquire: (request) => acquireLock(session, request),
    renew: (held, leaseMs) => renewLease(session, held, leaseMs),
    confirm: (held) => confirmHeld(session, held),
    setProgress: (held, phase, progress) => setOperationProgress(session, held, phase, progress),
    setJournal: (held, journal) => setOperationJournal(session, held, journal),
    end: (held, end) => endOperation(session, held, end),
    handBack: (held, options) => handBackOperation(session, held, options),
    pause: (held, pause) => pauseOperation(session, held, pause),
    nextInLine: (lockKey) => session.run((db) => readNextInLine(session, db, lockKey)),
    failUnstarted: (id, failure) => failUnstartedOperation(session, id, failure),
    requestCancel: (id) => requestOperationCancel(session, id),
  }
}
