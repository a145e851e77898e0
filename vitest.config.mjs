import { defineConfig } from 'vitest/config'

// Tests run on the compiled output, so that what is tested is what ships (worker threads included).
export default defineConfig({
  test: {
    include: ['build/src/**/*.test.js', 'build/test/**/*.test.js'],
    exclude: ['build/test/e2e/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // A busy machine may take longer than a second for what is waited for.
    expect: { poll: { timeout: 10_000 } },
    // No test changes what its process shares: files that follow each other find the modules loaded.
    isolate: false,
    // What is compiled needs no transformation.
    server: { deps: { external: [/\/build\/(src|test)\/(?!.*\.test\.js)/] } },
  },
})
