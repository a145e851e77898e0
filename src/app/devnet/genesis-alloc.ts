import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Address } from '../../base/primitives/hashes.js'
import { feeVaultAddress, outboxAddress } from '../../base/protocol/protocol-parameters.js'
import { AppError } from '../app-error.js'
import type { GenesisAccountJson } from '../node/network-file.js'
import { packageRoot } from '../package-root.js'

const artifacts = path.join(packageRoot, 'contracts', 'artifacts')

/**
 * Accounts of an L2 genesis: the system contracts of Ethereum (EIP-4788, 2935, 7002, 7251), Multicall3, the CREATE2 deployer
 * and Permit2, the predeploys of protocol.md section 6, and the funded accounts.
 */
export async function genesisAlloc(
  funded: readonly { address: Address; balance: bigint }[],
): Promise<Record<Address, GenesisAccountJson>> {
  const alloc: Record<Address, GenesisAccountJson> = {}
  const canonical = await readJson<Record<string, { address: string; code: string }>>('canonical.json')
  for (const { address, code } of Object.values(canonical)) alloc[lower(address)] = { balance: '0', nonce: 1, code }
  const predeploys = [
    { address: feeVaultAddress, name: 'FeeVault' },
    { address: outboxAddress, name: 'L2ToL1Outbox' },
  ]
  for (const { address, name } of predeploys) {
    const { deployedBytecode } = await readJson<{ deployedBytecode: string }>(`${name}.json`)
    alloc[address] = { balance: '0', nonce: 1, code: deployedBytecode }
  }
  for (const { address, balance } of funded) alloc[lower(address)] = { balance: balance.toString() }
  return alloc
}

const lower = (address: string): Address => address.toLowerCase() as Address

async function readJson<Shape>(file: string): Promise<Shape> {
  try {
    return JSON.parse(await readFile(path.join(artifacts, file), 'utf8')) as Shape
  } catch (cause) {
    throw new AppError('ARTIFACT', `the contract artifact ${file} cannot be read`, { file }, { cause })
  }
}
