// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The strongest of many candidates
/// @dev A heap rather than a quicksort: nobody can choose an order of registration that makes it slow or deep. Building
/// takes time linear in the number of candidates, each pick a logarithm of it.
library StakeRanking {
    /// @notice Indices of the `picks` largest powers, largest first; of equal ones the smaller index first.
    /// @param powers power by index, each below 2^64; overwritten
    /// @param picks at most the number of powers
    function top(uint256[] memory powers, uint256 picks) internal pure returns (uint256[] memory ranking) {
        uint256 size = powers.length;
        // One number that orders as the ranking does: power first, then the complement of the index.
        for (uint256 i = 0; i < size; ++i) {
            powers[i] = powers[i] << 64 | (type(uint64).max - i);
        }
        for (uint256 i = size / 2; i > 0; --i) {
            _sink(powers, i - 1, size);
        }
        ranking = new uint256[](picks);
        for (uint256 i = 0; i < picks; ++i) {
            ranking[i] = type(uint64).max - uint64(powers[0]);
            powers[0] = powers[--size];
            _sink(powers, 0, size);
        }
    }

    /// @dev Moves the entry at `place` down until no child within `size` is larger.
    function _sink(uint256[] memory heap, uint256 place, uint256 size) private pure {
        if (place >= size) return;
        uint256 moving = heap[place];
        while (true) {
            uint256 child = 2 * place + 1;
            if (child >= size) break;
            if (child + 1 < size && heap[child + 1] > heap[child]) ++child;
            if (heap[child] <= moving) break;
            heap[place] = heap[child];
            place = child;
        }
        heap[place] = moving;
    }
}
