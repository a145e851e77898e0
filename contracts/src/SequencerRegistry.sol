// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bls12381} from "./Bls12381.sol";
import {CodeTable} from "./CodeTable.sol";

/// @title The sets of sequencers, past and present
/// @notice A set never changes once created: it is a pair of tables in contract code. The cost of verifying a quorum does
/// not depend on the size of the set, but only on how many members are absent.
contract SequencerRegistry {
    /// @notice One sequencer of a set.
    /// @param operator L1 account that owns the stake
    /// @param submitter L1 account that may post batches in the member's turn
    /// @param feeRecipient L2 account that receives the priority fees of the member's blocks
    /// @param power voting power, in gwei of stake
    /// @param publicKey consensus key: 128 bytes, G1, coding of EIP-2537
    struct Member {
        address operator;
        address submitter;
        address feeRecipient;
        uint64 power;
        bytes publicKey;
    }

    /// @notice What became of a quorum certificate.
    enum Verdict {
        Valid,
        AbsentOutOfRange,
        QuorumNotReached,
        SignatureInvalid
    }

    struct Set {
        address keyTable;
        uint64 totalPower;
        uint16 size;
        address accountTable;
    }

    /// @notice A set exists and can be verified against.
    /// @param setId number of the set; the first is 1
    /// @param size number of members
    /// @param totalPower sum of the members' powers, in gwei of stake
    /// @param keyTable code table: aggregate key (96 bytes), then for each member power (8 bytes) and key (96 bytes)
    /// @param accountTable code table: for each member operator, submitter, feeRecipient (20 bytes each)
    event SetCreated(uint256 indexed setId, uint256 size, uint256 totalPower, address keyTable, address accountTable);

    /// @notice Only the staking contract creates sets.
    error NotStaking(address caller);
    /// @notice A set has 1 to `MAX_MEMBERS` members.
    error WrongSetSize(uint256 size);
    /// @notice A member without power could never matter.
    error PowerIsZero(uint256 index);
    /// @notice There is no set with this number.
    error UnknownSet(uint256 setId);
    /// @notice The set has no member with this index.
    error UnknownMember(uint256 setId, uint256 index);

    /// @notice Largest size of a set: its key table must fit into the code of one contract (EIP-170).
    uint256 public constant MAX_MEMBERS = 200;

    uint256 private constant COMPACT_KEY_LENGTH = 96;
    uint256 private constant KEY_ENTRY_LENGTH = 104; // power (8), key (96)
    uint256 private constant ACCOUNT_ENTRY_LENGTH = 60;

    /// @notice The contract that creates sets.
    address public immutable staking;

    /// @notice Number of the newest set; 0 before the genesis election.
    uint256 public latestSetId;

    mapping(uint256 setId => Set) private _sets;

    /// @param staking_ address of the SequencerStaking contract, which is deployed after this one
    constructor(address staking_) {
        staking = staking_;
    }

    /// @notice Records the next set.
    /// @dev The staking contract has checked a proof of possession for every key: without it, aggregation is forgeable.
    /// @param elected the members, in the order of their indices
    /// @return setId number of the new set
    function createSet(Member[] calldata elected) external returns (uint256 setId) {
        if (msg.sender != staking) revert NotStaking(msg.sender);
        uint256 size = elected.length;
        if (size == 0 || size > MAX_MEMBERS) revert WrongSetSize(size);

        bytes memory keys = new bytes(COMPACT_KEY_LENGTH + size * KEY_ENTRY_LENGTH);
        bytes memory accounts = new bytes(size * ACCOUNT_ENTRY_LENGTH);
        Bls12381.G1Point memory aggregate;
        uint64 power;
        for (uint256 i = 0; i < size; ++i) {
            Member calldata member = elected[i];
            if (member.power == 0) revert PowerIsZero(i);
            power += member.power;
            Bls12381.G1Point memory key = abi.decode(member.publicKey, (Bls12381.G1Point));
            Bls12381.addTo(aggregate, key);
            _store(keys, COMPACT_KEY_LENGTH + i * KEY_ENTRY_LENGTH, abi.encodePacked(member.power, _packed(key)));
            _store(
                accounts,
                i * ACCOUNT_ENTRY_LENGTH,
                abi.encodePacked(member.operator, member.submitter, member.feeRecipient)
            );
        }
        _store(keys, 0, _packed(aggregate));

        setId = ++latestSetId;
        Set memory set = Set({
            keyTable: CodeTable.write(keys),
            totalPower: power,
            size: uint16(size),
            accountTable: CodeTable.write(accounts)
        });
        _sets[setId] = set;
        emit SetCreated(setId, size, power, set.keyTable, set.accountTable);
    }

    /// @notice Whether members with more than 2/3 of the power of a set signed a digest.
    /// @param setId the set; an unknown one reverts with `UnknownSet`
    /// @param digest 32 bytes that were signed
    /// @param absent bit i is set when member i did not sign; a bit at or above the size of the set gives false
    /// @param signature aggregate signature: 256 bytes, G2, coding of EIP-2537; anything malformed gives false
    function verify(uint256 setId, bytes32 digest, uint256 absent, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return check(setId, digest, absent, signature) == Verdict.Valid;
    }

    /// @notice As `verify`, but says why a certificate is refused.
    function check(uint256 setId, bytes32 digest, uint256 absent, bytes calldata signature)
        public
        view
        returns (Verdict)
    {
        Set storage set = _sets[setId];
        (address table, uint256 power, uint256 size) = (set.keyTable, set.totalPower, set.size);
        if (size == 0) revert UnknownSet(setId);
        if (absent >> size != 0) return Verdict.AbsentOutOfRange;

        (Bls12381.G1Point memory absentKeys, uint256 absentPower) = _sumOf(table, absent);
        if ((power - absentPower) * 3 <= power * 2) return Verdict.QuorumNotReached;

        Bls12381.G1Point memory key = _aggregateKey(table);
        if (absent != 0) {
            Bls12381.negate(absentKeys);
            Bls12381.addTo(key, absentKeys);
        }
        return Bls12381.verify(key, digest, signature) ? Verdict.Valid : Verdict.SignatureInvalid;
    }

    /// @notice Number of members of a set.
    function setSize(uint256 setId) external view returns (uint256) {
        return _known(setId).size;
    }

    /// @notice Sum of the powers of a set, in gwei of stake.
    function totalPower(uint256 setId) external view returns (uint256) {
        return _known(setId).totalPower;
    }

    /// @notice One member of a set.
    function memberOf(uint256 setId, uint256 index) external view returns (Member memory) {
        return _member(_known(setId), setId, index);
    }

    /// @notice Who may post batches in a turn. Turns go around the set by index.
    /// @param setId the set
    /// @param turn number of the turn
    function turnOf(uint256 setId, uint256 turn) external view returns (uint256 index, address submitter) {
        Set storage set = _known(setId);
        index = turn % set.size;
        bytes memory entry = CodeTable.read(set.accountTable, index * ACCOUNT_ENTRY_LENGTH + 20, 20);
        submitter = address(bytes20(entry));
    }

    /// @notice All members of a set, in the order of their indices. Meant for callers off chain.
    function members(uint256 setId) external view returns (Member[] memory all) {
        Set storage set = _known(setId);
        all = new Member[](set.size);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = _member(set, setId, i);
        }
    }

    function _known(uint256 setId) private view returns (Set storage set) {
        set = _sets[setId];
        if (set.size == 0) revert UnknownSet(setId);
    }

    function _member(Set storage set, uint256 setId, uint256 index) private view returns (Member memory member) {
        if (index >= set.size) revert UnknownMember(setId, index);
        Bls12381.G1Point memory key;
        uint64 power = _readMember(set.keyTable, index, key);
        bytes memory accounts = CodeTable.read(set.accountTable, index * ACCOUNT_ENTRY_LENGTH, ACCOUNT_ENTRY_LENGTH);
        assembly ("memory-safe") {
            mstore(member, shr(96, mload(add(accounts, 32))))
            mstore(add(member, 32), shr(96, mload(add(accounts, 52))))
            mstore(add(member, 64), shr(96, mload(add(accounts, 72))))
        }
        member.power = power;
        member.publicKey = abi.encode(key);
    }

    /// @dev Sum of the keys and of the powers of the members in a bitmap whose bits are known to be in range.
    function _sumOf(address table, uint256 bitmap) private view returns (Bls12381.G1Point memory keys, uint256 power) {
        Bls12381.G1Point memory key;
        while (bitmap != 0) {
            uint256 index;
            assembly ("memory-safe") {
                index := sub(255, clz(bitmap))
            }
            bitmap ^= 1 << index;
            power += _readMember(table, index, key);
            Bls12381.addTo(keys, key);
        }
    }

    /// @dev Reads the power of a member, and its key into `key`.
    function _readMember(address table, uint256 index, Bls12381.G1Point memory key)
        private
        view
        returns (uint64 power)
    {
        uint256 offset = CodeTable.PREFIX + COMPACT_KEY_LENGTH + index * KEY_ENTRY_LENGTH;
        uint256 scratch;
        assembly ("memory-safe") {
            scratch := mload(0x40) // free memory: nothing is allocated before it is read
            extcodecopy(table, scratch, offset, KEY_ENTRY_LENGTH)
            power := shr(192, mload(scratch))
        }
        Bls12381.unpack(scratch + 8, key);
    }

    function _aggregateKey(address table) private view returns (Bls12381.G1Point memory key) {
        uint256 offset = CodeTable.PREFIX;
        uint256 scratch;
        assembly ("memory-safe") {
            scratch := mload(0x40)
            extcodecopy(table, scratch, offset, COMPACT_KEY_LENGTH)
        }
        Bls12381.unpack(scratch, key);
    }

    function _packed(Bls12381.G1Point memory key) private pure returns (bytes memory) {
        return abi.encode(Bls12381.pack(key));
    }

    function _store(bytes memory target, uint256 offset, bytes memory data) private pure {
        assembly ("memory-safe") {
            mcopy(add(add(target, 32), offset), add(data, 32), mload(data))
        }
    }
}
