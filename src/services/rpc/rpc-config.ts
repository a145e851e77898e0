/** What an operator may set of the JSON-RPC server. */
export interface RpcConfig {
  /** L2 chain id (eth_chainId, net_version). */
  readonly chainId: number
  /** Answer of web3_clientVersion, such as `morphism/v0.1.0/linux-x64/node20.20.2`. */
  readonly clientVersion: string
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** Browser origins that may call, `*` for all; callers that are no browsers send no origin and always may. */
  readonly corsOrigins: readonly string[]
  /** Names by which HTTP requests may call this server, `*` for any; its IP addresses always may. */
  readonly virtualHosts: readonly string[]
  /** Largest HTTP body or WebSocket message, in bytes. */
  readonly maxBodyBytes: number
  readonly maxBatch: number
  readonly maxBatchResponseBytes: number
  /** When so many are open, the oldest of the host with most gives way; so for filters and subscriptions. */
  readonly maxConnections: number
  /** Of one host (an IPv6 host is its /48); loopback has no such limit, for a reverse proxy there brings everybody's. */
  readonly maxConnectionsPerHost: number
  /**
   * Held for all callers: messages not all here or not answered yet, answers not taken, and notifications that wait for the
   * answer with their subscription's id; above, who holds most is dropped.
   */
  readonly maxHeldBytes: number
  /** Calls under way at once, of all connections; a call above is refused with -32005. */
  readonly maxConcurrentRequests: number
  /** Calls a second that one IP address may make (burst: two seconds' worth); 0 is no limit. */
  readonly requestsPerSecond: number
  /** A query of the execution client is aborted after this. */
  readonly executionTimeoutMs: number
  readonly maxSubscriptionsPerConnection: number
  /** Of all connections: what a head or a transaction brings them goes out over as many turns as it takes. */
  readonly maxSubscriptions: number
  /** Of one host, as for connections. */
  readonly maxSubscriptionsPerHost: number
  /** Addresses and topics that the log subscriptions of one connection may name together. */
  readonly maxLogTermsPerConnection: number
  /** The same of all connections together. */
  readonly maxLogTerms: number
  /**
   * Notifications of one block's logs that a connection may have; one that its subscriptions bring more is disconnected, unless
   * every log goes to it once at most.
   */
  readonly maxLogNotificationsPerConnection: number
  /** The same of one host's connections together. */
  readonly maxLogNotificationsPerHost: number
  /** A WebSocket peer with more bytes unread, or in notifications that wait for an answer, than this is disconnected. */
  readonly maxUnsentBytes: number
  /** Installed filters of all callers together. */
  readonly maxFilters: number
  /** Of one host, as for connections. */
  readonly maxFiltersPerHost: number
  /** Addresses and topics that installed filters of all callers may name together. */
  readonly maxFilterTerms: number
  /** The same of one host. */
  readonly maxFilterTermsPerHost: number
  /** Entries that wait in one filter; a filter that is not read and passes it is removed. */
  readonly maxFilterEntries: number
  /** The same in bytes. */
  readonly maxFilterBytes: number
  /** Bytes of the entries of all filters, each counted in every filter that it waits in; above, the fullest filter is removed. */
  readonly maxFilterBytesOfAll: number
  /** Bytes of entries in one answer, unless one alone has more; the rest waits for the next. */
  readonly maxFilterAnswerBytes: number
  /** A filter that nobody asks is removed after this. */
  readonly filterLifetimeMs: number
}

/** Settings that a caller of createRpcServer may leave out. */
export const defaultRpcConfig: Omit<RpcConfig, 'chainId' | 'clientVersion'> = {
  host: '127.0.0.1',
  port: 8545,
  corsOrigins: [],
  virtualHosts: ['localhost'],
  maxBodyBytes: 5 * 1024 * 1024,
  maxBatch: 1_000,
  maxBatchResponseBytes: 25 * 1024 * 1024,
  maxConnections: 2_000,
  maxConnectionsPerHost: 500,
  maxHeldBytes: 256 * 1024 * 1024,
  maxConcurrentRequests: 4_000,
  requestsPerSecond: 50_000,
  executionTimeoutMs: 30_000,
  maxSubscriptionsPerConnection: 128,
  maxSubscriptions: 8_192,
  maxSubscriptionsPerHost: 2_048,
  maxLogTermsPerConnection: 10_000,
  maxLogTerms: 1_000_000,
  maxLogNotificationsPerConnection: 20_000,
  maxLogNotificationsPerHost: 40_000,
  maxUnsentBytes: 32 * 1024 * 1024,
  maxFilters: 1_000,
  maxFiltersPerHost: 250,
  maxFilterTerms: 100_000,
  maxFilterTermsPerHost: 25_000,
  maxFilterEntries: 10_000,
  maxFilterBytes: 8 * 1024 * 1024,
  maxFilterBytesOfAll: 64 * 1024 * 1024,
  maxFilterAnswerBytes: 1024 * 1024,
  filterLifetimeMs: 5 * 60_000,
}
