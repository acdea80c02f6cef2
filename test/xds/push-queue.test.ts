import t from 'tap'
import { PushQueue } from '../../src/xds/push-queue.ts'

t.test('who is added several times in a turn is served once, at its end', async t => {
  const served: string[] = []
  const queue = new PushQueue({ now: () => 0, defer: task => task() })
  const a = { flush: () => served.push('a') }
  queue.add(a)
  queue.add({ flush: () => served.push('b') })
  queue.add(a)
  t.same(served, [])
  await Promise.resolve()
  t.same(served, ['a', 'b'])
  queue.add(a)
  await Promise.resolve()
  t.same(served, ['a', 'b', 'a'])
})

t.test('G2 a long row is served in slices, so that first questions and ACKs get their turn', async t => {
  let now = 0
  const tasks: (() => void)[] = []
  const served: number[] = []
  const queue = new PushQueue({ now: () => now, defer: task => tasks.push(task) })
  for (let index = 0; index < 5; index++) {
    queue.add({
      flush: () => {
        now += 2
        served.push(index)
      },
    })
  }
  await Promise.resolve()
  t.same(served, [0, 1])
  t.equal(tasks.length, 1)
  tasks.shift()?.()
  t.same(served, [0, 1, 2, 3])
  tasks.shift()?.()
  t.same(served, [0, 1, 2, 3, 4])
  t.equal(tasks.length, 0)
})

t.test('who was removed is not served; who is added while another is served comes in turn', async t => {
  const served: string[] = []
  const queue = new PushQueue({ now: () => 0, defer: task => task() })
  const gone = { flush: () => served.push('gone') }
  queue.add({
    flush: () => {
      served.push('first')
      queue.add({ flush: () => served.push('added') })
    },
  })
  queue.add(gone)
  queue.remove(gone)
  await Promise.resolve()
  t.same(served, ['first', 'added'])
})
