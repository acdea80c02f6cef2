import type { Static } from 'typebox'
import { refWord } from '../model/object-ref.ts'
import type { FieldPath } from './field-path.ts'
import type { ServedKind, servedSchemas } from './kinds.ts'
import type { Manifest } from './object.ts'

/** An object whose spec is known to fit the schema and the rules of its kind that concern it alone. */
export type CheckedObject = { readonly [Kind in ServedKind]: Checked<Kind> }[ServedKind]

export interface Checked<Kind extends ServedKind> {
  readonly kind: Kind
  readonly manifest: Manifest
  readonly spec: Static<(typeof servedSchemas)[Kind]>
  /** Where what it was made of stands in its manifest, if it is not the manifest itself but made of a part of it. */
  readonly at?: FieldPath
}

/** What is wrong with a field, before it is placed in a file. */
export interface Finding {
  readonly path: FieldPath
  readonly text: string
}

/** What the rules of a kind say about one object. */
export interface KindFindings {
  /** Any of these refuses the object. */
  readonly problems: readonly Finding[]
  readonly notices: readonly string[]
  /** Set when serving the object without a feature that is not built would do something else than asked: it is left out, with this notice. */
  readonly notServed?: string
}

/** The place of an object among all: one kind, namespace and name stands once. */
export function objectId(manifest: Pick<Manifest, 'kind' | 'namespace' | 'name'>): string {
  return refWord(manifest)
}
