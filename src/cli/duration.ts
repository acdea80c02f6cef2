import { CliError } from './io.ts'

const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** Seconds of `90s`, `15m`, `1h`, `2d`. Throws CliError 2 that names the option. */
export function durationSeconds(text: string, option: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text)
  const seconds = match === null ? 0 : Number(match[1]) * units[match[2] as keyof typeof units]
  if (seconds === 0) throw new CliError(2, `${option}: "${text}" is no time; give one such as 90s, 15m, 1h or 2d`)
  return seconds
}
