declare module 'secp256k1' {
  export function ecdsaRecover(
    signature: Uint8Array,
    recovery: number,
    message: Uint8Array,
    compressed: boolean,
  ): Uint8Array
  export function ecdsaSign(message: Uint8Array, privateKey: Uint8Array): { signature: Uint8Array; recid: number }
  export function publicKeyCreate(privateKey: Uint8Array, compressed: boolean): Uint8Array
  export function privateKeyVerify(privateKey: Uint8Array): boolean
  const secp256k1: {
    ecdsaRecover: typeof ecdsaRecover
    ecdsaSign: typeof ecdsaSign
    publicKeyCreate: typeof publicKeyCreate
    privateKeyVerify: typeof privateKeyVerify
  }
  export default secp256k1
}
