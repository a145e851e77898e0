import { afterAll, describe, expect, it } from 'vitest'
import { bytesToHex } from '../../base/primitives/bytes.js'
import { createInlineKzg } from './inline-kzg.js'
import { loadNativeKzg } from './native-kzg.js'
import { createWorkerKzg } from './worker-kzg.js'

describe.each([
  ['on the calling thread', createInlineKzg],
  ['in a worker', createWorkerKzg],
])('KZG %s', (_, create) => {
  const kzg = create()
  afterAll(() => kzg.close())

  it('commits to the zero blob with the point at infinity', async () => {
    const { commitment, versionedHash } = await kzg.commitment(new Uint8Array(131_072))
    expect(bytesToHex(commitment)).toBe(`0xc0${'00'.repeat(47)}`)
    expect(versionedHash).toBe('0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014')
  })

  it('commits to a constant polynomial with a multiple of the generator', async () => {
    const blob = new Uint8Array(131_072)
    for (let at = 31; at < blob.length; at += 32) blob[at] = 1
    const { commitment } = await kzg.commitment(blob)
    // The compressed generator of G1 (BLS12-381).
    expect(bytesToHex(commitment)).toBe(
      '0x97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb',
    )
  })

  it('proves every cell', async () => {
    const proofs = await kzg.cellProofs(new Uint8Array(131_072).fill(3))
    expect(proofs.length).toBe(128)
    expect(proofs.every(proof => proof.length === 48)).toBe(true)
  })

  it('refuses field elements above the modulus and blobs of another length', async () => {
    await expect(kzg.commitment(new Uint8Array(131_072).fill(0xff))).rejects.toMatchObject({ code: 'KZG_BAD_BLOB' })
    await expect(kzg.cellProofs(new Uint8Array(100))).rejects.toMatchObject({ name: 'KzgError', code: 'KZG_BAD_BLOB' })
  })
})

describe('KZG', () => {
  it('names the package that a platform lacks', () => {
    expect(() => loadNativeKzg('plan9-mips')).toThrow(/@crate-crypto\/node-eth-kzg-plan9-mips is not installed/)
  })
})
