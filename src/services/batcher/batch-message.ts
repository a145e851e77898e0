import { DecodeError } from '../../base/encoding/decode-error.js'
import { encodeRlp } from '../../base/encoding/rlp.js'
import { RlpFields, rlpUint } from '../../base/encoding/rlp-fields.js'
import type { BatchIndex } from '../../base/primitives/quantities.js'
import {
  type BatchAttestation,
  type BatchCertificate,
  decodeAttestation,
  decodeBatchCertificate,
  encodeAttestation,
  encodeBatchCertificate,
} from '../../base/protocol/batch-attestation.js'

/** What nodes tell one another on the channel 'batches'. */
export type BatchMessage =
  | { readonly type: 'certificates'; readonly certificates: readonly BatchCertificate[] }
  /** The sender's own; its key is the one that vouched for the connection. */
  | { readonly type: 'attestation'; readonly attestation: BatchAttestation }
  /** Asks for the certificates from this batch on. */
  | { readonly type: 'want'; readonly from: BatchIndex }

/** Most certificates in one message. */
export const maxCertificates = 16

const kinds = { certificates: 0, attestation: 1, want: 2 } as const

export function encodeBatchMessage(message: BatchMessage): Uint8Array {
  const kind = rlpUint(kinds[message.type])
  switch (message.type) {
    case 'certificates':
      return encodeCertificates(message.certificates.map(encodeBatchCertificate))
    case 'attestation':
      return encodeRlp([kind, encodeAttestation(message.attestation)])
    case 'want':
      return encodeRlp([kind, rlpUint(message.from)])
  }
}

/** The message 'certificates' of certificates that are encoded already. */
export function encodeCertificates(certificates: readonly Uint8Array[]): Uint8Array {
  return encodeRlp([rlpUint(kinds.certificates), certificates])
}

/** @throws DecodeError */
export function decodeBatchMessage(bytes: Uint8Array): BatchMessage {
  const fields = RlpFields.decode(bytes, 'batch message')
  const message = readBody(Number(fields.uint(8)), fields)
  fields.end()
  return message
}

function readBody(kind: number, fields: RlpFields): BatchMessage {
  switch (kind) {
    case kinds.certificates: {
      const certificates = fields.items({ max: maxCertificates }).map(item => {
        if (!(item instanceof Uint8Array)) throw new DecodeError('batch message: a certificate is not bytes')
        return decodeBatchCertificate(item)
      })
      return { type: 'certificates', certificates }
    }
    case kinds.attestation:
      return { type: 'attestation', attestation: decodeAttestation(fields.bytes({ max: 256 })) }
    case kinds.want:
      return { type: 'want', from: fields.safeUint() }
    default:
      throw new DecodeError('batch message: unknown kind', { kind })
  }
}
