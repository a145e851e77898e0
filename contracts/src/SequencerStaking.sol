// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bls12381} from "./Bls12381.sol";
import {Eip712} from "./Eip712.sol";
import {SequencerRegistry} from "./SequencerRegistry.sol";
import {StakeRanking} from "./StakeRanking.sol";

/// @title Registration and election of sequencers
/// @notice Anyone registers with a stake and a BLS key; anyone calls the election. This version elects once, the first
/// set, and keeps every stake.
contract SequencerStaking {
    /// @notice A registered sequencer.
    /// @param operator L1 account that registered and owns the stake
    /// @param power stake in gwei
    /// @param submitter L1 account that posts batches in its turn
    /// @param feeRecipient L2 account that receives priority fees
    /// @param key consensus key without padding
    struct Candidate {
        address operator;
        uint64 power;
        address submitter;
        address feeRecipient;
        Bls12381.CompactG1 key;
    }

    /// @notice A sequencer registered.
    /// @param operator L1 account that owns the stake
    /// @param publicKey 128 bytes, G1, coding of EIP-2537
    /// @param feeRecipient L2 account that receives priority fees
    /// @param submitter L1 account that posts batches in its turn
    /// @param stake wei
    event SequencerRegistered(
        address indexed operator, bytes publicKey, address feeRecipient, address submitter, uint256 stake
    );

    /// @notice The registry was deployed for another staking contract.
    error WrongRegistry(address expectedStaking, address actualStaking);
    /// @notice Sizes must satisfy 1 <= min <= max <= the registry's largest set, and a stake is at least 1 gwei.
    error WrongParameters();
    /// @notice The stake is too small.
    error StakeTooLow(uint256 stake, uint256 minStake);
    /// @notice A stake is a whole number of gwei (1e9 wei): that number is the voting power.
    error NotWholeGwei(uint256 stake);
    /// @notice Fees or turns would go to nobody.
    error ZeroAddress();
    /// @notice A key has 128 bytes.
    error WrongKeyLength(uint256 length);
    /// @notice A proof has 256 bytes.
    error WrongProofLength(uint256 length);
    /// @notice The point at infinity is neither a key nor a proof.
    error PointAtInfinity();
    /// @notice An account registers once.
    error OperatorAlreadyRegistered(address operator);
    /// @notice A key is registered once, and its opposite not beside it: the two would cancel out in every sum of keys.
    error KeyAlreadyRegistered(bytes32 publicKeyHash);
    /// @notice The proof is not a signature by this key over this operator, or a point is malformed.
    error ProofOfPossessionInvalid();
    /// @notice Fewer sequencers have registered than the smallest set.
    error TooFewSequencers(uint256 registered, uint256 minSequencers);
    /// @notice The first set exists: there is no other election, and no stake is taken that none would count.
    error AlreadyElected(uint256 setId);
    /// @notice There is no candidate with this number.
    error UnknownCandidate(uint256 index);

    bytes32 private constant PROOF_TYPEHASH = keccak256("ProofOfPossession(address operator,bytes32 publicKeyHash)");

    /// @notice Where sets are recorded.
    SequencerRegistry public immutable registry;
    /// @notice Address of the Rollup contract: the verifying contract of everything that is signed.
    address public immutable rollup;
    /// @notice Smallest stake, in wei.
    uint256 public immutable minStake;
    /// @notice Smallest size of a set.
    uint256 public immutable minSequencers;
    /// @notice Largest size of a set.
    uint256 public immutable maxSequencers;

    /// @notice Whether an account has registered.
    mapping(address operator => bool) public isOperator;
    /// @notice Whether a key or its opposite has been registered, by the keccak256 of x: the first 64 of its 128 bytes.
    mapping(bytes32 xHash => bool) public isKey;

    Candidate[] private _candidates;

    /// @param registry_ deployed with the address of this contract
    /// @param rollup_ address of the Rollup contract, which is deployed after this one
    /// @param minStake_ wei
    /// @param minSequencers_ smallest size of a set
    /// @param maxSequencers_ largest size of a set
    constructor(
        SequencerRegistry registry_,
        address rollup_,
        uint256 minStake_,
        uint256 minSequencers_,
        uint256 maxSequencers_
    ) {
        if (registry_.staking() != address(this)) {
            revert WrongRegistry(address(this), registry_.staking());
        }
        if (
            rollup_ == address(0) || minStake_ < 1 gwei || minSequencers_ == 0 || minSequencers_ > maxSequencers_
                || maxSequencers_ > registry_.MAX_MEMBERS()
        ) revert WrongParameters();
        registry = registry_;
        rollup = rollup_;
        minStake = minStake_;
        minSequencers = minSequencers_;
        maxSequencers = maxSequencers_;
    }

    /// @notice Registers the caller as a sequencer, with the value sent as its stake; until the election.
    /// @param publicKey consensus key: 128 bytes, G1, coding of EIP-2537
    /// @param proofOfPossession signature by that key over `proofOfPossessionDigest(msg.sender, publicKey)`: 256 bytes, G2
    /// @param feeRecipient L2 account that receives the priority fees of the sequencer's blocks
    /// @param submitter L1 account that posts batches in the sequencer's turn
    function register(
        bytes calldata publicKey,
        bytes calldata proofOfPossession,
        address feeRecipient,
        address submitter
    ) external payable {
        _requireNotElected();
        if (msg.value < minStake) revert StakeTooLow(msg.value, minStake);
        if (msg.value % 1 gwei != 0) revert NotWholeGwei(msg.value);
        if (feeRecipient == address(0) || submitter == address(0)) revert ZeroAddress();
        if (isOperator[msg.sender]) revert OperatorAlreadyRegistered(msg.sender);
        if (publicKey.length != Bls12381.KEY_LENGTH) revert WrongKeyLength(publicKey.length);
        if (proofOfPossession.length != Bls12381.SIGNATURE_LENGTH) revert WrongProofLength(proofOfPossession.length);
        bytes32 publicKeyHash = keccak256(publicKey);
        bytes32 xHash = keccak256(publicKey[:64]);
        if (isKey[xHash]) revert KeyAlreadyRegistered(publicKeyHash);

        Bls12381.G1Point memory key = abi.decode(publicKey, (Bls12381.G1Point));
        if (Bls12381.isInfinity(key) || Bls12381.isZero(proofOfPossession)) revert PointAtInfinity();
        // The pairing also proves that the key is a point of the subgroup, canonically coded.
        if (!Bls12381.verify(key, _proofDigest(msg.sender, publicKeyHash), proofOfPossession)) {
            revert ProofOfPossessionInvalid();
        }

        isOperator[msg.sender] = true;
        isKey[xHash] = true;
        _candidates.push(
            Candidate({
                operator: msg.sender,
                power: uint64(msg.value / 1 gwei),
                submitter: submitter,
                feeRecipient: feeRecipient,
                key: Bls12381.pack(key)
            })
        );
        emit SequencerRegistered(msg.sender, publicKey, feeRecipient, submitter, msg.value);
    }

    /// @notice Elects the first set: the `maxSequencers` candidates with most stake, of equal ones the earlier. The order of
    /// the members is the same.
    /// @return setId number of the set that was created
    function elect() external returns (uint256 setId) {
        _requireNotElected();
        uint256 count = _candidates.length;
        if (count < minSequencers) revert TooFewSequencers(count, minSequencers);

        uint256[] memory powers = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            powers[i] = _candidates[i].power;
        }
        uint256[] memory ranking = StakeRanking.top(powers, count < maxSequencers ? count : maxSequencers);
        SequencerRegistry.Member[] memory members = new SequencerRegistry.Member[](ranking.length);
        for (uint256 i = 0; i < ranking.length; ++i) {
            members[i] = _memberFrom(_candidates[ranking[i]]);
        }
        return registry.createSet(members);
    }

    /// @notice What a key signs to register for an operator.
    /// @param operator L1 account that will call `register`
    /// @param publicKey 128 bytes, G1, coding of EIP-2537
    function proofOfPossessionDigest(address operator, bytes calldata publicKey) external view returns (bytes32) {
        return _proofDigest(operator, keccak256(publicKey));
    }

    /// @notice Number of candidates.
    function candidateCount() external view returns (uint256) {
        return _candidates.length;
    }

    /// @notice One candidate, by the order of registration from 0.
    function candidateAt(uint256 index) external view returns (SequencerRegistry.Member memory) {
        if (index >= _candidates.length) revert UnknownCandidate(index);
        return _memberFrom(_candidates[index]);
    }

    function _requireNotElected() private view {
        uint256 latest = registry.latestSetId();
        if (latest != 0) revert AlreadyElected(latest);
    }

    function _proofDigest(address operator, bytes32 publicKeyHash) private view returns (bytes32) {
        return Eip712.digest(rollup, keccak256(abi.encode(PROOF_TYPEHASH, operator, publicKeyHash)));
    }

    function _memberFrom(Candidate storage candidate) private view returns (SequencerRegistry.Member memory) {
        Bls12381.CompactG1 memory compact = candidate.key;
        Bls12381.G1Point memory key;
        uint256 source;
        assembly ("memory-safe") {
            source := compact
        }
        Bls12381.unpack(source, key);
        return SequencerRegistry.Member({
            operator: candidate.operator,
            submitter: candidate.submitter,
            feeRecipient: candidate.feeRecipient,
            power: candidate.power,
            publicKey: abi.encode(key)
        });
    }
}
