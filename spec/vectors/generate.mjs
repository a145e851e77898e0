// Writes the vectors that the TypeScript and the contract tests both read. Everything here comes from libraries that are not
// part of the project (viem for EIP-712, noble for BLS12-381), and every valid signature is checked with a third, blst.
// `node spec/vectors/generate.mjs` writes the files; `--check` exits 1 when they differ from what would be written.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import blst from '@chainsafe/blst'
import { concat, encodeAbiParameters, encodePacked, hashStruct, hashTypedData, hexToBytes, keccak256, toHex, toRlp } from 'viem'

// viem carries the noble release that it was tested with.
const viemRequire = createRequire(createRequire(import.meta.url).resolve('viem'))
const { bls12_381: bls } = viemRequire('@noble/curves/bls12-381')
const G1 = bls.G1.ProjectivePoint
const G2 = bls.G2.ProjectivePoint
const { Fp, Fp2, Fr } = bls.fields
const DST = 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_'

const DOMAIN = {
  name: 'Morphism',
  version: '1',
  chainId: 31337,
  verifyingContract: '0x00000000000000000000000000000000c0ffee01',
}
const fields = text => text.split(',').map(field => ({ type: field.split(' ')[0], name: field.split(' ')[1] }))
const TYPES = {
  Proposal: fields('uint64 height,uint32 round,int64 validRound,bytes32 blockHash'),
  Vote: fields('uint64 height,uint32 round,uint8 step,bytes32 blockHash'),
  BatchAttestation: fields('uint64 batchIndex,bytes32 batchHash'),
  ProofOfPossession: fields('address operator,bytes32 publicKeyHash'),
  NodeBinding: fields('bytes peerId'),
  BatchHeader: fields(
    'uint8 version,uint64 batchIndex,bytes32 parentBatchHash,uint64 setId,uint64 firstBlock,uint64 lastBlock,bytes32 lastBlockHash,' +
      'bytes32 postStateRoot,bytes32 withdrawalRoot,uint64 messagesConsumed,bytes32 messagesRollingHash,uint64 timestamp,bytes32 blobHashesHash',
  ),
}
const ZERO = toHex(0, { size: 32 })
const MAX64 = 2n ** 64n - 1n

// Pseudo-random material, named so that each value is reproducible on its own.
const seeded = name => keccak256(toHex(`morphism vectors: ${name}`))
const seededAddress = name => `0x${seeded(name).slice(26)}`
const seededSecret = name => (BigInt(seeded(name)) % (Fr.ORDER - 1n)) + 1n

const word64 = value => value.toString(16).padStart(128, '0')
const codeG1 = point => {
  const { x, y } = point.toAffine()
  return `0x${word64(x)}${word64(y)}`
}
const codeG2 = point => {
  const { x, y } = point.toAffine()
  return `0x${[x.c0, x.c1, y.c0, y.c1].map(word64).join('')}`
}
const compress = point => toHex(point.toRawBytes(true))
const publicKeyOf = secret => G1.BASE.multiply(secret)
const hashedToCurve = digest => G2.fromAffine(bls.G2.hashToCurve(hexToBytes(digest), { DST }).toAffine())

const digestOf = (primaryType, message) => hashTypedData({ domain: DOMAIN, types: TYPES, primaryType, message })

function signed(digest, secret, keys) {
  const point = hashedToCurve(digest).multiply(secret)
  const signature = compress(point)
  const parsed = keys.map(key => blst.PublicKey.fromBytes(hexToBytes(key), true))
  if (!blst.fastAggregateVerify(hexToBytes(digest), parsed, blst.Signature.fromBytes(hexToBytes(signature), true))) {
    throw new Error('noble and blst disagree')
  }
  return { signature, signatureEip2537: codeG2(point) }
}

const INFINITY = { signature: `0xc0${'00'.repeat(95)}`, signatureEip2537: `0x${'00'.repeat(256)}` }
// On the curve, not in the subgroup: the first x = n + 0u for which the equation has a root. Compressed by hand (the flags of
// the ZCash coding: compressed, and whether y is the larger root), for noble codes no such point.
function outsideSubgroup() {
  for (let n = 1n; ; n++) {
    const x = Fp2.fromBigTuple([n, 0n])
    const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), Fp2.fromBigTuple([4n, 4n]))
    const y = squareRoot(square)
    if (y === null || G2.fromAffine({ x, y }).isTorsionFree()) continue
    const isLarger = (y.c1 === 0n ? y.c0 : y.c1) * 2n > Fp.ORDER
    const flags = isLarger ? 0xa0n : 0x80n
    return {
      signature: toHex((flags << 760n) | (x.c1 << 384n) | x.c0, { size: 96 }),
      signatureEip2537: `0x${[x.c0, x.c1, y.c0, y.c1].map(word64).join('')}`,
    }
  }
}
function squareRoot(square) {
  try {
    return Fp2.sqrt(square)
  } catch {
    return null
  }
}
const flipped = (hex, bit) => toHex(BigInt(hex) ^ (1n << BigInt(bit)), { size: hex.length / 2 - 1 })
const withCoordinatePlusP = coded => `0x${word64(BigInt(coded.slice(0, 130)) + Fp.ORDER)}${coded.slice(130)}`

function eip712() {
  const blockHash = seeded('block hash')
  const messages = [
    ['Proposal', { height: 1n, round: 0, validRound: -1n, blockHash }],
    ['Proposal', { height: MAX64, round: 2 ** 32 - 1, validRound: 2n ** 63n - 1n, blockHash }],
    ['Proposal', { height: 12n, round: 3, validRound: 1n, blockHash: seeded('another block hash') }],
    ['Vote', { height: 1n, round: 0, step: 1, blockHash }],
    ['Vote', { height: 1n, round: 0, step: 2, blockHash }],
    ['Vote', { height: 1n, round: 0, step: 1, blockHash: ZERO }],
    ['Vote', { height: MAX64, round: 2 ** 32 - 1, step: 2, blockHash: ZERO }],
    ['BatchAttestation', { batchIndex: 1n, batchHash: seeded('batch hash') }],
    ['BatchAttestation', { batchIndex: MAX64, batchHash: ZERO }],
    ['ProofOfPossession', { operator: seededAddress('operator'), publicKeyHash: seeded('public key hash') }],
    ['NodeBinding', { peerId: concat(['0x002408011220', seeded('peer id')]) }],
    ['NodeBinding', { peerId: '0x' }],
  ]
  const cases = messages.map(([type, message]) => ({ type, message, digest: digestOf(type, message) }))
  return { domain: DOMAIN, types: TYPES, cases }
}

function batchHeader() {
  const genesis = {
    version: 1,
    batchIndex: 0n,
    parentBatchHash: ZERO,
    setId: 0n,
    firstBlock: 0n,
    lastBlock: 0n,
    lastBlockHash: seeded('genesis block hash'),
    postStateRoot: seeded('genesis state root'),
    withdrawalRoot: ZERO,
    messagesConsumed: 0n,
    messagesRollingHash: ZERO,
    timestamp: 0n,
    blobHashesHash: ZERO,
  }
  const blobHashes = ['a', 'b', 'c'].map(name => `0x01${seeded(`blob ${name}`).slice(4)}`)
  const hash = data => hashStruct({ data, types: TYPES, primaryType: 'BatchHeader' })
  const first = {
    version: 1,
    batchIndex: 1n,
    parentBatchHash: hash(genesis),
    setId: 1n,
    firstBlock: 1n,
    lastBlock: 600n,
    lastBlockHash: seeded('block 600'),
    postStateRoot: seeded('state 600'),
    withdrawalRoot: ZERO,
    messagesConsumed: 2n,
    messagesRollingHash: seeded('rolling hash 2'),
    timestamp: 1_750_000_000n,
    blobHashesHash: keccak256(blobHashes[0]),
  }
  const second = {
    ...first,
    batchIndex: 2n,
    parentBatchHash: hash(first),
    firstBlock: 601n,
    lastBlock: 601n,
    withdrawalRoot: seeded('withdrawal root'),
    blobHashesHash: keccak256(concat(blobHashes)),
  }
  const bit = toHex(2n ** 256n - 1n)
  const extreme = Object.fromEntries(
    TYPES.BatchHeader.map(({ type, name }) => [name, type === 'uint8' ? 255 : type === 'uint64' ? MAX64 : bit]),
  )
  const cases = [
    { name: 'genesis', header: genesis, blobHashes: [] },
    { name: 'one blob', header: first, blobHashes: blobHashes.slice(0, 1) },
    { name: 'three blobs', header: second, blobHashes },
    { name: 'all bits set', header: extreme, blobHashes: [] },
  ]
  return { cases: cases.map(entry => ({ ...entry, batchHash: hash(entry.header) })) }
}

function messageQueue() {
  let rollingHash = ZERO
  const amounts = [10n ** 18n, 10n ** 9n, 123_456_789n * 10n ** 9n, 18_446_744_073n * 10n ** 18n]
  const messages = amounts.map((amount, index) => {
    const message = {
      kind: 0,
      index: BigInt(index),
      sender: seededAddress(`sender ${index}`),
      to: index === 1 ? `0x${'00'.repeat(20)}` : seededAddress(`to ${index}`),
      amount,
      data: '0x',
    }
    const types = ['uint8', 'uint64', 'address', 'address', 'uint256', 'bytes'].map(type => ({ type }))
    const messageHash = keccak256(encodeAbiParameters(types, Object.values(message)))
    rollingHash = keccak256(encodePacked(['bytes32', 'bytes32'], [rollingHash, messageHash]))
    return { ...message, messageHash, rollingHash }
  })
  return { emptyRollingHash: ZERO, messages }
}

function quorumSet(size) {
  const secrets = Array.from({ length: size }, (_, i) => seededSecret(`set ${size} member ${i}`))
  const members = secrets.map((secret, i) => {
    const key = publicKeyOf(secret)
    return {
      secretKey: toHex(secret, { size: 32 }),
      publicKey: compress(key),
      publicKeyEip2537: codeG1(key),
      power: 64_000_000_000n - BigInt(i) * 1_000_000n, // gwei, falling with the index as after an election
      operator: seededAddress(`set ${size} operator ${i}`),
      submitter: seededAddress(`set ${size} submitter ${i}`),
      feeRecipient: seededAddress(`set ${size} fee recipient ${i}`),
    }
  })
  const totalPower = members.reduce((sum, { power }) => sum + power, 0n)
  const bitmap = indices => indices.reduce((bits, i) => bits | (1n << BigInt(i)), 0n)
  const isAbsent = (absent, i) => (absent >> BigInt(i)) & 1n
  const signersOf = absent => members.map((_, i) => i).filter(i => !isAbsent(absent, i))
  const hasQuorum = absent => signersOf(absent).reduce((sum, i) => sum + members[i].power, 0n) * 3n > totalPower * 2n
  const sign = (digest, absent) => {
    const signers = signersOf(absent)
    const secret = signers.reduce((sum, i) => Fr.add(sum, secrets[i]), 0n)
    return signed(digest, secret, signers.map(i => members[i].publicKey))
  }

  const digest = digestOf('BatchAttestation', { batchIndex: 1n, batchHash: seeded(`set ${size} batch hash`) })
  // As many as can be absent: every third member, and of those the last ones.
  const most = Math.floor((size - 1) / 3)
  const everyThird = members.map((_, i) => i).filter(i => i % 3 === 2)
  const third = bitmap(everyThird.slice(-most))
  const overThird = bitmap([...everyThird.slice(-most), 0, 1])
  const one = bitmap([size - 1])
  if (!hasQuorum(third) || hasQuorum(overThird)) throw new Error('absent members are ill chosen')

  const all = sign(digest, 0n)
  const cases = [
    { name: 'nobody absent', expected: 'Valid', absent: 0n, ...all },
    { name: 'one absent', expected: 'Valid', absent: one, ...sign(digest, one) },
    { name: 'one third absent', expected: 'Valid', absent: third, ...sign(digest, third) },
    { name: 'more than one third absent', expected: 'QuorumNotReached', absent: overThird, ...sign(digest, overThird) },
    { name: 'an absent member is counted', expected: 'SignatureInvalid', absent: 0n, ...sign(digest, one) },
    { name: 'a signer is called absent', expected: 'SignatureInvalid', absent: one, ...all },
    { name: 'bit beyond the set', expected: 'AbsentOutOfRange', absent: 1n << BigInt(size), ...all },
    { name: 'highest bit', expected: 'AbsentOutOfRange', absent: 1n << 255n, ...all },
    { name: 'another digest', expected: 'SignatureInvalid', absent: 0n, ...sign(seeded('another digest'), 0n) },
    { name: 'infinity', expected: 'SignatureInvalid', absent: 0n, ...INFINITY },
  ]
  if (size === 4) {
    const malformed = signatureEip2537 => ({ expected: 'SignatureInvalid', absent: 0n, signature: null, signatureEip2537 })
    cases.push(
      { name: 'not in the subgroup', expected: 'SignatureInvalid', absent: 0n, ...outsideSubgroup() },
      { name: 'not on the curve', ...malformed(flipped(all.signatureEip2537, 0)) },
      { name: 'padding not zero', ...malformed(flipped(all.signatureEip2537, 2047)) },
      { name: 'coordinate not below p', ...malformed(withCoordinatePlusP(all.signatureEip2537)) },
      { name: 'one byte short', ...malformed(all.signatureEip2537.slice(0, -2)) },
      { name: 'one byte long', ...malformed(`${all.signatureEip2537}00`) },
      { name: 'empty', ...malformed('0x') },
    )
  }
  return { size, totalPower, digest, members, cases }
}

// Three members of equal power: two of them have exactly 2/3, which is not a quorum.
function exactlyTwoThirds() {
  const set = quorumSet(4)
  const members = set.members.slice(0, 3).map(member => ({ ...member, power: 32_000_000_000n }))
  const signers = members.slice(0, 2)
  const secret = signers.reduce((sum, { secretKey }) => Fr.add(sum, BigInt(secretKey)), 0n)
  const aggregate = signed(set.digest, secret, signers.map(({ publicKey }) => publicKey))
  const cases = [{ name: 'exactly two thirds', expected: 'QuorumNotReached', absent: 4n, ...aggregate }]
  return { size: 3, totalPower: 96_000_000_000n, digest: set.digest, members, cases }
}

function proofOfPossession() {
  const operator = seededAddress('operator')
  const prove = (name, by = operator) => {
    const secret = seededSecret(name)
    const key = publicKeyOf(secret)
    const publicKeyEip2537 = codeG1(key)
    const publicKeyHash = keccak256(publicKeyEip2537)
    const digest = digestOf('ProofOfPossession', { operator: by, publicKeyHash })
    const proof = signed(digest, secret, [compress(key)])
    return {
      operator: by,
      publicKey: compress(key),
      publicKeyEip2537,
      publicKeyHash,
      digest,
      proof: proof.signature,
      proofEip2537: proof.signatureEip2537,
    }
  }
  const first = prove('key 1')
  const second = prove('key 2')
  const infiniteKey = {
    publicKey: `0xc0${'00'.repeat(47)}`,
    publicKeyEip2537: `0x${'00'.repeat(128)}`,
    publicKeyHash: keccak256(`0x${'00'.repeat(128)}`),
  }
  const infiniteProof = { proof: INFINITY.signature, proofEip2537: INFINITY.signatureEip2537 }
  const offCurve = flipped(first.publicKeyEip2537, 0)
  const outside = outsideSubgroup()
  const cases = [
    { name: 'valid', expected: 'Valid', ...first },
    { name: 'valid, another key', expected: 'Valid', ...second },
    { name: 'valid, another operator', expected: 'Valid', ...prove('key 3', seededAddress('operator 3')) },
    { name: 'proof by another key', expected: 'ProofOfPossessionInvalid', ...first, ...pick(second) },
    { name: 'proof for another operator', expected: 'ProofOfPossessionInvalid', ...prove('key 1', seededAddress('operator 2')), operator, digest: first.digest },
    { name: 'infinite proof', expected: 'PointAtInfinity', ...first, ...infiniteProof },
    { name: 'infinite key', expected: 'PointAtInfinity', ...first, ...infiniteKey },
    { name: 'infinite key and proof', expected: 'PointAtInfinity', ...first, ...infiniteKey, ...infiniteProof },
    { name: 'key not on the curve', expected: 'ProofOfPossessionInvalid', ...first, publicKey: null, publicKeyEip2537: offCurve, publicKeyHash: keccak256(offCurve) },
    { name: 'proof not in the subgroup', expected: 'ProofOfPossessionInvalid', ...first, proof: outside.signature, proofEip2537: outside.signatureEip2537 },
  ]
  return { domain: DOMAIN, cases }
}
const pick = ({ proof, proofEip2537 }) => ({ proof, proofEip2537 })

// hash_to_field and hash_to_curve on their own, to find out which half is wrong when one is.
function hashToCurve() {
  const messages = [ZERO, seeded('message 1'), seeded('message 2'), toHex(2n ** 256n - 1n)]
  return { dst: DST, cases: messages.map(message => ({ message, point: codeG2(hashedToCurve(message)) })) }
}

// Each kind of evidence in the wire's RLP (viem's writer), with the verdict of a node that knows this one key as member 0.
function evidence() {
  const secrets = ['evidence key', 'evidence key 2'].map(seededSecret)
  const keys = secrets.map(secret => compress(publicKeyOf(secret)))
  const [low, high] = [seeded('evidence block 1'), seeded('evidence block 2')].sort()
  const rlpUint = value => (BigInt(value) === 0n ? '0x' : toHex(BigInt(value)))
  const sign = (type, message, by) => signed(digestOf(type, message), secrets[by], [keys[by]]).signature
  const vote = ({ height = 700n, round = 2, step = 2, blockHash, member = 0, by = 0 }) => {
    const content = { height, round, step, blockHash }
    return toRlp([...[height, round, step].map(rlpUint), blockHash, rlpUint(member), sign('Vote', content, by), '0x'])
  }
  const proposal = ({ height = 700n, round = 2, validRound = -1n, blockHash, by = 0 }) => {
    const content = { height, round, validRound, blockHash }
    const head = [height, round, validRound + 1n].map(rlpUint)
    return toRlp([...head, blockHash, '0x', sign('Proposal', content, by)])
  }
  const attestation = ({ batchIndex = 9n, batchHash, by = 0 }) =>
    toRlp([rlpUint(batchIndex), batchHash, sign('BatchAttestation', { batchIndex, batchHash }, by)])
  const piece = (kind, ...fields) => toRlp([rlpUint(kind), ...fields])
  const votes = (a, b) => piece(0, vote({ blockHash: low, ...a }), vote({ blockHash: high, ...b }))
  const attestations = (setId, member, b) =>
    piece(2, rlpUint(setId), rlpUint(member), attestation({ batchHash: low }), attestation({ batchHash: high, ...b }))
  const twice = { validRound: 1n, blockHash: low }
  const raw = [
    ['two precommits', 'valid', votes()],
    ['two prevotes, one for nil', 'valid', votes({ step: 1, blockHash: ZERO }, { step: 1, blockHash: low })],
    ['two proposals', 'valid', piece(1, proposal({ blockHash: low }), proposal({ blockHash: high }))],
    ['one block proposed with two valid rounds', 'valid', piece(1, proposal({ blockHash: low }), proposal(twice))],
    ['two attestations', 'valid', attestations(1, 0)],
    ['two votes of two rounds', 'two-positions', votes({}, { round: 3 })],
    ['two votes of two steps', 'two-positions', votes({}, { step: 1 })],
    ['two votes of two members', 'two-members', votes({}, { member: 1, by: 1 })],
    ['a vote by another key', 'bad-signature', votes({}, { by: 1 })],
    ['attestations of two batches', 'two-positions', attestations(1, 0, { batchIndex: 10n })],
    ['attestations of another set', 'wrong-set', attestations(2, 0)],
    ['attestations by no member', 'unknown-member', attestations(1, 5)],
    ['not in order', 'malformed', votes({ blockHash: high }, { blockHash: low })],
    ['the same vote twice', 'malformed', votes({}, { blockHash: low })],
    ['of no kind', 'malformed', piece(3, vote({ blockHash: low }), vote({ blockHash: high }))],
  ]
  const cases = raw.map(([name, expected, encoded]) => ({ name, expected, raw: encoded, hash: keccak256(encoded) }))
  return { domain: DOMAIN, setId: 1, members: keys.slice(0, 1), cases }
}

const files = {
  'eip712.json': eip712(),
  'batch-header.json': batchHeader(),
  'message-queue.json': messageQueue(),
  'quorum.json': { domain: DOMAIN, sets: [exactlyTwoThirds(), ...[4, 16, 64, 128, 200].map(quorumSet)] },
  'proof-of-possession.json': proofOfPossession(),
  'hash-to-curve.json': hashToCurve(),
  'evidence.json': evidence(),
}
for (const [name, value] of Object.entries(files)) {
  const path = new URL(name, import.meta.url)
  const text = `${JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v), 1)}\n`
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${name} differs from what generate.mjs writes`)
    process.exitCode = 1
  }
}
