import type { Relation } from './list-relations.ts'

/** Something to scan. */
export interface TablePart {
  readonly schema: string
  readonly name: string
  /** Without what inherits from it. */
  readonly only: boolean
}

/** The tables of a dump and the partitions of which they consist. */
export class PartitionTree {
  readonly #relations: ReadonlyMap<number, Relation>
  readonly #partitions: ReadonlyMap<number, readonly Relation[]>
  readonly #isDumped: (relation: Relation) => boolean

  constructor(relations: readonly Relation[], isDumped: (relation: Relation) => boolean) {
    this.#relations = new Map(relations.map((relation) => [relation.oid, relation]))
    this.#partitions = Map.groupBy(
      relations.filter(({ parent }) => parent !== null),
      ({ parent }) => parent ?? 0,
    )
    this.#isDumped = isDumped
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

  /** What holds the rows of a root; itself if it is not partitioned. */
  leavesOf(root: Relation): readonly Relation[] {
    if (!this.#holdsRows(root)) return []
    return root.kind === 'p' ? this.#childrenOf(root).flatMap((child) => this.leavesOf(child)) : [root]
  }

  /** How to scan a root: as a whole, or leaf by leaf if some of its partitions are not in the dump. */
  partsOf(root: Relation): readonly TablePart[] {
    const parts = root.kind === 'p' && !this.#isWhole(root) ? this.leavesOf(root) : [root]
    return parts.map(({ schema, name, kind }) => ({ schema, name, only: kind === 'r' }))
  }

  #isWhole(root: Relation): boolean {
    return this.#childrenOf(root).every((child) => this.#holdsRows(child) && this.#isWhole(child))
  }

  /** Rows of foreign tables lie elsewhere. */
  #holdsRows(relation: Relation): boolean {
    return this.#isDumped(relation) && relation.kind !== 'f'
  }

  #childrenOf({ oid }: Relation): readonly Relation[] {
    return this.#partitions.get(oid) ?? []
  }
}
