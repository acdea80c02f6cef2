import type { Steps } from '../model/steps.ts'
import { parsing } from '../manifests/parse.ts'
import type { Manifest } from '../manifests/object.ts'
import { IsthmusError } from '../model/errors.ts'
import { refWord } from '../model/object-ref.ts'
import type { Override } from '../model/override.ts'
import type { Place } from '../xds/resource.ts'
import type { Change } from './change.ts'
import { type Difference, difference } from './difference.ts'
import { imagine, type Reality } from './imagine.ts'
import { type Stage, stagesOf, type SuspectSource } from './stages.ts'

/** What somebody wants to know the consequences of. Names are checked. */
export interface Question {
  /** Manifests as they would be written; `file` is how messages call each. */
  readonly files: readonly { readonly file: string; readonly text: string }[]
  /** `kind/namespace/name` of objects that would be deleted. */
  readonly without: readonly string[]
  readonly overrides: readonly Override[]
  readonly unset: readonly string[]
  readonly sources: readonly SuspectSource[]
  /** Of the Envoys whose shares of requests are told; undefined: those that do not say where they are. */
  readonly place?: Place
  /** Endpoints that are told of at most; they are counted all the same. */
  readonly most: number
}

/** A question as it comes from outside. */
export interface Asked extends Omit<Question, 'sources'> {
  readonly sources: readonly Pick<SuspectSource, 'name' | 'state'>[]
}

/** What would be different, and when. At least one stage; with sources that are down there are several, each in the place of the one before. */
export interface Consequences {
  readonly stages: readonly (Stage & { readonly difference: Difference })[]
  readonly notes: readonly string[]
}

/**
 * Answers a question about a world without touching it. It yields now and then.
 * @throws IsthmusError `manifest-unreadable`, `manifest-invalid` for text that holds no objects, `object-unknown` for one that cannot be deleted
 */
export function* whatIf(reality: Reality, question: Question): Steps<Consequences> {
  const objects = yield* readFiles(question)
  demandObjects(reality, question)
  const stages = stagesOf(question.sources)
  const change: Change = {
    objects,
    without: new Set(question.without),
    overrides: question.overrides,
    unset: new Set(question.unset),
    steps: stages.map(stage => stage.fates),
  }
  const { before, after, notes } = yield* imagine(reality, change)
  const differences = new Map<object, Difference>()
  for (const world of new Set(after)) differences.set(world, yield* difference(before, world, question))
  return {
    stages: stages.map((stage, index) => ({ ...stage, difference: differences.get(after[index] as object) as Difference })),
    notes: [...notes, ...waiting(question, reality)],
  }
}

/** Objects without a namespace are in `default`, as those of a folder. */
function* readFiles({ files }: Question): Steps<readonly Manifest[]> {
  const objects: Manifest[] = []
  for (const { file, text } of files) {
    const read = yield* parsing(text, { file, namespace: 'default' })
    const [problem] = read.problems
    if (problem !== undefined) {
      const all = read.problems.map(({ at, text: what }) => `${at}: ${what}`).join('; ')
      throw new IsthmusError(problem.code === 'manifest-unreadable' ? 'manifest-unreadable' : 'manifest-invalid', all)
    }
    if (read.objects.length === 0) throw new IsthmusError('manifest-invalid', `${file}: holds no object`)
    objects.push(...read.objects)
  }
  return objects
}

function demandObjects({ store }: Reality, { without }: Question): void {
  if (without.length === 0) return
  const known = new Set(store.statuses().map(({ ref }) => refWord(ref)))
  const missing = without.find(id => !known.has(id))
  if (missing !== undefined) throw new IsthmusError('object-unknown', `no object ${missing} was read: it cannot be deleted`)
}

function waiting({ overrides }: Question, { table }: Reality): readonly string[] {
  return overrides
    .filter(
      ({ service, address, port }) => !(table.pool(service)?.endpoints ?? []).some(one => one.address === address && one.port === port),
    )
    .map(({ service, address, port }) => `no source names ${address} port ${port} of ${service} at present: the override would wait for it`)
}
