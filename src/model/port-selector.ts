/**
 * Which port of an instance that has several; an instance with exactly one always matches (interface.md, `service:`).
 * `default`: 80 (443 when `tls`) if some instance has it, else the only port.
 */
export type PortSelector =
  | { readonly kind: 'default'; readonly tls: boolean }
  | { readonly kind: 'number'; readonly number: number }
  | { readonly kind: 'name'; readonly name: string }
