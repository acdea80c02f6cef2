import { basename } from 'node:path'
import type { DiscoverySource, SourceContext, SourceGiven } from '../../src/discovery/contract.ts'
import { errorText, IsthmusError } from '../../src/model/errors.ts'
import { EndpointsFile } from './endpoints-file.ts'
import { FolderWatch } from './folder-watch.ts'
import { type FileIdentity, type FileReading, identify, isLocal, readFileInto } from './read-file.ts'

/** How a file is read. */
export interface FileWatchSettings {
  readonly path: string
  /** Looks at the file this often even when nothing told of a change: network file systems tell nothing. */
  readonly pollMs: number
  /** A file that is written in place is read once it did not change for this long. */
  readonly settleMs: number
}

/** Most refused endpoints that a notice names. */
const namedRefusals = 3

/** A source that reads one endpoints file and follows its changes. Every run reads the file from scratch. */
export function fileSource(settings: FileWatchSettings, given: SourceGiven): DiscoverySource {
  return { run: context => new FileRun(settings, given, context).run() }
}

class FileRun {
  readonly #settings: FileWatchSettings
  readonly #context: SourceContext
  readonly #file: EndpointsFile
  /** Buffers take turns: the content in force is compared with the next one. */
  #inForce: Buffer = Buffer.alloc(0)
  #spare: Buffer = Buffer.alloc(0)
  /** Of the last content that was read, good or not; undefined when the file could not be read. */
  #last: FileIdentity | undefined
  #hasSynced = false
  #hadFailed = false
  #error = ''
  #notice = ''
  #changed = true
  #wake: () => void = () => undefined
  #poll: Promise<void> | undefined
  #isLocal = false

  constructor(settings: FileWatchSettings, given: SourceGiven, context: SourceContext) {
    this.#settings = settings
    this.#context = context
    this.#file = new EndpointsFile(basename(settings.path), given)
  }

  async run(): Promise<void> {
    const noteChange = (): void => {
      this.#changed = true
      this.#wake()
    }
    const folders = new FolderWatch(this.#settings.path, noteChange, this.#context.log)
    try {
      await folders.refresh()
      while (!this.#isAborted()) {
        const told = this.#changed
        this.#changed = false
        await this.#look(told)
        // Links may lead elsewhere now; what happened there before it was watched is looked at once more.
        if (await folders.refresh()) this.#changed = true
        this.#isLocal = await isLocal(this.#settings.path)
        if (!this.#changed && !this.#isAborted()) await this.#wait()
      }
    } finally {
      folders.close()
    }
  }

  /** Until something tells of a change, the poll interval is over, or the run is aborted. */
  async #wait(): Promise<void> {
    const { clock, signal } = this.#context
    // One timer goes on over many changes: to end and begin it anew would delay each of them.
    this.#poll ??= clock.sleep(this.#settings.pollMs, signal).then(() => {
      this.#poll = undefined
    })
    const told = new Promise<void>(resolve => {
      this.#wake = resolve
    })
    await Promise.race([this.#poll, told])
    this.#wake = () => undefined
  }

  /** Reads the file if it changed. Without a change of its content this reports that all is as it was. */
  async #look(told: boolean): Promise<void> {
    try {
      if (!told && this.#last !== undefined && sameIdentity(await identify(this.#settings.path), this.#last)) {
        if (!this.#hadFailed) this.#context.report({ ok: true })
        return
      }
      const receivedAt = this.#context.clock.now()
      const reading = await this.#read()
      if (reading !== undefined) this.#take(reading, receivedAt)
    } catch (error) {
      this.#last = undefined
      this.#fail('endpoints-unreadable', `${this.#settings.path} cannot be read: ${errorText(error)}`)
    }
  }

  /**
   * A whole content, or undefined if the run was aborted meanwhile. A file that took another one's place is complete, so it is read at
   * once. One that is written in place or created anew is complete when it did not change for a while.
   */
  async #read(): Promise<FileReading | undefined> {
    const { path, settleMs } = this.#settings
    const { clock, signal } = this.#context
    let reading = await readFileInto(path, this.#spare, this.#isLocal)
    const isFirst = !this.#hasSynced && this.#error === ''
    const isReplacement = this.#last !== undefined && this.#last.file !== reading.identity.file && endsLine(reading)
    const isSame = this.#last !== undefined && sameIdentity(this.#last, reading.identity)
    let settled = isFirst || isReplacement || isSame
    while ((!settled || reading.torn) && !this.#isAborted()) {
      await clock.sleep(settleMs, signal)
      const before = reading
      reading = await readFileInto(path, reading.buffer, this.#isLocal)
      settled = sameIdentity(before.identity, reading.identity)
    }
    return this.#isAborted() ? undefined : reading
  }

  #take({ identity, buffer, size }: FileReading, receivedAt: number): void {
    const context = this.#context
    this.#last = identity
    this.#spare = buffer
    let changed
    try {
      changed = this.#file.update(buffer.subarray(0, size))
    } catch (error) {
      if (!(error instanceof IsthmusError)) throw error
      this.#fail(error.code, error.message)
      return
    }
    this.#spare = this.#inForce
    this.#inForce = buffer
    this.#hadFailed = false
    if (this.#error !== '') context.log.info({ path: this.#settings.path }, 'endpoints file is good again')
    this.#error = ''
    // What a good file no longer has somebody took out of it.
    if (changed.length > 0) context.emit(changed, receivedAt, 'explicit')
    if (!this.#hasSynced) context.synced({ cause: 'explicit' })
    this.#hasSynced = true
    context.report({ ok: true, notice: this.#noticeOfRefusals() })
  }

  #noticeOfRefusals(): string {
    const refusals = this.#file.refusals()
    const more = refusals.length > namedRefusals ? `; and ${refusals.length - namedRefusals} more` : ''
    const notice = refusals.length === 0 ? '' : `endpoints not taken: ${refusals.slice(0, namedRefusals).join('; ')}${more}`
    if (notice !== '' && notice !== this.#notice) {
      this.#context.log.warn({ path: this.#settings.path, code: 'address-refused', count: refusals.length }, notice)
    }
    this.#notice = notice
    return notice
  }

  #fail(code: string, error: string): void {
    if (this.#isAborted()) return
    this.#hadFailed = true
    const outcome = this.#hasSynced ? 'the former endpoints stay' : 'it has no endpoints yet'
    if (error !== this.#error) this.#context.log.warn({ path: this.#settings.path, code, error }, `endpoints file refused, ${outcome}`)
    this.#error = error
    this.#context.report({ ok: false, code, error })
  }

  #isAborted(): boolean {
    return this.#context.signal.aborted
  }
}

function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return a.file === b.file && a.state === b.state
}

function endsLine({ buffer, size }: FileReading): boolean {
  return size > 0 && buffer[size - 1] === 10
}
