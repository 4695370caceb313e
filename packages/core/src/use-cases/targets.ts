import type { Static } from 'typebox'
import { Type } from 'typebox'
import {
  CompressionSchema,
  CountingSchema,
  FilterSchema,
  FormatSchema,
  GlobalsSchema,
  IncludeSchema,
  LabelsSchema,
  NameSchema,
  VerificationLevelSchema,
} from '../contract/requests.ts'
import { requireName } from '../domain/names.ts'
import type { Target } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { DatabaseInfo } from '../ports/driver.ts'
import type { WorkDeps } from '../ports/work.ts'
import { driverOfTarget } from './target-driver.ts'
import { TARGET_URL_PURPOSE } from './target-url.ts'

const UrlSchema = Type.String({
  minLength: 1,
  maxLength: 8192,
  description: 'URL of the database; kept sealed',
})
const TargetOptionsSchema = Type.Object(
  {
    include: Type.Optional(IncludeSchema),
    compression: Type.Optional(CompressionSchema),
    verify: Type.Optional(VerificationLevelSchema),
    format: Type.Optional(FormatSchema),
    counting: Type.Optional(CountingSchema),
    globals: Type.Optional(GlobalsSchema),
    filter: Type.Optional(FilterSchema),
    databases: Type.Optional(FilterSchema),
    parallelDatabases: Type.Optional(Type.Integer({ minimum: 1, maximum: 32 })),
    drillOn: Type.Optional(NameSchema),
  },
  { additionalProperties: false },
)

/** `POST /v1/targets`. */
export const TargetBody = Type.Object(
  {
    name: NameSchema,
    url: UrlSchema,
    environment: Type.Optional(Type.Union([NameSchema, Type.Null()])),
    labels: Type.Optional(LabelsSchema),
    options: Type.Optional(TargetOptionsSchema),
  },
  { additionalProperties: false },
)
export type TargetBody = Static<typeof TargetBody>

/** `PATCH /v1/targets/{name}`: what is left out stays. */
export const TargetChangeBody = Type.Partial(Type.Omit(TargetBody, ['name']), { additionalProperties: false })
export type TargetChangeBody = Static<typeof TargetChangeBody>

type TargetDeps = Pick<WorkDeps, 'catalog' | 'seal' | 'drivers'>

/** Registers a database. Connects to nothing: `checkTarget` does. */
export async function registerTarget(deps: TargetDeps, body: TargetBody): Promise<Target> {
  return deps.catalog.targets.add({
    name: requireName('name', body.name),
    ...(await sealConnection(deps, body.url)),
    environment: body.environment ?? null,
    labels: body.labels ?? {},
    options: body.options ?? {},
  })
}

/** Changes a target; its name and engine never change. */
export async function changeTarget(deps: TargetDeps, name: string, body: TargetChangeBody): Promise<Target> {
  const { url, ...rest } = body
  if (url === undefined) return deps.catalog.targets.change(name, rest)
  const { engine, ...connection } = await sealConnection(deps, url)
  const target = await deps.catalog.targets.get(name)
  if (engine !== target.engine) {
    throw new AppError('INVALID_REQUEST', `target ${name} is a ${target.engine} database and stays one`, {
      hint: 'register the other database as a target of its own',
    })
  }
  return deps.catalog.targets.change(name, { ...rest, connection })
}

/** Connects to a target and reports what is there. Changes nothing. */
export async function checkTarget(
  deps: TargetDeps & Pick<WorkDeps, 'driverContext'>,
  name: string,
  signal: AbortSignal,
): Promise<DatabaseInfo> {
  const driver = await driverOfTarget(deps, name)
  return driver.inspect(signal)
}

async function sealConnection(deps: TargetDeps, url: string) {
  const factory = deps.drivers.forUrl(url)
  return {
    engine: factory.engine,
    displayUrl: factory.displayUrl(url),
    lockKey: await factory.lockKeyOf(url),
    sealedUrl: deps.seal.seal(url, TARGET_URL_PURPOSE),
  }
}
