// libp2p 3 calls Promise.withResolvers (ES2024), which Node 20 lacks. Imported before libp2p.
const promise = Promise as unknown as { withResolvers?: unknown }

promise.withResolvers ??= function withResolvers<T>(this: PromiseConstructor) {
  let resolve!: (value: T | PromiseLike<T>) => void
  let reject!: (reason?: unknown) => void
  const made = new this<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise: made, resolve, reject }
}
