import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { StateThread } from '../../src/state/thread.ts'
import { temporaryFolder } from '../tools/local.ts'
import type { WordStore } from './thread-entry.ts'

function begin(t: Test, path: string) {
  const told: string[] = []
  const workers: Worker[] = []
  const thread = new StateThread({
    entry: new URL('thread-entry.ts', import.meta.url),
    onDamage: (part, text) => told.push(`${part}: ${text}`),
    onDeath: reason => told.push(reason ?? 'back'),
    spawn: (entry, parts) => {
      const worker = new Worker(entry, { workerData: parts })
      workers.push(worker)
      return worker
    },
  })
  t.teardown(() => thread.end())
  const words = thread.part<WordStore>({ name: 'words', path, options: '>' })
  return { thread, words, told, workers }
}

t.test('calls are done in order in another thread; its end comes after everything that was asked', async t => {
  const path = join(await temporaryFolder(t), 'words.db')
  const first = begin(t, path)
  t.same(first.workers, [], 'it begins with the first call')
  const calls = ['a', 'b', 'c'].map(word => first.words('add', word))
  t.same(await first.words('all'), ['>a', '>b', '>c'])
  await Promise.all(calls)
  void first.words('add', 'd')
  await first.thread.end()
  await first.thread.end()
  await t.rejects(first.words('all'), { code: 'state-unusable', message: /words: the gateway is stopping/ })
  const second = begin(t, path)
  t.same(await second.words('all'), ['>a', '>b', '>c', '>d'])
  t.same([...first.told, ...second.told], [])
})

t.test('what a store throws comes back as an error that names the file; damage is told', async t => {
  const blocked = begin(t, join('/dev/null', 'words.db'))
  await t.rejects(blocked.words('add', 'a'), { code: 'state-unusable', message: /words cannot be written in \/dev\/null\/words\.db/ })
  const path = join(await temporaryFolder(t), 'words.db')
  const { words, told } = begin(t, path)
  await words('add', 'a')
  t.same(await words('strict'), [])
  t.match(told, [/^words: .*words\.db was damaged \(there must be no words\) and moved to .*; they are gone/])
  await t.rejects(
    words('add', (() => undefined) as unknown as string),
    /could not be cloned/,
    'what cannot be sent is refused, and harms nothing',
  )
  await words('add', 'b')
  t.same(await words('all'), ['>b'])
})

t.test('a thread that dies is told, calls in flight are rejected, and the next call begins a new one on the same file', async t => {
  const path = join(await temporaryFolder(t), 'words.db')
  const { thread, words, told, workers } = begin(t, path)
  await words('add', 'a')
  const lost = [words('die'), words('add', 'lost')]
  for (const call of lost) await t.rejects(call, { code: 'state-unusable', message: /the thread that keeps the state ended: exit code 7/ })
  t.match(told, [/exit code 7/])
  t.same(await words('all'), ['>a'])
  t.equal(workers.length, 2)
  t.match(told, [/exit code 7/, 'back'])
  // Killed while idle: nobody waits, and it is told all the same.
  const exited = new Promise(resolve => workers[1]?.once('exit', resolve))
  await workers[1]?.terminate()
  await exited
  t.equal(told.length, 3)
  await words('add', 'b')
  t.same(await words('all'), ['>a', '>b'])
  await thread.end()
  t.equal(told.length, 4)
})
