// Checks contracts/artifacts/canonical.json: well-known contracts that the L2 genesis carries. Their addresses prove their code:
// each follows from the creation code, by a pre-signed transaction that fits nobody's key or by CREATE2. Then calls each on anvil.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  concat,
  createPublicClient,
  createTestClient,
  encodeFunctionData,
  getContractAddress,
  getCreate2Address,
  http,
  keccak256,
  multicall3Abi,
  parseAbi,
  recoverTransactionAddress,
  serializeTransaction,
  toHex,
} from 'viem'
import { contractsDir } from './forge.mjs'

const { resolve } = createRequire(import.meta.url)
const canonical = JSON.parse(readFileSync(`${contractsDir}/artifacts/canonical.json`, 'utf8'))
const MAX_WORD = 'ff'.repeat(32)

// EIPs 4788, 2935, 7002, 7251 ("Deployment"): r is 0x539, s is chosen; the constructors return the code, the last two after
// storing 2^256-1 in slot 0.
const PRESIGNED = {
  beaconRoots: { creation: '0x60618060095f395ff3', s: 0x1b9b6eb1f0n },
  blockHashHistory: { creation: '0x60538060095f395ff3', s: 0xaa12693182426612186309f02cfe8a80a0000n },
  withdrawalRequests: {
    creation: `0x7f${MAX_WORD}5f556101f880602d5f395ff3`,
    s: 0x5feeb084551e4e03a3581e269bc2ea2f8d0008n,
  },
  consolidationRequests: {
    creation: `0x7f${MAX_WORD}5f5561019e80602d5f395ff3`,
    s: 0xc0730f92dc275b663d377a7cbb141b6600052n,
  },
  create2Deployer: {
    creation: '0x604580600e600039806000f350fe',
    r: BigInt(`0x${'22'.repeat(32)}`),
    s: BigInt(`0x${'22'.repeat(32)}`),
    gas: 100_000n,
    gasPrice: 100_000_000_000n,
  },
}

async function presignedAddress(code, { creation, s, r = 0x539n, gas = 0x3d090n, gasPrice = 0xe8d4a51000n }) {
  const data = concat([creation, code])
  const transaction = { type: 'legacy', nonce: 0, gas, gasPrice, value: 0n, data }
  const signature = { r: toHex(r, { size: 32 }), s: toHex(s, { size: 32 }), v: 27n }
  const serializedTransaction = serializeTransaction(transaction, signature)
  return getContractAddress({ from: await recoverTransactionAddress({ serializedTransaction }), nonce: 0n })
}

// The code that CREATE2 deployed has two immutables (domain separator and chain id, which it recomputes on other chains); in
// the creation code they are zero.
const PERMIT2_CREATION =
  '0x60c0346100bb574660a052602081017f8cad95687ba82c2ce50e74f7b754645e5117c3a5bec8151c0726d5857980a86681527f9ac997416e8ff9d2ff6bebeb7149f65cdae5e32e2b90440b566bb3044041d36a60408301524660608301523060808301526080825260a082019180831060018060401b038411176100a557826040525190206080526123c090816100c1823960805181611b47015260a05181611b210152f35b634e487b7160e01b600052604160045260246000fd5b600080fdfe'
function permit2Address(code) {
  let template = code
  for (const offset of [0x1b21, 0x1b47]) {
    const at = 2 + 2 * offset
    template = template.slice(0, at) + '00'.repeat(32) + template.slice(at + 64)
  }
  return getCreate2Address({
    from: canonical.create2Deployer.address,
    salt: '0x0000000000000000000000000000000000000000d3af2663da51c10215000000',
    bytecode: concat([PERMIT2_CREATION, template]),
  })
}

let failures = 0
function report(name, what, ok) {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}: ${what}`)
  if (!ok) failures++
}

for (const [name, presigned] of Object.entries(PRESIGNED)) {
  const { address, code } = canonical[name]
  report(
    name,
    'the pre-signed transaction creates this code at this address',
    (await presignedAddress(code, presigned)) === address,
  )
}
report(
  'permit2',
  'CREATE2 puts this code at this address',
  permit2Address(canonical.permit2.code) === canonical.permit2.address,
)
// Its creation code is not at hand; this is the hash of its code on Ethereum mainnet (EXTCODEHASH), widely published.
const MULTICALL3_CODE_HASH = '0xd5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891'
report('multicall3', 'has the code hash of mainnet', keccak256(canonical.multicall3.code) === MULTICALL3_CODE_HASH)

const port = 28000 + Math.floor(Math.random() * 1000)
const binary = join(dirname(resolve('@foundry-rs/anvil-linux-amd64/package.json')), 'bin/anvil')
const anvil = spawn(binary, ['--hardfork', 'osaka', '--port', String(port), '--silent'], { stdio: 'inherit' })
try {
  await callEach(http(`http://127.0.0.1:${port}`))
} finally {
  anvil.kill()
}
process.exitCode = failures === 0 ? 0 : 1

async function callEach(transport) {
  const client = createPublicClient({ transport })
  const test = createTestClient({ mode: 'anvil', transport })
  for (let attempt = 0; ; attempt++) {
    const chainId = await client.getChainId().catch(() => null)
    if (chainId !== null) break
    if (attempt === 100) throw new Error('anvil does not answer')
    await sleep(50)
  }
  for (const { address, code } of Object.values(canonical)) await test.setCode({ address, bytecode: code })
  const {
    beaconRoots,
    blockHashHistory,
    withdrawalRequests,
    consolidationRequests,
    multicall3,
    create2Deployer,
    permit2,
  } = canonical
  const systemAddress = '0xfffffffffffffffffffffffffffffffffffffffe'
  await test.impersonateAccount({ address: systemAddress })
  await test.setBalance({ address: systemAddress, value: 10n ** 20n })
  await test.mine({ blocks: 2 })

  // As the system at the start of a block, then as anybody.
  const root = keccak256('0x01')
  const hash = await test.request({
    method: 'eth_sendTransaction',
    params: [{ from: systemAddress, to: beaconRoots.address, data: root }],
  })
  const { blockNumber } = await client.waitForTransactionReceipt({ hash, pollingInterval: 50 })
  const { timestamp } = await client.getBlock({ blockNumber })
  const stored = await client.call({ to: beaconRoots.address, data: toHex(timestamp, { size: 32 }) })
  report('beaconRoots', 'returns the root stored for a timestamp', stored.data === root)

  const parent = await client.getBlock({ blockNumber: blockNumber - 1n })
  await test.setStorageAt({
    address: blockHashHistory.address,
    index: Number(parent.number % 8191n),
    value: parent.hash,
  })
  const history = await client.call({ to: blockHashHistory.address, data: toHex(parent.number, { size: 32 }) })
  report('blockHashHistory', 'returns the hash of a block', history.data === parent.hash)

  for (const [name, { address }] of Object.entries({ withdrawalRequests, consolidationRequests })) {
    const fee = await client.call({ to: address })
    report(name, 'asks a fee of 1 wei', fee.data === toHex(1, { size: 32 }))
  }

  const block = encodeFunctionData({ abi: parseAbi(['function getBlockNumber() view returns (uint256)']) })
  const [answer] = await client.readContract({
    address: multicall3.address,
    abi: multicall3Abi,
    functionName: 'aggregate3',
    args: [[{ target: multicall3.address, allowFailure: false, callData: block }]],
  })
  report('multicall3', 'aggregates a call', answer.success && BigInt(answer.returnData) > 0n)

  // Creation code that returns one byte, STOP.
  const initCode = '0x60015ff3'
  const made = await client.call({ to: create2Deployer.address, data: concat([toHex(7, { size: 32 }), initCode]) })
  const expected = getCreate2Address({
    from: create2Deployer.address,
    salt: toHex(7, { size: 32 }),
    bytecode: initCode,
  })
  report('create2Deployer', 'deploys at the address of CREATE2', made.data === expected.toLowerCase())

  const abi = parseAbi([
    'function DOMAIN_SEPARATOR() view returns (bytes32)',
    'function nonceBitmap(address,uint256) view returns (uint256)',
  ])
  const separator = await client.readContract({ address: permit2.address, abi, functionName: 'DOMAIN_SEPARATOR' })
  const words = ['EIP712Domain(string name,uint256 chainId,address verifyingContract)', 'Permit2'].map(text =>
    keccak256(toHex(text)),
  )
  const separatorHere = keccak256(
    concat([...words, toHex(await client.getChainId(), { size: 32 }), toHex(BigInt(permit2.address), { size: 32 })]),
  )
  report('permit2', 'has the domain of the chain it is on', separator === separatorHere)
  const bitmap = await client.readContract({
    address: permit2.address,
    abi,
    functionName: 'nonceBitmap',
    args: [systemAddress, 0n],
  })
  report('permit2', 'answers nonceBitmap', bitmap === 0n)
}
