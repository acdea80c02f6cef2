import type { Locality } from '../../src/model/endpoint.ts'
import { Interner } from '../../src/model/intern.ts'

const known = new Interner<Locality>(1000)

/** One object per place, since thousands of services share few; undefined when neither is known. */
export function sharedLocality(region = '', zone = ''): Locality | undefined {
  if (region === '' && zone === '') return undefined
  return known.get(`${region}\n${zone}`, () => Object.freeze({ region, zone, subzone: '' }))
}
