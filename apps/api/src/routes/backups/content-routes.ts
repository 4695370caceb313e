import type { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { WorkDeps } from '@holdfast/core'
import { loadManifestText, ManifestSchema, openArtifact } from '@holdfast/core'
import { Type } from 'typebox'
import { principalOf, requireRole } from '../../auth/principal.ts'
import { whenClientGone } from '../../http/client-gone.ts'
import { problemResponses } from '../../http/problem.ts'
import type { RouteApp } from '../../http/route-app.ts'
import { BackupParams, DownloadQuery } from './schemas.ts'

export type BackupContentRouteDeps = Pick<WorkDeps, 'catalog' | 'storages' | 'signer'>

const tags = ['backups']

/** What a backup consists of. */
export function backupContentRoutes(deps: BackupContentRouteDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    addManifest(app, deps)
    addDownload(app, deps)
  }
}

function addManifest(app: RouteApp, deps: BackupContentRouteDeps): void {
  app.get(
    '/:id/manifest',
    {
      config: { access: 'viewer' },
      schema: {
        operationId: 'getManifest',
        summary: 'The signed manifest, as it lies in the storage',
        tags,
        params: BackupParams,
        response: { 200: Type.Unsafe<string>(ManifestSchema), ...problemResponses },
      },
    },
    async (request, reply) => {
      const text = await loadManifestText(deps, request.params.id, whenClientGone(reply))
      // past the serializer: the signature covers every field, those of later versions included
      return reply.type('application/json').send(text)
    },
  )
}

function addDownload(app: RouteApp, deps: BackupContentRouteDeps): void {
  app.get(
    '/:id/download',
    {
      config: { access: 'operator' },
      // answering HEAD would mean reading the whole artifact for nothing
      exposeHeadRoute: false,
      schema: {
        operationId: 'downloadBackup',
        summary: 'Stream a stored artifact: the dump, or what was stored beside it; `globals` need an admin',
        description:
          'The stored bytes, compressed as the manifest says. `X-Checksum-SHA256` is their SHA-256. `data` is the dump, `files` the included directories; `settings`, `contents` and `globals` come with dumps of servers.',
        tags,
        params: BackupParams,
        querystring: DownloadQuery,
        response: {
          200: {
            description: 'The stored bytes',
            content: {
              'application/octet-stream': {
                schema: Type.Unsafe<Readable>({ type: 'string', format: 'binary' }),
              },
            },
          },
          ...problemResponses,
        },
      },
    },
    async (request, reply) => {
      const { artifact: role = 'data' } = request.query
      // they are about a whole server: its superusers and other databases too, which the dump says nothing of
      if (role === 'globals') requireRole(principalOf(request), 'admin', 'downloading the roles of a server')
      const { stream, artifact, manifest } = await openArtifact(
        deps,
        request.params.id,
        role,
        whenClientGone(reply),
      )
      const digest = Buffer.from(artifact.storedSha256, 'hex').toString('base64')
      return reply
        .type('application/octet-stream')
        .header('content-length', artifact.storedBytes)
        .header(
          'content-disposition',
          `attachment; filename="${manifest.target}-${manifest.id}-${artifact.name}"`,
        )
        .header('x-checksum-sha256', artifact.storedSha256)
        .header('repr-digest', `sha-256=:${digest}:`)
        .send(stream)
    },
  )
}
