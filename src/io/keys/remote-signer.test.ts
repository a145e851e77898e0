import { mkdtemp, rm, stat } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BlsSecretKey } from '../../base/crypto/bls.js'
import { DecodeError } from '../../base/encoding/decode-error.js'
import { zeroHash } from '../../base/primitives/hashes.js'
import { precommit, prevote, voteDigest } from '../../base/protocol/vote.js'
import { type Logger, silentLogger } from '../telemetry/logger.js'
import { systemClock } from '../time/system-clock.js'
import { GuardedSigner } from './guarded-signer.js'
import { MemorySigningRecord } from './memory-signing-record.js'
import { RemoteSigner } from './remote-signer.js'
import type { RemoteSignerError } from './remote-signer-error.js'
import { inlineSignatureVerifier } from './signature-verifier.js'
import { parseSignerAddress, showSignerAddress } from './signer-address.js'
import { SignerServer } from './signer-server.js'
import { decodeAnswer, decodeRequest, encodeRequest, FrameReader, frame, maxFrameLength } from './signer-wire.js'

const domain = { l1ChainId: 31337, rollup: `0x${'11'.repeat(20)}` } as const
const token = 'secret of node and signer, 32 characters'
const record = () => new MemorySigningRecord()
const hash = `0x${'ab'.repeat(32)}` as const
const content = (height: number) => ({ height, round: 0, step: prevote, blockHash: hash })

let directory: string
let address: ReturnType<typeof parseSignerAddress>
let logged: string[]
const logger: Logger = {
  ...silentLogger,
  error: (message, fields) =>
    logged.push([message, (fields?.error as RemoteSignerError)?.code].filter(Boolean).join(' ')),
  info: message => logged.push(message),
  warn: message => logged.push(message),
}
const closers: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'remote-'))
  address = parseSignerAddress(`unix:${join(directory, 'socket')}`)
  logged = []
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await rm(directory, { recursive: true, force: true })
})

const held = ({ of = record(), seed = 1 } = {}) =>
  new GuardedSigner({ secretKey: BlsSecretKey.fromSeed(new Uint8Array(32).fill(seed)), domain, record: of })

async function serve(signer = held(), known = token) {
  const server = await SignerServer.start({
    address,
    ports: { signer, domain, token: known, clock: systemClock, logger: silentLogger },
  })
  closers.push(() => server.close())
  return server
}

async function dial(
  changes: Partial<{ token: string; domain: { l1ChainId: number; rollup: typeof domain.rollup } }> = {},
) {
  const config = { address, token, domain, ...changes }
  const signer = await RemoteSigner.connect({
    config,
    ports: { verifier: inlineSignatureVerifier, clock: systemClock, logger },
    patienceMs: 500,
  })
  closers.push(() => signer.close())
  return signer
}

/** Writes to the signer and resolves with what it sends until it hangs up. */
function raw(write: (socket: Socket) => void): Promise<Buffer> {
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    const socket = connect({ path: join(directory, 'socket') }, () => write(socket))
    socket.on('data', chunk => chunks.push(chunk)).on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(chunks)))
  })
}

describe('the link', () => {
  it('is a socket that only its owner opens; a dead one is replaced, a live one is not', async () => {
    const server = await serve()
    expect((await stat(join(directory, 'socket'))).mode & 0o777).toBe(0o600)
    await expect(serve()).rejects.toMatchObject({ code: 'SIGNER_ADDRESS' })
    await server.close()
    await serve()
  })

  it('stays on this machine', () => {
    for (const text of ['unix:/run/signer', 'tcp://127.0.0.1:7000', 'tcp://[::1]:7000'])
      expect(showSignerAddress(parseSignerAddress(text))).toBe(text)
    for (const text of ['tcp://0.0.0.0:7000', 'http://127.0.0.1:1', 'unix:relative', 'tcp://127.0.0.1:70000', ''])
      expect(() => parseSignerAddress(text)).toThrow(expect.objectContaining({ code: 'SIGNER_ADDRESS' }))
  })

  it('refuses a node that does not know the token', async () => {
    await serve()
    await expect(dial({ token: 'x'.repeat(40) })).rejects.toMatchObject({ code: 'SIGNER_UNAUTHENTICATED' })
  })

  it('refuses a signer that does not know the token', async () => {
    // It echoes a proof of the right form: the node must not go on.
    const server = createServer(socket =>
      socket.on('data', () =>
        socket.write(frame(new Uint8Array([0xf8, 0x42, 0xa0, ...Array(32).fill(1), 0xa0, ...Array(32).fill(2)]))),
      ),
    )
    await new Promise<void>(resolve => server.listen({ path: join(directory, 'socket') }, resolve))
    closers.push(() => new Promise(resolve => server.close(resolve)))
    await expect(dial()).rejects.toMatchObject({ code: 'SIGNER_UNAUTHENTICATED' })
  })

  it('refuses a signer of another network, and names one that is not there', async () => {
    await expect(dial()).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' })
    await serve()
    await expect(dial({ domain: { ...domain, l1ChainId: 1 } })).rejects.toMatchObject({ code: 'SIGNER_MISMATCH' })
  })

  it('is open to a node whatever silent connections wait before it and after it', async () => {
    await serve()
    const silent = () => {
      for (let i = 0; i < 20; i++) void raw(() => {})
    }
    silent()
    const signer = await dial()
    silent()
    expect(await signer.signVote(content(1))).toHaveLength(96)
    await dial()
  })

  it('ends on garbage, on frames that are too long and on requests before the proof, and serves others on', async () => {
    await serve()
    const signer = await dial()
    const request = frame(encodeRequest(1, { kind: 'vote', content: content(9) }))
    const tooLong = new Uint8Array(4)
    new DataView(tooLong.buffer).setUint32(0, maxFrameLength + 1)
    expect((await raw(socket => socket.write(tooLong))).length).toBe(0)
    expect((await raw(socket => socket.write(request))).length).toBe(0)
    const challenge = frame(Uint8Array.from([0xe1, 0xa0, ...Array(32).fill(7)]))
    const answered = await raw(socket => socket.write(Buffer.concat([challenge, request])))
    // Only the challenge came back: two nonces' worth of bytes, no signature.
    expect(answered.length).toBeLessThan(80)
    expect(await signer.signVote(content(1))).toHaveLength(96)
  })
})

describe('a signer that goes away', () => {
  it('is waited for; votes asked for meanwhile are signed in order when it is back; said once', async () => {
    const disk = record()
    const same = held({ of: disk })
    const server = await serve(same)
    const signer = await dial()
    const first = await signer.signVote(content(1))
    await server.close()
    const asked = [
      signer.signVote(content(1)),
      signer.signVote(content(2)),
      signer.signVote({ ...content(2), step: precommit }),
    ]
    await expect.poll(() => signer.isReachable).toBe(false)
    await serve(same)
    const signed = await Promise.all(asked)
    expect(signed[0]).toEqual(first)
    expect(disk.load()).toMatchObject({ prevote: { height: 2 }, precommit: { height: 2 } })
    expect(logged.filter(message => message.includes('away'))).toHaveLength(1)
    expect(logged.filter(message => message.includes('answers again'))).toHaveLength(1)
  })

  it('is said to be away again when it is back with another token', async () => {
    const server = await serve()
    await dial()
    await server.close()
    await expect.poll(() => logged).toHaveLength(1)
    await serve(held(), `another ${token}`)
    const away = 'the signer is away: the node follows, and signs again when it is back'
    await expect.poll(() => logged.slice(1)).toEqual([`${away} SIGNER_UNAUTHENTICATED`])
  })

  it('is not replaced by a signer with another key', async () => {
    const server = await serve()
    const signer = await dial()
    await server.close()
    await serve(held({ seed: 2 }))
    const asked = signer.signVote(content(1))
    await expect.poll(() => logged.some(message => message.includes('away'))).toBe(true)
    expect(signer.isReachable).toBe(false)
    await signer.close()
    await expect(asked).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' })
  })

  it('is asked for nothing that it was asked before when it was started anew: its record may not know what it signed', async () => {
    const server = await serve()
    const signer = await dial()
    await signer.signVote(content(1))
    const { instanceId } = signer
    await server.close()
    const asked = signer.signVote({ ...content(1), blockHash: zeroHash })
    await serve()
    await expect(asked).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE' })
    expect(signer.instanceId).not.toBe(instanceId)
    await signer.signVote(content(2))
  })

  it('keeps only the newest votes waiting', async () => {
    const same = held()
    const server = await serve(same)
    const signer = await dial()
    await server.close()
    await expect.poll(() => signer.isReachable).toBe(false)
    const asked = Array.from({ length: 40 }, (_, i) => signer.signVote(content(i + 1)))
    const outcomes = Promise.allSettled(asked)
    await serve(same)
    const signed = (await outcomes).map(({ status }) => status === 'fulfilled')
    expect(signed.slice(0, 8)).toEqual(Array(8).fill(false))
    expect(signed.slice(8)).toEqual(Array(32).fill(true))
  })
})

describe('a signer that gives false signatures', () => {
  const other = BlsSecretKey.fromSeed(new Uint8Array(32).fill(9))
  const lies: [string, () => Uint8Array][] = [
    ['of another key', () => other.sign(voteDigest(domain, content(1)))],
    ['of another vote', () => BlsSecretKey.fromSeed(new Uint8Array(32).fill(1)).sign(voteDigest(domain, content(2)))],
    ['that are no points', () => new Uint8Array(96).fill(0xff)],
    ['of nobody', () => Uint8Array.of(0xc0, ...new Uint8Array(95))],
  ]
  it.each(lies)('%s is not believed; said once, parted with and asked again', async (_, lie) => {
    const secretKey = BlsSecretKey.fromSeed(new Uint8Array(32).fill(1))
    const lying = vi.spyOn(secretKey, 'sign').mockImplementation(lie)
    await serve(new GuardedSigner({ secretKey, domain, record: record() }))
    const remote = await dial()
    const failed = { name: 'RemoteSignerError', code: 'SIGNER_FAILED' }
    await expect(remote.signVote(content(1))).rejects.toMatchObject(failed)
    await expect(remote.signProposal({ ...content(1), validRound: -1 })).rejects.toMatchObject(failed)
    await expect.poll(() => remote.isReachable).toBe(true)
    await expect(remote.signAttestation({ batchIndex: 1, batchHash: hash })).rejects.toMatchObject(failed)
    await expect.poll(() => remote.isReachable).toBe(true)
    await expect(remote.signNodeBinding(Uint8Array.of(1))).rejects.toMatchObject(failed)
    expect(logged.filter(message => message.includes('false signatures'))).toHaveLength(1)
    expect(logged.filter(message => message.includes('away'))).toHaveLength(0)
    lying.mockRestore()
    expect(await remote.signVote(content(1))).toEqual(secretKey.sign(voteDigest(domain, content(1))))
  })
})

describe('the wire', () => {
  it('reads frames however they are cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 })
    fc.assert(
      fc.property(bodies, fc.integer({ min: 1, max: 64 }), (sent, size) => {
        const bytes = Buffer.concat(sent.map(frame))
        const reader = new FrameReader()
        const read: Uint8Array[] = []
        for (let at = 0; at < bytes.length; at += size) read.push(...reader.push(bytes.subarray(at, at + size)))
        expect(read).toEqual(sent.map(body => new Uint8Array(body)))
      }),
    )
  })

  it('answers garbage with a DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        for (const decode of [decodeRequest, decodeAnswer]) {
          try {
            decode(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError)
          }
        }
      }),
    )
  })
})
