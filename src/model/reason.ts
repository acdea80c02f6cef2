/** Why something is as it is: a stable machine code (kebab-case, never reused for another meaning) and a sentence for people. */
export interface Reason {
  readonly code: string
  readonly text: string
}
