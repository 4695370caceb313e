import type { Relation } from './list-relations.ts'

/** Something to scan. */
export interface TablePart {
  readonly schema: string
  readonly name: string
  /** Without what inherits from it. */
  readonly only: boolean
}

/** What of a database is in a dump. */
export interface DumpedParts {
  readonly isDumped: (relation: Relation) => boolean
  /** False for tables that are there, but without their rows. */
  readonly hasRows: (relation: Relation) => boolean
}

/** The tables of a dump and the partitions of which they consist. */
export class PartitionTree {
  readonly #relations: ReadonlyMap<number, Relation>
  readonly #partitions: ReadonlyMap<number, readonly Relation[]>
  readonly #isDumped: (relation: Relation) => boolean
  readonly #hasRows: (relation: Relation) => boolean

  constructor(relations: readonly Relation[], { isDumped, hasRows }: DumpedParts) {
    this.#relations = new Map(relations.map((relation) => [relation.oid, relation]))
    this.#partitions = Map.groupBy(
      relations.filter(({ parent }) => parent !== null),
      ({ parent }) => parent ?? 0,
    )
    this.#isDumped = isDumped
    this.#hasRows = hasRows
  }

  /** What is counted apart: everything that holds rows and is no partition of something that is counted. */
  roots(): readonly Relation[] {
    return [...this.#relations.values()].filter((relation) => {
      if (!this.#isDumped(relation)) return false
      const { kind, parent, populated } = relation
      if (kind === 'm') return populated
      const above = parent === null ? undefined : this.#relations.get(parent)
      return (kind === 'r' || kind === 'p') && (above === undefined || !this.#isDumped(above))
    })
  }

  /** Tables that belong together, itself included: all that counting it as a whole would lock. */
  membersOf(root: Relation): readonly TablePart[] {
    const isTable = root.kind === 'r' || root.kind === 'p'
    const own = isTable && this.#isDumped(root) ? [{ schema: root.schema, name: root.name, only: true }] : []
    return [...own, ...this.#childrenOf(root).flatMap((child) => this.membersOf(child))]
  }

  /** What holds the rows of a root; itself if it is not partitioned. */
  leavesOf(root: Relation): readonly Relation[] {
    if (!this.#holdsRows(root)) return []
    return root.kind === 'p' ? this.#childrenOf(root).flatMap((child) => this.leavesOf(child)) : [root]
  }

  /** How to scan a root: as a whole, or leaf by leaf if some of its partitions are not in the dump. */
  partsOf(root: Relation): readonly TablePart[] {
    const parts = root.kind === 'p' && this.#isWhole(root) ? [root] : this.leavesOf(root)
    return parts.map(({ schema, name, kind }) => ({ schema, name, only: kind === 'r' }))
  }

  #isWhole(root: Relation): boolean {
    return this.#childrenOf(root).every((child) => this.#holdsRows(child) && this.#isWhole(child))
  }

  /** Rows of foreign tables lie elsewhere. */
  #holdsRows(relation: Relation): boolean {
    return relation.kind !== 'f' && this.#isDumped(relation) && this.#hasRows(relation)
  }

  #childrenOf({ oid }: Relation): readonly Relation[] {
    return this.#partitions.get(oid) ?? []
  }
}
