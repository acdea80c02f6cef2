import t from 'tap'
import { isthmus, listening } from './cli.ts'

const bad: readonly (readonly [readonly string[], RegExp])[] = [
  [['drain', 'web', '10.0.0.1:8080'], /--reason is missing/],
  [['drain', 'web', '10.0.0.1:8080', '--reason', ' '], /--reason is missing/],
  [['drain', 'web', '10.0.0.1:8080', '--reason', 'r', '--ttl', 'soon'], /--ttl: "soon" is no time/],
  [['drain', 'web', '10.0.0.1:8080', '--reason', 'r', '--ttl', '0s'], /--ttl/],
  [['drain', 'web', '10.0.0.1:8080', '--reason', 'r', '--ttl', '4000d'], /ttlSeconds/],
  [['drain', 'web', 'vm-1', '--reason', 'r'], /IP:PORT/],
  [['drain', 'a/b/c', '10.0.0.1:8080', '--reason', 'r'], /service/],
  [['weight', 'web', '10.0.0.1:8080', '0', '--reason', 'r'], /from 1 to 100000/],
  [['weight', 'web', '10.0.0.1:8080', '--reason', 'r'], /missing required argument 'weight'/],
  [['pin', 'web', '10.0.0.1:8080', '--reason', 'r', '--id', '../x'], /id/],
]
t.test('override commands refuse what makes no sense, with exit code 2', async t => {
  const { env, gateway } = await listening(t)
  for (const [args, err] of bad) t.match(await isthmus(args, { env }), { code: 2, err }, args.join(' '))
  t.strictSame(gateway.overrides.list(), [])
})

t.test('weight sets one, unset takes it back', async t => {
  const { env } = await listening(t)
  const set = await isthmus(['weight', 'web', '10.0.0.1:8080', '10', '--reason', 'warm up', '--id', 'w'], { env })
  t.match(set, { code: 0, out: /weight 10.0.0.1:8080 of default\/web until it is unset\n.*isthmus unset w/ })
  t.match((await isthmus(['endpoints', 'web'], { env })).out, /10\.0\.0\.1:8080 .* 10 .*given weight 10/)
  t.match(await isthmus(['unset', 'w'], { env }), { code: 0, out: 'w is taken back\n' })
  t.match(await isthmus(['overrides'], { env }), { code: 0, out: 'no overrides\n' })
})
