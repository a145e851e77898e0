import { describe, expect, it } from 'vitest'
import { guardNegotiation, MultistreamNames } from './negotiation-guard.js'

const frame = (name: string) => Buffer.concat([Buffer.from([name.length + 1]), Buffer.from(`${name}\n`)])
const header = frame('/multistream/1.0.0')
const noise = frame('/noise')

/** What the guard says after each of the pieces. */
function verdicts(...pieces: Uint8Array[]): string[] {
  const names = new MultistreamNames(name => name === '/noise')
  return pieces.map(piece => names.read(piece))
}

describe('the negotiation guard', () => {
  it('lets an honest dialer through, in whatever pieces it comes', () => {
    const whole = Buffer.concat([header, frame('/tls/1.0.0'), noise])
    expect(verdicts(whole)).toEqual(['agreed'])
    expect(verdicts(...Array.from(whole, byte => Uint8Array.of(byte)))).toEqual([
      ...Array(whole.length - 1).fill('more'),
      'agreed',
    ])
    // What follows the agreement is for the encryption to judge.
    expect(verdicts(Buffer.concat([header, noise, Buffer.alloc(100, 0xff)]))).toEqual(['agreed'])
    const long = Buffer.concat([Buffer.from([0xc9, 0x01]), Buffer.from(`${'x'.repeat(200)}\n`)])
    expect(verdicts(Buffer.concat([header, long, noise]))).toEqual(['agreed'])
  })

  it('is done with anything else at once', () => {
    expect(verdicts(Buffer.alloc(1 << 20, 0xff))).toEqual(['broken'])
    expect(verdicts(Buffer.from([0x80]), Buffer.from([0x80]))).toEqual(['more', 'broken'])
    expect(verdicts(Buffer.from([0]))).toEqual(['broken'])
    expect(verdicts(Buffer.from([0x81, 0x7f]))).toEqual(['broken'])
    expect(verdicts(Buffer.from('GET / HTTP/1.1\r\n\r\n'.padEnd(80)))).toEqual(['broken'])
    expect(verdicts(noise)).toEqual(['broken'])
    // Not even the rest of a header that is wrong already is waited for.
    expect(verdicts(Buffer.from([19, 0x2f]), Buffer.from('x'))).toEqual(['more', 'broken'])
    // The header agrees to nothing by itself.
    expect(verdicts(header, header)).toEqual(['more', 'more'])
    expect(verdicts(Buffer.concat([header, Buffer.alloc(50, 0xff)]))).toEqual(['broken'])
    expect(verdicts(header, ...Array(16).fill(frame('/tls')))).toEqual([...Array(16).fill('more'), 'broken'])
  })

  it('passes bytes on untouched, and none after the first that is wrong', () => {
    const taken: Uint8Array[] = []
    const aborted: unknown[] = []
    let agreed = 0
    const connection = () => ({
      onData: (data: Uint8Array) => taken.push(data),
      abort: (error: Error) => aborted.push(error),
    })
    const honest = connection()
    guardNegotiation(honest, { isAgreeable: name => name === '/noise', onAgreed: () => agreed++ })
    const sent = [header, noise, Buffer.alloc(10, 0xff)]
    for (const piece of sent) honest.onData(piece)
    expect(taken).toEqual(sent)
    const hostile = connection()
    guardNegotiation(hostile, { isAgreeable: name => name === '/noise', onAgreed: () => agreed++ })
    hostile.onData(Buffer.alloc(10, 0xff))
    expect(taken).toEqual(sent)
    expect(agreed).toBe(1)
    expect(aborted).toMatchObject([{ code: 'BAD_NEGOTIATION' }])
  })
})
