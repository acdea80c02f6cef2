/** One line of the table of goals. */
export interface GoalResult {
  readonly measure: string
  readonly goal: string
  readonly figure: string
  readonly isMet: boolean
}

export function result(measure: string, goal: string, figure: string, isMet: boolean): GoalResult {
  return { measure, goal, figure, isMet }
}

/** Two digits. */
export const ms = (value: number): string => value.toFixed(2)
