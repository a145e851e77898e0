import { defineConfig } from 'vitest/config'

// Whole networks of real processes: one file after the other.
export default defineConfig({
  test: {
    include: ['build/test/e2e/**/*.test.js'],
    testTimeout: 240_000,
    hookTimeout: 240_000,
    fileParallelism: false,
    maxWorkers: 1,
  },
})
