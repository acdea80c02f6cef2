import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { type Backend, startBackends } from '../tools/http-backend.ts'
import type { Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

async function twoServices(t: Teardown): Promise<{ readonly stage: Stage; readonly a: Backend; readonly b: Backend }> {
  const [a, b] = await startBackends(t, 2)
  const stage = await startStage(t)
  await stage.registerVm('vm-a', [vmService('a', a.port)])
  await stage.registerVm('vm-b', [vmService('b', b.port)])
  return { stage, a, b }
}

t.test('time-outs and retries: which attempt, how long', async t => {
  let attempts = 0
  let failing = 0
  const flaky = createServer((incoming, response) => {
    attempts++
    incoming.resume()
    if (incoming.url?.startsWith('/hang') === true) return
    if (failing-- > 0) response.writeHead(503).end()
    else response.writeHead(200).end('{}')
  }).listen(0, '127.0.0.1')
  await once(flaky, 'listening')
  t.teardown(() => {
    flaky.closeAllConnections()
    flaky.close()
  })
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('flaky', (flaky.address() as AddressInfo).port)])
  await stage.manifests('routes', [
    mappingObject('thrice', { prefix: '/thrice/', service: 'flaky', retry_policy: { retry_on: '5xx', num_retries: 2 } }),
    mappingObject('once', { prefix: '/once/', service: 'flaky' }),
    mappingObject('tries', {
      ...{ prefix: '/tries/', service: 'flaky', rewrite: '/hang/', timeout_ms: 2000 },
      retry_policy: { retry_on: 'gateway-error', num_retries: 3, per_try_timeout: '100ms' },
    }),
    mappingObject('idle', { prefix: '/idle/', service: 'flaky', rewrite: '/hang/', timeout_ms: 0, idle_timeout_ms: 100 }),
  ])
  await stage.answers('/once/', answer => answer.status === 200)
  failing = 2
  attempts = 0
  t.equal((await get(stage.url + '/thrice/')).status, 200)
  t.equal(attempts, 3, 'two failures, then the answer')
  failing = 1
  t.equal((await get(stage.url + '/once/')).status, 503, 'nothing is tried again that was not asked for')
  attempts = 0
  t.equal((await get(stage.url + '/tries/')).status, 504)
  t.equal(attempts, 4, 'each try had its own time')
  t.equal((await get(stage.url + '/idle/')).status, 504, 'without time-out the stream still must not be idle')
})

t.test('circuit breakers, outlier detection and health checks keep requests away', async t => {
  const { stage, a, b } = await twoServices(t)
  await stage.registerVm('vm-a', [vmService('a', a.port), vmService('ab', a.port)])
  await stage.registerVm('vm-b', [vmService('ab', b.port)])
  await stage.manifests('routes', [
    mappingObject('broken', {
      prefix: '/broken/',
      service: 'a',
      circuit_breakers: [{ max_requests: 1, max_pending_requests: 1, max_connections: 1 }],
    }),
    mappingObject('ejected', {
      ...{ prefix: '/ejected/', service: 'ab' },
      outlier_detection: '{"consecutive_5xx": 2, "interval": "0.1s", "base_ejection_time": "300s", "max_ejection_percent": 50}',
    }),
    mappingObject('checked', {
      ...{ prefix: '/checked/', service: 'ab' },
      health_checks: [
        {
          interval: '100ms',
          unhealthy_threshold: 1,
          health_check: { http: { path: '/health', expected_statuses: [{ min: 200, max: 299 }] } },
        },
      ],
    }),
  ])
  for (const path of ['/broken/', '/checked/', '/ejected/']) await stage.answers(path, answer => answer.status === 200)
  a.delayMs = 300
  const answers = await Promise.all(Array.from({ length: 6 }, () => get(`${stage.url}/broken/`)))
  t.ok(
    answers.some(({ status }) => status === 503),
    'what is over the limit is refused at once',
  )
  t.ok(answers.some(({ status }) => status === 200))
  a.delayMs = 0
  const onlyB = async (path: string): Promise<boolean> => {
    const all = await Promise.all(Array.from({ length: 10 }, () => get(stage.url + path)))
    return all.every(({ status, body }) => status === 200 && body.includes(b.instance))
  }
  a.status = 500
  await eventually('the outlier is ejected', () => onlyB('/ejected/'))
  await eventually('the one that fails its checks gets nothing', () => onlyB('/checked/'))
})
