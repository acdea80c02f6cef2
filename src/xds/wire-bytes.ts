/** What is written by hand of protobuf, where the general encoder is too slow. */

/** Writes a field's tag (one byte) and its varint (below 2^32), which is its value or the length of what follows; gives where it ends. */
export function writeHead(bytes: Buffer, start: number, tag: number, value: number): number {
  let at = start
  let rest = value
  bytes[at++] = tag
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

/** Writes a field of text, of which the caller knows the size in bytes; gives where it ends. */
export function writeText(bytes: Buffer, start: number, tag: number, text: string, size: number): number {
  const at = writeHead(bytes, start, tag, size)
  return at + bytes.write(text, at, 'utf8')
}

/** Size of a field with a one-byte tag that holds `size` bytes. */
export function sizeOfBytes(size: number): number {
  return 1 + sizeOfVarint(size) + size
}

/** Size of an unsigned 32-bit varint. */
export function sizeOfVarint(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5
}
