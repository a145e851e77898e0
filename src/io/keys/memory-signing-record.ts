import { emptyRecord, type SigningRecord, type SigningRecordStore } from './signing-record.js'

/** SigningRecordStore in memory: the twin of FileSigningRecord; outlives its signer, as a disk does. */
export class MemorySigningRecord implements SigningRecordStore {
  private record = emptyRecord

  load(): SigningRecord {
    return this.record
  }

  async save(record: SigningRecord): Promise<void> {
    this.record = record
  }

  async close(): Promise<void> {}
}
