import fc from 'fast-check'
import t from 'tap'
import { BitSet, InternedMap, Interner } from '../../src/xds/interner.ts'

t.test('sets and maps over shared numbers are what Set and Map are, and let go of every number in the end', async t => {
  const step = fc.record({
    owner: fc.nat(3),
    name: fc.nat(200).map(number => `name-${String(number)}`),
    act: fc.constantFrom('add', 'delete', 'set', 'unset', 'clear'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), steps => {
      const names = new Interner<string>()
      const owners = Array.from({ length: 4 }, () => ({
        bits: new BitSet(names),
        set: new Set<string>(),
        values: new InternedMap<string, object>(names),
        map: new Map<string, object>(),
      }))
      for (const { owner, name, act } of steps) {
        const one = owners[owner]
        if (one === undefined) continue
        const value = { name }
        if (act === 'add') {
          t.equal(one.bits.add(name), !one.set.has(name))
          one.set.add(name)
        } else if (act === 'delete') t.equal(one.bits.delete(name), one.set.delete(name))
        else if (act === 'set') {
          one.values.set(name, value)
          one.map.set(name, value)
        } else if (act === 'unset') {
          one.values.delete(name)
          one.map.delete(name)
        } else {
          one.bits.clear()
          one.set.clear()
        }
      }
      let isSame = true
      for (const { bits, set, values, map } of owners) {
        isSame &&= bits.size === set.size && [...bits].every(name => set.has(name)) && [...set].every(name => bits.has(name))
        isSame &&= [...values.keys()].length === map.size && [...map].every(([name, value]) => values.get(name) === value)
        bits.clear()
        for (const name of map.keys()) values.delete(name)
      }
      return isSame && steps.every(({ name }) => names.get(name) === undefined)
    }),
  )
})

t.test('a number that nobody holds is given anew', async t => {
  const names = new Interner<string>()
  const a = names.hold('a')
  t.equal(names.hold('a'), a)
  names.release(a)
  t.equal(names.item(a), 'a', 'held once more')
  names.release(a)
  t.equal(names.item(a), undefined)
  t.equal(names.hold('b'), a)
})
