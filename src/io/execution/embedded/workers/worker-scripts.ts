/** Script of the worker that executes blocks. */
export const executionWorkerScript: URL = new URL('./execution-worker.js', import.meta.url)

/** Script of the workers that answer queries. */
export const queryWorkerScript: URL = new URL('./query-worker.js', import.meta.url)
