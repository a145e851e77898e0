import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AppendLog, maxRecordLength } from './append-log.js'

const text = (record: Uint8Array) => Buffer.from(record).toString()
/** A record that holds the text. */
export const record = (value: string) => Uint8Array.from(Buffer.from(value))
/** What the log holds, as text. */
export const texts = async (log: AppendLog) => (await log.readAll()).map(text)

/** A log, and `again`, which opens it after its close with what it held. */
export interface OpenedLog {
  readonly log: AppendLog
  readonly again: () => Promise<AppendLog>
}

/** What every log of records must do; `open` makes a new one. */
export function describeAppendLog(name: string, open: () => Promise<OpenedLog>): void {
  describe(`AppendLog: ${name}`, () => {
    it('is empty at first', async () => {
      const { log } = await open()
      expect(await texts(log)).toEqual([])
      expect(log.size()).toBe(0)
      await log.close()
    })

    it('keeps records, empty ones too, in order over a reopening', async () => {
      const { log, again } = await open()
      for (const value of ['a', '', 'ccc']) log.append(record(value))
      await log.sync()
      log.append(record('d'))
      expect(await texts(log)).toEqual(['a', '', 'ccc', 'd'])
      expect(log.size()).toBeGreaterThanOrEqual(5)
      await log.close()
      const reopened = await again()
      reopened.append(record('e'))
      await reopened.sync()
      expect(await texts(reopened)).toEqual(['a', '', 'ccc', 'd', 'e'])
      await reopened.close()
    })

    it('keeps the bytes of the time of the append', async () => {
      const { log } = await open()
      const bytes = record('before')
      log.append(bytes)
      bytes.fill(0)
      expect(await texts(log)).toEqual(['before'])
      await log.close()
    })

    it('replaces everything, buffered records too, and appends after it', async () => {
      const { log, again } = await open()
      log.append(record('old'))
      await log.sync()
      log.append(record('buffered'))
      const replacing = log.replace([record('x'), record('y')])
      log.append(record('z'))
      await replacing
      await log.sync()
      expect(await texts(log)).toEqual(['x', 'y', 'z'])
      await log.replace([])
      expect(await texts(log)).toEqual([])
      log.append(record('last'))
      await log.close()
      const reopened = await again()
      expect(await texts(reopened)).toEqual(['last'])
      await reopened.close()
    })

    it('begins an empty log at a turn, and appends after it', async () => {
      const { log, again } = await open()
      log.append(record('old'))
      await log.sync()
      log.append(record('buffered'))
      const turning = log.turn()
      log.append(record('x'))
      await turning
      await log.sync()
      expect(await texts(log)).toEqual(['x'])
      await log.turn()
      expect(log.size()).toBe(0)
      await log.close()
      const reopened = await again()
      expect(await texts(reopened)).toEqual([])
      await reopened.close()
    })

    it('keeps what is appended after a replacement, whatever is under way before it', async () => {
      const { log, again } = await open()
      log.append(record('being written'))
      const calls = [log.sync()]
      await Promise.resolve()
      log.append(record('queued'))
      calls.push(log.sync(), log.replace([record('x')]))
      log.append(record('promised'))
      await log.sync()
      await Promise.all(calls)
      expect(await texts(log)).toEqual(['x', 'promised'])
      await log.close()
      const reopened = await again()
      expect(await texts(reopened)).toEqual(['x', 'promised'])
      await reopened.close()
    })

    it('refuses a record above the limit and keeps one at the limit', async () => {
      const { log } = await open()
      expect(() => log.append(new Uint8Array(maxRecordLength + 1))).toThrow(
        expect.objectContaining({ code: 'RECORD_TOO_LARGE' }),
      )
      log.append(new Uint8Array(maxRecordLength))
      await log.sync()
      expect((await log.readAll()).map(r => r.length)).toEqual([maxRecordLength])
      await log.close()
    })

    it('refuses work after its close with STORE_CLOSED; closing twice is fine', async () => {
      const { log } = await open()
      await log.close()
      await log.close()
      expect(() => log.append(record('a'))).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }))
      await expect(log.sync()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
      await expect(log.readAll()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    })

    it('agrees with a plain list under any sequence of calls, whether or not one waits for another', async () => {
      const step = fc.oneof(
        { weight: 6, arbitrary: fc.record({ append: fc.string({ maxLength: 20 }) }) },
        { weight: 3, arbitrary: fc.constant('sync' as const) },
        { weight: 3, arbitrary: fc.constant('wait' as const) },
        { weight: 1, arbitrary: fc.constant('reopen' as const) },
        { weight: 1, arbitrary: fc.record({ replace: fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 }) }) },
      )
      const { log: first, again } = await open()
      let log = first
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
          let model = await texts(log)
          const calls: Promise<void>[] = []
          for (const step of steps) {
            if (step === 'sync') calls.push(log.sync())
            else if (step === 'wait') await Promise.all(calls)
            else if (step === 'reopen') {
              await log.close()
              log = await again()
            } else if ('append' in step) {
              log.append(record(step.append))
              model.push(text(record(step.append)))
            } else {
              calls.push(log.replace(step.replace.map(record)))
              model = step.replace.map(value => text(record(value)))
            }
          }
          expect(await texts(log)).toEqual(model)
          await Promise.all(calls)
        }),
        { numRuns: 100 },
      )
      await log.close()
    })
  })
}
