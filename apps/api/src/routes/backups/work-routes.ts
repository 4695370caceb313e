import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { DispatchDeps, WorkDeps } from '@holdfast/core'
import { acceptRestore, acceptVerify, dispatch, RestoreBody, VerifyBody } from '@holdfast/core'
import { Type } from 'typebox'
import { principalOf, requireRole } from '../../auth/principal.ts'
import { acceptedResponses, answerAccepted, callerOf, IdempotencyHeaders } from '../../http/accepted.ts'
import { BackupParams } from './schemas.ts'

export type BackupWorkRouteDeps = DispatchDeps &
  Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'storages' | 'clock'>

const tags = ['backups']

/** What can be done with a backup. */
export function backupWorkRoutes(deps: BackupWorkRouteDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/:id/verify',
      {
        config: { access: 'operator', action: 'backup.verify' },
        schema: {
          operationId: 'verifyBackup',
          summary: 'Prove a backup: its checksums, its structure, or by a drill (default)',
          tags,
          headers: IdempotencyHeaders,
          params: BackupParams,
          body: Type.Union([Type.Null(), VerifyBody]),
          response: acceptedResponses,
        },
      },
      async (request, reply) => {
        const body = request.body ?? {}
        const accepted = await dispatch(deps, () =>
          acceptVerify(deps, request.params.id, body, callerOf(request)),
        )
        return answerAccepted(reply, accepted)
      },
    )

    app.post(
      '/:id/restore',
      {
        config: { access: 'operator', action: 'backup.restore' },
        schema: {
          operationId: 'restoreBackup',
          summary: 'Restore a backup: a dry run unless `dryRun` is false, which needs an admin',
          tags,
          headers: IdempotencyHeaders,
          params: BackupParams,
          body: RestoreBody,
          response: acceptedResponses,
        },
      },
      async (request, reply) => {
        if (request.body.dryRun === false)
          requireRole(principalOf(request), 'admin', 'a restore that is no dry run')
        const accepted = await dispatch(deps, () =>
          acceptRestore(deps, request.params.id, request.body, callerOf(request)),
        )
        return answerAccepted(reply, accepted)
      },
    )
  }
}
