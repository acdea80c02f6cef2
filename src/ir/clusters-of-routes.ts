import { perObject } from '../model/memo.ts'
import { clustersOf } from './route-action.ts'
import type { IrRoute } from './route-table.ts'

/** The clusters that a list of routes sends requests to, each once. */
export const clustersOfRoutes = perObject((routes: readonly IrRoute[]): readonly string[] => [
  ...new Set(routes.flatMap(({ action }) => (action.kind === 'forward' ? clustersOf(action) : []))),
])
