// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Messages from L1 to L2, in one order for ever
/// @notice Every message extends a rolling hash; a batch names the number of messages that it has consumed and the rolling
/// hash at that point, so L2 can neither skip nor reorder.
/// @dev This contract holds the ETH that exists on L2: the deposits, and what the L2 genesis gives to accounts, which is
/// sent to the constructor. Nothing takes it out in this version.
contract MessageQueue {
    /// @notice A message was appended.
    /// @param index its number; the first is 0
    /// @param kind 0: ETH deposit
    /// @param sender L1 account that sent it
    /// @param to L2 account that it is for
    /// @param amount wei
    /// @param data empty in an ETH deposit
    /// @param rollingHash rolling hash of all messages up to and with this one
    event MessageEnqueued(
        uint64 indexed index,
        uint8 kind,
        address indexed sender,
        address indexed to,
        uint256 amount,
        bytes data,
        bytes32 rollingHash
    );

    /// @notice A deposit of nothing.
    error AmountIsZero();
    /// @notice L2 credits deposits through EIP-4895, which counts in gwei (1e9 wei).
    error NotWholeGwei(uint256 amount);
    /// @notice There are not so many messages.
    error UnknownMessage(uint64 asked, uint64 count);

    uint8 private constant ETH_DEPOSIT = 0;

    // Seconds at which each message was enqueued, four to a slot. Its length is the number of messages.
    uint64[] private _enqueuedAt;
    // Rolling hash after so many messages; 0 messages have the hash 0.
    mapping(uint64 count => bytes32) private _rollingHash;

    /// @dev Payable: takes the ETH that the L2 genesis allocates, so that L2 is backed one to one from its first block.
    constructor() payable {}

    /// @notice Deposits ETH to an account on L2.
    /// @param to L2 account to credit
    function depositETH(address to) external payable {
        if (msg.value == 0) revert AmountIsZero();
        if (msg.value % 1 gwei != 0) revert NotWholeGwei(msg.value);
        _enqueue(ETH_DEPOSIT, msg.sender, to, msg.value, "");
    }

    /// @notice Number of messages so far, which is the index of the next one.
    function messageCount() public view returns (uint64) {
        return uint64(_enqueuedAt.length);
    }

    /// @notice Rolling hash of the first `count` messages.
    function rollingHashAt(uint64 count) external view returns (bytes32) {
        if (count > messageCount()) revert UnknownMessage(count, messageCount());
        return _rollingHash[count];
    }

    /// @notice Time of the L1 block, in seconds, that enqueued message number `index`.
    function enqueuedAt(uint64 index) external view returns (uint64) {
        if (index >= messageCount()) revert UnknownMessage(index, messageCount());
        return _enqueuedAt[index];
    }

    function _enqueue(uint8 kind, address sender, address to, uint256 amount, bytes memory data) private {
        uint64 index = messageCount();
        bytes32 messageHash = keccak256(abi.encode(kind, index, sender, to, amount, data));
        bytes32 rollingHash = keccak256(abi.encodePacked(_rollingHash[index], messageHash));
        _enqueuedAt.push(uint64(block.timestamp));
        _rollingHash[index + 1] = rollingHash;
        emit MessageEnqueued(index, kind, sender, to, amount, data, rollingHash);
    }
}
