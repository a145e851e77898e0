import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { hexToBytes } from '../../base/primitives/bytes.js'
import { devnetParameters, type ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import { encryptKeystore, saveKeystore } from '../../io/keys/eip2335-keystore.js'
import { GuardedSigner } from '../../io/keys/guarded-signer.js'
import { saveKeyFile } from '../../io/keys/key-file.js'
import { AppError } from '../app-error.js'
import { l2Genesis, l2GenesisBatch } from '../node/l2-genesis.js'
import { type NetworkFile, readNetworkFile, requireSound } from '../node/network-file.js'
import { nodeFiles } from '../node-files.js'
import { callRpc } from '../rpc-client.js'
import { deployContracts } from './deploy-contracts.js'
import {
  devnetDeployer,
  devnetGenesisFunds,
  devnetSequencer,
  devnetServiceBalance,
  devnetUserBalance,
  devnetUsers,
} from './devnet-accounts.js'
import { nodeDir, sequencerNames } from './devnet-nodes.js'
import { genesisAlloc } from './genesis-alloc.js'

/** L1 chain id of a devnet (anvil's). */
export const devnetL1ChainId = 31_337
/** Seconds between two L1 blocks of a devnet. */
export const devnetL1BlockTimeSec = 1
/** L2 chain id of a devnet. */
export const devnetL2ChainId = 42_069

/** Makes the network on a new L1 (genesis, keys, contracts, election), or finds the one made before; returns its file. @throws AppError */
export async function createNetwork({
  dataDir,
  sequencers,
  changedParameters,
  l1RpcUrl,
  say,
}: {
  dataDir: string
  sequencers: number
  /** Parameters that are to be others than a devnet's. */
  changedParameters: Partial<ProtocolParameters>
  l1RpcUrl: string
  say: (line: string) => void
}): Promise<string> {
  const file = path.join(dataDir, 'network.json')
  if (existsSync(file)) {
    await requireSame({ file, sequencers, changedParameters, l1RpcUrl })
    return file
  }
  const parameters = { ...devnetParameters, ...changedParameters }
  requireSound(parameters, devnetL1BlockTimeSec)
  say('deploying the contracts and electing the first set …')
  const users = devnetUsers()
  const origin = await callRpc<{ number: string; hash: `0x${string}`; timestamp: string }>({
    url: l1RpcUrl,
    method: 'eth_getBlockByNumber',
    params: ['latest', false],
  })
  const l2: NetworkFile['l2'] = {
    chainId: devnetL2ChainId,
    genesis: {
      timestamp: Number(origin.timestamp),
      baseFeePerGas: '1000000000',
      l1Origin: { number: Number(origin.number), hash: origin.hash },
      alloc: await genesisAlloc(users.map(({ address }) => ({ address, balance: devnetUserBalance }))),
    },
  }
  const members = Array.from({ length: sequencers }, (_, i) => devnetSequencer(i))
  const { contracts, domain, startBlock } = await deployContracts({
    rpcUrl: l1RpcUrl,
    deployerKey: devnetDeployer().privateKey,
    parameters,
    l1BlockTimeSec: devnetL1BlockTimeSec,
    genesis: l2GenesisBatch(l2Genesis({ l2, parameters })),
    sequencers: members.map(({ operator, submitter, relayer, consensusKey }) => ({
      operatorKey: operator.privateKey,
      submitter: submitter.address,
      feeRecipient: relayer.address,
      consensusKey,
    })),
    l2GenesisFunds: devnetGenesisFunds,
    balances: [
      ...users.map(({ address }) => ({ address, balance: devnetUserBalance })),
      ...members.flatMap(({ operator, submitter }) =>
        [operator, submitter].map(({ address }) => ({ address, balance: devnetServiceBalance })),
      ),
    ],
  })
  await writeKeys({ dataDir, sequencers, domain })
  const network: NetworkFile = {
    name: 'devnet',
    // The origin of genesis lies before the contracts, and nodes must know it.
    l1: {
      chainId: domain.l1ChainId,
      startBlock: Math.min(startBlock, l2.genesis.l1Origin.number),
      blockTimeSec: devnetL1BlockTimeSec,
      contracts,
    },
    l2,
    parameters,
    upgrades: [],
  }
  await writeFile(`${file}.new`, `${JSON.stringify(network, null, 2)}\n`)
  await rename(`${file}.new`, file)
  return file
}

/** The directory may hold another network than the one asked for, or its L1 may be gone. */
async function requireSame({
  file,
  sequencers,
  changedParameters,
  l1RpcUrl,
}: {
  file: string
  sequencers: number
  changedParameters: Partial<ProtocolParameters>
  l1RpcUrl: string
}): Promise<void> {
  const network = await readNetworkFile(file)
  const hint = 'use --fresh to begin anew'
  const names = sequencerNames(sequencers)
  const elected = names.filter(name => existsSync(nodeDir(path.dirname(file), name))).length
  if (elected !== sequencers || existsSync(nodeDir(path.dirname(file), `sequencer-${sequencers}`))) {
    throw new AppError(
      'OTHER_NETWORK',
      `The network in ${path.dirname(file)} has another number of sequencers than ${sequencers}: ${hint}.`,
    )
  }
  for (const [name, value] of Object.entries(changedParameters)) {
    const present = network.parameters[name as keyof ProtocolParameters]
    if (present !== value)
      throw new AppError('OTHER_NETWORK', `The network in ${path.dirname(file)} has ${name} ${present}: ${hint}.`)
  }
  const code = await callRpc<string>({
    url: l1RpcUrl,
    method: 'eth_getCode',
    params: [network.l1.contracts.rollup, 'latest'],
  })
  if (code === '0x') throw new AppError('L1_LOST', `The L1 chain in ${path.dirname(file)} has no contracts: ${hint}.`)
}

async function writeKeys({
  dataDir,
  sequencers,
  domain,
}: {
  dataDir: string
  sequencers: number
  domain: SigningDomain
}): Promise<void> {
  await Promise.all(
    sequencerNames(sequencers).map(async (name, i) => {
      const dir = nodeDir(dataDir, name)
      const { consensusKey, submitter } = devnetSequencer(i)
      const password = randomBytes(16).toString('hex')
      await mkdir(dir, { recursive: true })
      await writeFile(path.join(dir, nodeFiles.password), `${password}\n`, { mode: 0o600 })
      await saveKeyFile(path.join(dir, nodeFiles.submitterKey), hexToBytes(submitter.privateKey))
      const keystore = await encryptKeystore({
        secret: consensusKey.toBytes(),
        password,
        publicKey: consensusKey.publicKey(),
        cost: 'light',
      })
      await saveKeystore(path.join(dir, nodeFiles.keystore), keystore)
      // A key that is made here has signed nothing: its record begins with it, and its node has none to miss.
      const recordPath = path.join(dir, nodeFiles.signingRecord)
      await rm(recordPath, { force: true })
      const signer = await GuardedSigner.open({ secretKey: consensusKey, domain, recordPath })
      await signer.close()
    }),
  )
}
