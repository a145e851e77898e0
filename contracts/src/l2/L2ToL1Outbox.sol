// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Messages from L2 to L1
/// @notice An append-only Merkle tree of depth 32 over keccak256. Every batch carries its root to L1.
/// @dev A predeploy: its code is put into the L2 genesis without running a constructor, so all storage starts at zero.
/// Storage slot 0 holds the root. While no message has been sent it holds 0, which stands for the empty tree.
contract L2ToL1Outbox {
    /// @notice A message was sent.
    /// @param index its leaf's place in the tree; the first is 0
    /// @param leaf hash of the message, see `hashMessage`
    /// @param sender L2 account that sent it
    /// @param target L1 account that it is for
    /// @param value wei that it takes to L1
    /// @param data calldata for the target
    /// @param root root of the tree after this message
    event MessageSent(
        uint256 indexed index,
        bytes32 indexed leaf,
        address indexed sender,
        address target,
        uint256 value,
        bytes data,
        bytes32 root
    );

    /// @notice The tree has 2^32 leaves.
    error TreeIsFull();

    /// @notice Levels of the tree above the leaves.
    uint256 public constant DEPTH = 32;

    /// @notice Root of the tree, or 0 while it is empty. Storage slot 0.
    bytes32 public root;
    /// @notice Number of messages sent, which is the index of the next one. Storage slot 1.
    uint256 public messageCount;
    // At each level, the newest left sibling that is complete. Storage slots 2 to 33.
    bytes32[DEPTH] private _complete;

    /// @notice Sends a message to L1. The value sent stays in this contract for ever: it leaves L2.
    /// @param target L1 account
    /// @param data calldata for the target
    /// @return leaf hash of the message
    function sendMessage(address target, bytes calldata data) external payable returns (bytes32 leaf) {
        uint256 index = messageCount;
        if (index >> DEPTH != 0) revert TreeIsFull();
        leaf = hashMessage(index, msg.sender, target, msg.value, data);
        messageCount = index + 1;

        bytes32 node = leaf;
        bytes32 empty; // root of an empty subtree of the current height
        bool stored;
        for (uint256 level = 0; level < DEPTH; ++level) {
            if (index >> level & 1 == 1) {
                node = _hashPair(_complete[level], node);
            } else {
                // The first left child on the way up is what later leaves will need; those above it are not complete.
                if (!stored) {
                    _complete[level] = node;
                    stored = true;
                }
                node = _hashPair(node, empty);
            }
            empty = _hashPair(empty, empty);
        }
        root = node;
        emit MessageSent(index, leaf, msg.sender, target, msg.value, data, node);
    }

    /// @notice Hash of a message, a leaf of the tree. Inner nodes hash 64 bytes and leaves at least 192, so that one cannot
    /// pass for the other.
    function hashMessage(uint256 index, address sender, address target, uint256 value, bytes calldata data)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(index, sender, target, value, data));
    }

    function _hashPair(bytes32 left, bytes32 right) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, left)
            mstore(32, right)
            hash := keccak256(0, 64)
        }
    }
}
