import t from 'tap'
import { startXds } from './harness.ts'
import type { Rule } from './machine.ts'
import { deltaRules } from './rules-delta.ts'
import { sotwRules } from './rules-sotw.ts'
import { isForWire, WireMachine } from './wire-machine.ts'

const tables: readonly (readonly ['sotw' | 'delta', readonly Rule[]])[] = [
  ['sotw', sotwRules],
  ['delta', deltaRules],
]

for (const [protocol, rules] of tables) {
  for (const rule of rules) {
    if (!isForWire(rule.steps)) continue
    t.test(`${protocol}, by a raw client over ADS and its own service, C14 C15: ${rule.rule}`, async t => {
      for (const service of ['ads', rule.type] as const) {
        const xds = await startXds(t)
        const machine = new WireMachine(xds, rule.type, protocol, service)
        if (rule.with !== undefined) await machine.step(`put ${rule.with}`)
        const found: string[] = []
        for (const [action] of rule.steps) found.push(`${action} → ${await machine.step(action)}`)
        t.same(
          found,
          rule.steps.map(([action, out]) => `${action} → ${out}`),
          service,
        )
      }
    })
  }
}
