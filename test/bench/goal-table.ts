/**
 * `npm run bench`: the goals of speed and memory, each with the figure that this machine reaches. A figure beside its goal is marked; the run
 * fails only when something could not be measured, for the figures of a shared machine are no verdict.
 */
import { parseArgs } from 'node:util'
import { fullEffort, goalCases, quickEffort } from './goals.ts'

const usage = `npm run bench -- [options]
  --only NAME,…  ${Object.keys(goalCases).join(', ')} (all)
  --quick        fewer changes, streams and rounds
  --minutes N    of churn (10; 1 if quick)
  --repeat N     runs of each case, each shown (1)
`

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    minutes: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

async function main(): Promise<void> {
  const wanted = values.only?.split(',') ?? Object.keys(goalCases)
  const unknown = wanted.find(name => goalCases[name] === undefined)
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such case; there are ${Object.keys(goalCases).join(', ')}`)
  const usual = values.quick ? quickEffort : fullEffort
  const effort = { ...usual, churnMinutes: Number(values.minutes ?? usual.churnMinutes) }
  if (!(effort.churnMinutes > 0)) throw new Error(`--minutes ${String(values.minutes)}: must be a number above 0`)
  process.stdout.write('| measure | goal | figure | met | command |\n|---|---|---|---|---|\n')
  for (const name of wanted) {
    const command = `npm run bench -- --only ${name}${values.quick ? ' --quick' : ''}${name === 'churn' && values.minutes !== undefined ? ` --minutes ${values.minutes}` : ''}`
    for (let run = 0; run < Number(values.repeat); run++) {
      for (const { measure, goal, figure, isMet } of (await goalCases[name]?.(effort)) ?? [])
        process.stdout.write(`| ${measure} | ${goal} | ${figure} | ${isMet ? 'yes' : 'no'} | \`${command}\` |\n`)
    }
  }
}

if (values.help) process.stdout.write(usage)
else await main()
