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
import { selectNames } from '../domain/select-names.ts'
import type { Target } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { DatabaseInfo } from '../ports/driver.ts'
import type { WorkDeps } from '../ports/work.ts'
import { databasesOfTarget } from './server-databases.ts'
import { driverOfTarget } from './target-driver.ts'
import { namesServer, TARGET_URL_PURPOSE } from './target-url.ts'

const UrlSchema = Type.String({
  minLength: 1,
  maxLength: 8192,
  description: 'URL of the database; kept sealed',
})
/** What a target's backups are like unless a request says otherwise. */
export const TargetOptionsSchema = Type.Object(
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
  const connection = await sealConnection(deps, body.url)
  requireFitting(deps, { ...connection, options: body.options ?? {} })
  return deps.catalog.targets.add({
    name: requireName('name', body.name),
    ...connection,
    environment: body.environment ?? null,
    labels: body.labels ?? {},
    options: body.options ?? {},
  })
}

/** Changes a target; its name and engine never change. */
export async function changeTarget(deps: TargetDeps, name: string, body: TargetChangeBody): Promise<Target> {
  const { url, ...rest } = body
  const target = await deps.catalog.targets.get(name)
  if (url === undefined) {
    requireFitting(deps, { ...target, options: rest.options ?? target.options })
    return deps.catalog.targets.change(name, rest)
  }
  const { engine, ...connection } = await sealConnection(deps, url)
  if (engine !== target.engine) {
    throw new AppError('INVALID_REQUEST', `target ${name} is a ${target.engine} database and stays one`, {
      hint: 'register the other database as a target of its own',
    })
  }
  requireFitting(deps, { engine, ...connection, options: rest.options ?? target.options })
  return deps.catalog.targets.change(name, { ...rest, connection })
}

/** What a check found. */
export interface TargetCheck extends DatabaseInfo {
  /** Of a target that names a server: the databases that a backup of it would be of; null otherwise. */
  readonly databases: readonly string[] | null
}

/** Connects to a target and reports what is there. Changes nothing. */
export async function checkTarget(
  deps: TargetDeps & Pick<WorkDeps, 'driverContext'>,
  name: string,
  signal: AbortSignal,
): Promise<TargetCheck> {
  const target = await deps.catalog.targets.get(name)
  const driver = await driverOfTarget(deps, name)
  const info = await driver.inspect(signal)
  if (!namesServer(deps.drivers.byEngine(target.engine), target)) return { ...info, databases: null }
  const present = await databasesOfTarget(deps, name, signal)
  const { names, unmatched } = selectNames(present, target.options.databases)
  const missing = names.filter((database) => !present.includes(database))
  const warnings = [
    ...info.warnings,
    ...unmatched.map((pattern) => `no database matches ${pattern}`),
    ...missing.map((database) => `there is no database ${database}: a backup of it will fail`),
    ...(names.length === 0 ? ['no database is to be backed up: a backup of this target will fail'] : []),
  ]
  return { ...info, databases: names, warnings }
}

/** Options that mean something for servers alone are refused elsewhere: nobody would notice that they do nothing. */
function requireFitting(
  deps: TargetDeps,
  { engine, displayUrl, options }: Pick<Target, 'engine' | 'displayUrl' | 'options'>,
): void {
  const { databases, parallelDatabases } = options
  if (databases === undefined && parallelDatabases === undefined) return
  if (namesServer(deps.drivers.byEngine(engine), { displayUrl })) return
  throw new AppError('INVALID_REQUEST', 'the URL names one database, not a server with many', {
    hint: "leave out the options 'databases' and 'parallelDatabases', or the database in the URL",
  })
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
