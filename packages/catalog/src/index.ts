export type { OpenCatalogOptions } from './open-catalog.ts'
export { openCatalog } from './open-catalog.ts'
