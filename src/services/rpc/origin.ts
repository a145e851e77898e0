/** Extensions that the user of a browser installed; what page called them, they do not tell. */
const extension = /^(chrome|moz|safari-web)-extension:/

/** Whether pages of this browser origin may call; `*` allows every one, and extensions (wallets) always may. */
export function isOriginAllowed(origin: string, allowed: readonly string[]): boolean {
  return allowed.includes('*') || allowed.includes(origin.toLowerCase()) || extension.test(origin)
}
