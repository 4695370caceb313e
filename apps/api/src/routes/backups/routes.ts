import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { BackupFilter, DispatchDeps, WorkDeps } from '@holdfast/core'
import {
  AppError,
  acceptBackup,
  BackupBody,
  changeBackup,
  deleteBackup,
  dispatch,
  latestBackup,
} from '@holdfast/core'
import { acceptedResponses, answerAccepted, callerOf, IdempotencyHeaders } from '../../http/accepted.ts'
import { pageSchema, toPageRequest, toPageView } from '../../http/page.ts'
import { problemResponses } from '../../http/problem.ts'
import { refTo } from '../../http/ref.ts'
import type { RouteApp } from '../../http/route-app.ts'
import {
  BackupChangeBody,
  BackupListQuery,
  BackupParams,
  BackupView,
  DeletedView,
  DeleteQuery,
  LatestQuery,
  toBackupView,
} from './schemas.ts'

export type BackupRouteDeps = DispatchDeps &
  Pick<WorkDeps, 'catalog' | 'storages' | 'seal' | 'drivers' | 'clock' | 'signer'>

const tags = ['backups']

/** Asking for backups, reading, changing and deleting them. */
export function backupRoutes(deps: BackupRouteDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    addRequesting(app, deps)
    addReading(app, deps)
    addChanging(app, deps)
  }
}

function addRequesting(app: RouteApp, deps: BackupRouteDeps): void {
  app.post(
    '',
    {
      config: { access: 'operator', action: 'backup.request' },
      schema: {
        operationId: 'requestBackup',
        summary: 'Back up a target',
        tags,
        headers: IdempotencyHeaders,
        body: BackupBody,
        response: acceptedResponses,
      },
    },
    async (request, reply) => {
      const accepted = await dispatch(deps, () => acceptBackup(deps, request.body, callerOf(request)))
      return answerAccepted(reply, accepted)
    },
  )
}

function addReading(app: RouteApp, deps: BackupRouteDeps): void {
  app.get(
    '',
    {
      config: { access: 'viewer' },
      schema: {
        operationId: 'listBackups',
        summary: 'List backups, newest first; deleted ones only if asked for by status',
        tags,
        querystring: BackupListQuery,
        response: { 200: pageSchema(refTo(BackupView)), ...problemResponses },
      },
    },
    async (request) => {
      const { limit: _limit, cursor: _cursor, since, until, ...rest } = request.query
      const filter: BackupFilter = { ...rest, ...momentsOf({ since, until }) }
      return toPageView(await deps.catalog.backups.list(filter, toPageRequest(request.query)), toBackupView)
    },
  )

  app.get(
    '/latest',
    {
      config: { access: 'viewer' },
      schema: {
        operationId: 'getLatestBackup',
        summary: 'The newest backup of a target that can be restored',
        tags,
        querystring: LatestQuery,
        response: { 200: refTo(BackupView), ...problemResponses },
      },
    },
    async (request) => {
      const { target, database = null } = request.query
      return toBackupView(await latestBackup(deps, target, database))
    },
  )

  app.get(
    '/:id',
    {
      config: { access: 'viewer' },
      schema: {
        operationId: 'getBackup',
        summary: 'Read one backup, by id or name',
        tags,
        params: BackupParams,
        response: { 200: refTo(BackupView), ...problemResponses },
      },
    },
    async (request) => toBackupView(await deps.catalog.backups.get(request.params.id)),
  )
}

function addChanging(app: RouteApp, deps: BackupRouteDeps): void {
  app.patch(
    '/:id',
    {
      config: { access: 'operator', action: 'backup.change' },
      schema: {
        operationId: 'changeBackup',
        summary: 'Pin a backup, label it, note something, or accept that it shrank',
        tags,
        params: BackupParams,
        body: BackupChangeBody,
        response: { 200: refTo(BackupView), ...problemResponses },
      },
    },
    async (request) => toBackupView(await changeBackup(deps, request.params.id, request.body)),
  )

  app.delete(
    '/:id',
    {
      config: { access: 'admin', action: 'backup.delete' },
      schema: {
        operationId: 'deleteBackup',
        summary: 'Delete a backup for good',
        tags,
        params: BackupParams,
        querystring: DeleteQuery,
        response: { 200: DeletedView, ...problemResponses },
      },
    },
    async (request) => {
      const { evenIfPinned = false } = request.query
      return deleteBackup(deps, request.params.id, { evenIfPinned })
    },
  )
}

/** Times in the one form in which the catalog compares them. */
function momentsOf(times: { readonly since: string | undefined; readonly until: string | undefined }) {
  const entries = Object.entries(times).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, toIso(name, text)]],
  )
  return Object.fromEntries(entries)
}

function toIso(name: string, text: string): string {
  const time = Date.parse(text)
  if (Number.isNaN(time))
    throw new AppError('INVALID_REQUEST', `the query is not valid: /${name} is no moment`)
  return new Date(time).toISOString()
}
